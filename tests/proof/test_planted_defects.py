"""The proof is worth something only if it fails: a core that is broken on purpose, in one place, does not pass it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from application.trading import account_book
from application.trading.account_book import AccountBook
from application.trading.account_writer import AccountWriter
from application.trading.commands import place_order_command
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.examination import CheckedOrder, examine
from domain.decimals import ZERO
from domain.risk.services import pre_trade_check
from domain.risk.services.situation import Situation, Verdict
from domain.trading.aggregates.order_lifecycle import OrderStatus
from tests.proof.judge import Broken
from tests.proof.machine import RiskCoreMachine

pytestmark = pytest.mark.timeout(300)

SEARCH = settings(
    max_examples=1_000,
    stateful_step_count=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

Plant = Callable[[pytest.MonkeyPatch], None]


def reserved_after_sending(patch: pytest.MonkeyPatch) -> None:
    """An order counts only once its broker has acknowledged it."""
    reserved = account_book.open_amount

    def acknowledged(order: Any) -> Any:
        return (ZERO, ZERO) if order.state is OrderStatus.PENDING_NEW else reserved(order)

    patch.setattr(account_book, "open_amount", acknowledged)
    patch.setattr(account_book, "_counts_alike", lambda before, after: False)  # by itself that changes nothing


def checked_outside_the_writer(patch: pytest.MonkeyPatch) -> None:
    """An order is held against the rules when it comes in, on the account as it is then."""
    checked: dict[str, CheckedOrder] = {}
    submit = AccountWriter.submit

    def check_first(writer: AccountWriter, command: Any) -> Any:
        if isinstance(command, PlaceOrder):
            writer.book.now = writer._parts.clock.now()
            checked[command.terms.client_order_id] = examine(writer.book, command.terms, may_wait=True)
        return submit(writer, command)

    def as_checked(book: AccountBook, terms: Any, **more: Any) -> CheckedOrder:
        return checked[terms.client_order_id]

    patch.setattr(AccountWriter, "submit", check_first)
    patch.setattr(place_order_command, "examine", as_checked)


def skipped_on_replace(code: str) -> Plant:
    def judge_but_no_replace(rule: pre_trade_check.Rule) -> pre_trade_check.Rule:
        def judge(s: Situation) -> Verdict | None:
            return None if s.is_replace else rule.judge(s)

        return rule._replace(judge=judge)

    return _rule(code, judge_but_no_replace)


def left_out(code: str) -> Plant:
    return _rule(code, lambda rule: rule._replace(judge=lambda s: None))


def _rule(code: str, broken: Callable[[pre_trade_check.Rule], pre_trade_check.Rule]) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        rules = tuple(broken(rule) if rule.code == code else rule for rule in pre_trade_check.RULES)
        assert rules != pre_trade_check.RULES
        patch.setattr(pre_trade_check, "RULES", rules)
        patch.setattr(pre_trade_check, "_plans", {})

    return plant


DEFECTS: dict[str, Plant] = {
    "the open order counts only after it was sent": reserved_after_sending,
    "the check is made outside of the writer": checked_outside_the_writer,
    "MAX_ORDER_QUANTITY is skipped on replace": skipped_on_replace("MAX_ORDER_QUANTITY"),
    "MAX_POSITION is skipped on replace": skipped_on_replace("MAX_POSITION"),
    "MAX_GROSS_EXPOSURE is skipped on replace": skipped_on_replace("MAX_GROSS_EXPOSURE"),
    "MAX_OPEN_ORDERS is left out": left_out("MAX_OPEN_ORDERS"),
    "ORDER_RATE is left out": left_out("ORDER_RATE"),
    "DUPLICATE_ORDER is left out": left_out("DUPLICATE_ORDER"),
    "SELF_MATCH is left out": left_out("SELF_MATCH"),
    "TRADING_STATE is left out": left_out("TRADING_STATE"),
    "KILL_SWITCH is left out": left_out("KILL_SWITCH"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_put_in_on_purpose_is_found(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    DEFECTS[defect](monkeypatch)
    with pytest.raises(Broken):
        run_state_machine_as_test(RiskCoreMachine, settings=SEARCH)
