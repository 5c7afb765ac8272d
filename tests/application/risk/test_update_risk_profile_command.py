from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from application.risk.controls import NO_CEILING
from application.risk.queries.get_risk_profile_query import GetRiskProfile
from domain.errors import OrderNotPlaced, PreconditionFailed, VersionMismatch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.limits import RateLimit, SelfMatchAction, SymbolLimits
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.events.order_events import EventType
from tests.support.trading import ACCOUNT, START, Desk

D = Decimal


def update(desk: Desk, expected_version: int | None = None, **changes: object) -> None:
    desk.run(UpdateRiskProfile(ACCOUNT, "user:test", changes, expected_version))


def test_a_limit_holds_for_the_next_order_and_survives_a_restart() -> None:
    desk = Desk()
    update(desk, max_order_quantity=D(10))
    desk.restart()
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(quantity=11)
    assert [violation.rule for violation in refused.value.violations] == ["MAX_ORDER_QUANTITY"]
    desk.place(client_order_id="smaller", quantity=10)


def test_a_limit_that_is_taken_off_holds_no_more() -> None:
    desk = Desk(max_order_quantity=D(10))
    update(desk, max_order_quantity=None)
    desk.place(quantity=11)


def test_orders_that_work_already_stay() -> None:
    desk = Desk()
    order = desk.place(quantity=11)
    update(desk, max_order_quantity=D(10))
    assert desk.order() == order


def test_an_update_is_the_next_version_and_says_what_it_changed() -> None:
    desk = Desk()
    update(desk, max_order_quantity=D(10), short_selling=True)
    assert desk.records.profile.version == 2
    event = desk.records.events[-1]
    assert (event.type, event.changed_paths) == (EventType.RISK_PROFILE_UPDATED, ("max_order_quantity",))
    assert event.risk_profile == desk.records.profile == desk.run(GetRiskProfile(ACCOUNT, "user:test")).own
    assert (event.risk_profile.updated_by, event.risk_profile.updated_time) == ("user:test", START)


def test_an_update_that_changes_nothing_records_nothing() -> None:
    desk = Desk(max_order_quantity=D(10))
    update(desk, max_order_quantity=D("10.0"))
    assert (desk.records.profile.version, desk.records.sequence) == (1, 1)


def test_an_update_of_another_version_changes_nothing_and_names_the_present_one() -> None:
    desk = Desk()
    update(desk, max_order_quantity=D(10))
    with pytest.raises(VersionMismatch) as refused:
        update(desk, expected_version=1, max_order_quantity=D(99))
    assert refused.value.metadata["current_version"] == "2"
    assert desk.records.profile.max_order_quantity == D(10)
    update(desk, expected_version=2, max_order_quantity=D(99))


# -- under the firm's ceiling ------------------------------------------------------------------------------


def under(desk: Desk, **ceiling: Any) -> None:
    desk.book.controls.put(replace(NO_CEILING, **ceiling))


def test_a_limit_at_the_ceiling_passes_and_one_above_it_is_refused_by_name_and_changes_nothing() -> None:
    desk = Desk()
    under(desk, max_order_quantity=D(10), max_open_orders=3)
    update(desk, max_order_quantity=D(10), max_open_orders=3)
    with pytest.raises(PreconditionFailed) as refused:
        update(desk, max_order_quantity=D("10.01"), max_open_orders=4, max_net_exposure=D(9))
    assert refused.value.reason == "LIMIT_ABOVE_CEILING"
    found = {(v.rule, v.subject, v.value, v.limit) for v in refused.value.violations}
    assert found == {
        ("MAX_ORDER_QUANTITY", "max_order_quantity", "10.01", "10"),
        ("MAX_OPEN_ORDERS", "max_open_orders", "4", "3"),
    }
    assert (desk.records.profile.version, desk.records.profile.max_net_exposure) == (2, None)


@pytest.mark.parametrize(
    ("ceiling", "above"),
    [
        ({"order_rate": RateLimit(10, D(1))}, {"order_rate": RateLimit(11, D(1))}),
        ({"max_quote_age": D(5)}, {"max_quote_age": D(6)}),
        ({"max_leverage": D(2)}, {"max_leverage": D("2.1")}),
        ({"duplicate_window": D(5)}, {"duplicate_window": D(4)}),
        ({"self_match_action": SelfMatchAction.REJECT}, {"self_match_action": SelfMatchAction.CANCEL_RESTING}),
        ({"allowed_symbols": frozenset({"ACME"})}, {"allowed_symbols": frozenset({"ACME", "BOLT"})}),
        (
            {"symbol_limits": (SymbolLimits("ACME", D(5)),)},
            {"symbol_limits": (SymbolLimits("ACME", D(6)), SymbolLimits("BOLT", D(99)))},
        ),
    ],
)
def test_every_kind_of_limit_has_its_ceiling(ceiling: dict[str, Any], above: dict[str, Any]) -> None:
    desk = Desk()
    under(desk, **ceiling)
    with pytest.raises(PreconditionFailed):
        update(desk, **above)
    update(desk, **ceiling)
    assert desk.records.profile.version == 2


def test_taking_a_limit_off_or_back_to_its_default_is_not_above_the_ceiling() -> None:
    desk = Desk(max_order_quantity=D(10), max_leverage=D("0.5"))
    under(desk, max_order_quantity=D(20), max_leverage=D("0.5"), max_quote_age=D(5))
    update(desk, max_order_quantity=None, max_leverage=None, max_quote_age=None)
    own = desk.records.profile
    assert (own.max_order_quantity, own.max_leverage, own.max_quote_age) == (None, D(1), D(60))
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(quantity=21)
    assert [violation.rule for violation in refused.value.violations] == ["MAX_ORDER_QUANTITY"]


def test_a_limit_above_a_ceiling_that_came_down_later_holds_up_no_other_change() -> None:
    desk = Desk(max_order_quantity=D(100))
    under(desk, max_order_quantity=D(10))
    update(desk, max_open_orders=5, max_order_quantity=D(100))
    assert desk.records.profile.max_open_orders == 5
    with pytest.raises(PreconditionFailed):
        update(desk, max_order_quantity=D(99))


# -- what is shown -----------------------------------------------------------------------------------------


def test_what_is_applied_is_the_stricter_of_the_accounts_and_the_firms() -> None:
    desk = Desk(max_order_quantity=D(10), max_open_orders=5)
    under(desk, max_order_quantity=D(20), max_open_orders=3, max_net_exposure=D(7))
    view = desk.run(GetRiskProfile(ACCOUNT, "user:test"))
    assert (view.own.max_order_quantity, view.own.max_open_orders, view.own.max_net_exposure) == (D(10), 5, None)
    effective = view.effective
    assert (effective.max_order_quantity, effective.max_open_orders, effective.max_net_exposure) == (D(10), 3, D(7))
    assert (effective.account_id, effective.version) == (ACCOUNT, view.own.version)


@pytest.mark.parametrize("scope", [EVERYTHING, of_account(ACCOUNT)])
def test_the_trading_state_is_that_of_the_account_or_of_the_firm(scope: Scope) -> None:
    desk = Desk()
    assert state(desk) is TradingState.ACTIVE
    desk.book.controls.put(ScopedTradingState(scope, TradingState.REDUCING, 1, "drill", "user:risk", START))
    assert state(desk) is TradingState.REDUCING
    assert desk.run(UpdateRiskProfile(ACCOUNT, "user:test", {})).trading_state is TradingState.REDUCING
    kill = KillSwitch("k-1", scope, True, False, "drill", "user:risk", START)
    desk.book.controls.put(kill)
    assert state(desk) is TradingState.HALTED
    desk.book.controls.put(replace(kill, engaged=False))
    assert state(desk) is TradingState.REDUCING


def test_a_state_of_one_symbol_or_strategy_is_not_that_of_the_account() -> None:
    desk = Desk()
    for scope in (Scope(ScopeKind.SYMBOL, "", "ACME"), Scope(ScopeKind.STRATEGY, ACCOUNT, "trend")):
        desk.book.controls.put(ScopedTradingState(scope, TradingState.HALTED, 1, "drill", "user:risk", START))
        desk.book.controls.put(KillSwitch(scope.kind.value, scope, True, False, "drill", "user:risk", START))
    assert state(desk) is TradingState.ACTIVE


def state(desk: Desk) -> TradingState:
    return desk.run(GetRiskProfile(ACCOUNT, "user:test")).trading_state
