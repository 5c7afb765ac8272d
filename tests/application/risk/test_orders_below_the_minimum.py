"""Orders worth less than the venue takes: new, changed, in a group, and those of a kill switch."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import PreconditionFailed
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, OrderType, Side
from tests.support.engine import MAIN
from tests.support.risk_desk import DeskHouse
from tests.support.trading import Desk, instrument, terms

D = Decimal
X = ExecType
SELL = Side.SELL
LEAST_10 = replace(instrument("ACME", lot="0.01"), min_notional=D(10))


def desk() -> Desk:
    made = Desk()
    made.quotes.list(LEAST_10)
    return made


def refused_by(refusal: pytest.ExceptionInfo[PreconditionFailed]) -> list[tuple[str, str, str, str]]:
    return [(one.rule, one.value, one.limit, one.unit) for one in refusal.value.violations]


@pytest.mark.parametrize("order", [{}, {"price": None}, {"side": SELL}])
def test_an_order_below_the_minimum_is_kept_as_rejected_with_what_it_is_worth(order: dict[str, Any]) -> None:
    below = desk()
    with pytest.raises(PreconditionFailed) as refusal:
        below.place(quantity="0.19", **order)
    assert refused_by(refusal) == [("MIN_NOTIONAL", "9.5", "10", "USD")]
    assert (below.order().status, below.order().reject_reason) == (OrderStatus.REJECTED, "MIN_NOTIONAL")
    assert below.broker.handed == []
    assert below.place(terms("at", quantity="0.20", **order)).is_open


@pytest.mark.parametrize("change", [{"quantity": D("0.38")}, {"limit_price": D("24.99")}])
def test_a_replace_that_makes_the_whole_order_worth_less_changes_nothing(change: dict[str, Any]) -> None:
    changed = desk()
    changed.place(quantity="0.40", price=26)
    changed.report(X.NEW)
    before = changed.order()
    with pytest.raises(PreconditionFailed) as refusal:
        changed.replace("x", **change)
    assert [rule for rule, *_ in refused_by(refusal)] == ["MIN_NOTIONAL"]
    assert changed.order() == before


def test_a_replace_counts_what_has_filled_already() -> None:
    filled = desk()
    filled.place(quantity="0.40", price=50)
    filled.report(X.NEW)
    filled.trade("t", "0.35")
    assert filled.replace("x", limit_price=D(49)).status is OrderStatus.PENDING_REPLACE


def test_a_bracket_whose_stop_would_be_worth_too_little_is_refused_before_its_entry_leaves() -> None:
    group = desk()
    stop: dict[str, Any] = {"type": OrderType.STOP, "stop_price": D(40), "reduce_only": True}
    members = [
        terms("in", quantity="0.22", price=50),
        terms("out", SELL, "0.22", 60, reduce_only=True),
        terms("stop", SELL, "0.22", None, **stop),
    ]
    with pytest.raises(PreconditionFailed) as refusal:
        group.place_group(GroupType.BRACKET, *members)
    assert refused_by(refusal) == [("MIN_NOTIONAL", "8.8", "10", "USD")]
    assert group.broker.handed == []


@pytest.fixture
async def house() -> AsyncIterator[DeskHouse]:
    opened = await DeskHouse().open()
    yield opened
    await opened.close()


@pytest.mark.parametrize(("least", "sent"), [({"min_notional": D(10)}, 0), ({"min_quantity": D("0.20")}, 0), ({}, 1)])
async def test_a_kill_switch_does_not_send_again_and_again_what_the_venue_would_not_take(
    house: DeskHouse, least: dict[str, Any], sent: int
) -> None:
    house.quotes.list(instrument("ACME", lot="0.01"))
    await house.place("had", quantity="0.19", price=None)
    await house.tell(X.NEW, "had")
    await house.tell(X.TRADE, "had", execution_id="t", quantity="0.19")
    house.quotes.list(replace(instrument("ACME", lot="0.01"), **least))
    kill: KillSwitch = (await house.engage(flatten=True)).view.kill
    await house.pass_time(2)
    by_switch = [order for (account, _), order in house.database.state.orders.items() if account == MAIN]
    assert len([order for order in by_switch if ("kill_switch", kill.kill_switch_id) in order.terms.tags]) == sent
