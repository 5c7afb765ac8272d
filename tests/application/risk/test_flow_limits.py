"""How often, and how much alike: what the account remembers of its orders, also after a restart."""

from typing import Any

import pytest

from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from application.trading.commands.cancel_orders_command import CancelOrders
from domain.errors import OrderNotPlaced, PreconditionFailed, Throttled
from domain.risk.value_objects.limits import RateLimit
from domain.risk.value_objects.scope import Scope, ScopeKind
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason, Side
from tests.support.trading import ACCOUNT, D, Desk

THREE_A_MINUTE = RateLimit(3, D(60))


def failed(desk: Desk, client_order_id: str, **order: Any) -> list[str]:
    """The rules that the order breaks; none when it is placed."""
    try:
        desk.place(client_order_id=client_order_id, **order)
    except OrderNotPlaced as refused:
        return [violation.rule for violation in refused.violations]
    return []


@pytest.mark.parametrize("restarts", [False, True])
def test_as_many_orders_as_the_bucket_holds_pass_and_the_next_when_a_token_is_back(restarts: bool) -> None:
    desk = Desk(order_rate=THREE_A_MINUTE)
    assert [failed(desk, str(n), quantity=1) for n in range(3)] == [[], [], []]
    if restarts:
        desk.restart()
    assert failed(desk, "too many", quantity=1) == ["ORDER_RATE"]
    desk.clock.advance(19.999)
    desk.quotes.set("ACME", "50")
    assert failed(desk, "too soon", quantity=1) == ["ORDER_RATE"]
    desk.clock.advance(0.001)
    assert failed(desk, "in time", quantity=1) == []


def test_an_order_that_is_refused_takes_no_token() -> None:
    desk = Desk(order_rate=THREE_A_MINUTE, max_order_quantity=D(5))
    for n in range(5):
        assert failed(desk, f"big {n}", quantity=6) == ["MAX_ORDER_QUANTITY"]
    assert [failed(desk, str(n), quantity=1) for n in range(3)] == [[], [], []]


def test_replaces_have_a_bucket_of_their_own() -> None:
    desk = Desk(replace_rate=RateLimit(1, D(60)), order_rate=THREE_A_MINUTE)
    desk.place(quantity=10)
    desk.report(ExecType.NEW)
    desk.replace(quantity=D(11))
    desk.report(ExecType.REPLACED, request_version=desk.order().replace_version)
    with pytest.raises(PreconditionFailed) as refused:
        desk.replace(quantity=D(12))
    assert [violation.rule for violation in refused.value.violations] == ["REPLACE_RATE"]
    breached = desk.records.events[-1]
    assert (breached.type, breached.order_id) == (EventType.LIMIT_BREACHED, desk.order().order_id)


def test_callers_cancels_are_throttled_and_others_never() -> None:
    desk = Desk(cancel_rate=RateLimit(1, D(10)))
    for name in "abc":
        desk.place(client_order_id=name, quantity=1)
    desk.cancel("a")
    with pytest.raises(Throttled) as throttled:
        desk.cancel("b")
    assert 0 < throttled.value.retry_after_seconds <= 10
    desk.run(CancelOrders(ACCOUNT, "user:test", reason=CancelReason.DISCONNECTED))
    assert all(order.cancel_pending for order in desk.book.open())


@pytest.mark.parametrize("restarts", [False, True])
def test_a_look_alike_is_refused_within_the_window_and_taken_after_it(restarts: bool) -> None:
    desk = Desk(duplicate_window=D(5))
    assert failed(desk, "one", quantity=1) == []
    if restarts:
        desk.restart()
    assert failed(desk, "two", quantity=1) == ["DUPLICATE_ORDER"]
    assert failed(desk, "other price", quantity=1, price=49) == []
    assert failed(desk, "other side", quantity=1, side=Side.SELL) == []
    desk.clock.advance(5)
    desk.quotes.set("ACME", "50")
    assert failed(desk, "at its end", quantity=1) == ["DUPLICATE_ORDER"]
    desk.clock.advance(0.001)
    assert failed(desk, "after it", quantity=1) == []


def test_a_window_that_is_set_later_knows_the_orders_before() -> None:
    desk = Desk()
    assert failed(desk, "one", quantity=1) == []
    desk.run(UpdateRiskProfile(ACCOUNT, "user:test", {"duplicate_window": D(60)}))
    assert failed(desk, "two", quantity=1) == ["DUPLICATE_ORDER"]


def test_nothing_is_remembered_once_the_window_is_taken_off() -> None:
    desk = Desk(duplicate_window=D(5))
    assert failed(desk, "one", quantity=1) == []
    desk.run(UpdateRiskProfile(ACCOUNT, "user:test", {"duplicate_window": None}))
    assert failed(desk, "two", quantity=1) == []
    assert desk.book.look_alikes.known_from is None


def test_a_look_alike_follows_its_order_through_a_replace_and_out_when_its_broker_rejects_it() -> None:
    desk = Desk(duplicate_window=D(60))
    desk.place(client_order_id="one", quantity=1, price=49)
    desk.report(ExecType.NEW, "one")
    desk.replace("one", limit_price=D(48))
    desk.report(ExecType.REPLACED, "one", request_version=desk.order("one").replace_version)
    assert failed(desk, "as it was", quantity=1, price=49) == []
    assert failed(desk, "as it is", quantity=1, price=48) == ["DUPLICATE_ORDER"]
    desk.report(ExecType.REJECTED, "as it was")
    assert failed(desk, "again", quantity=1, price=49) == []


def test_a_replace_into_the_look_of_another_order_is_refused_and_into_its_own_is_not() -> None:
    desk = Desk(duplicate_window=D(60))
    desk.place(client_order_id="one", quantity=1, price=49)
    desk.place(client_order_id="two", quantity=1, price=48)
    desk.report(ExecType.NEW, "two")
    with pytest.raises(PreconditionFailed) as refused:
        desk.replace("two", limit_price=D(49))
    assert [violation.rule for violation in refused.value.violations] == ["DUPLICATE_ORDER"]
    assert desk.replace("two", limit_price=D(47)).replace_terms is not None


def test_one_execution_too_many_halts_the_strategy_and_no_other() -> None:
    desk = Desk(repeated_execution=RateLimit(2, D(60)))
    desk.place(client_order_id="a", quantity=10, strategy_id="s")
    desk.trade("t1", 1, client_order_id="a")
    assert desk.controls.state_of(_strategy("s")) is None
    desk.trade("t2", 1, client_order_id="a")
    state = desk.controls.state_of(_strategy("s"))
    assert state is not None
    assert (state.state, state.updated_by) == (TradingState.HALTED, "system")
    assert set(failed(desk, "b", quantity=1, strategy_id="s")) == {"TRADING_STATE", "REPEATED_EXECUTION"}
    assert failed(desk, "c", quantity=1, strategy_id="other") == []
    assert failed(desk, "d", quantity=1) == []


def test_an_execution_that_is_told_twice_counts_once() -> None:
    desk = Desk(repeated_execution=RateLimit(2, D(60)))
    desk.place(client_order_id="a", quantity=10, strategy_id="s")
    desk.trade("t1", 1, client_order_id="a")
    desk.trade("t1", 1, client_order_id="a")
    assert desk.controls.state_of(_strategy("s")) is None


def _strategy(strategy_id: str) -> Scope:
    return Scope(ScopeKind.STRATEGY, ACCOUNT, strategy_id)
