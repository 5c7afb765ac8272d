"""What happens by itself when an account has lost too much."""

from datetime import timedelta
from typing import Any

import pytest

from application.risk.commands.measure_losses_command import MeasureLosses
from domain.errors import OrderNotPlaced
from domain.risk.value_objects.limits import LossAction
from domain.risk.value_objects.scope import of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.order_type import Side
from tests.support.trading import ACCOUNT, D, Desk

SELL = Side.SELL


def losing(**limits: Any) -> Desk:
    """Measured once, then long of 100 bought at 50. Each point that the price falls costs 100."""
    desk = Desk(cash=10_000, **limits)
    measure(desk)
    desk.place(client_order_id="entry", quantity=100)
    desk.trade("t", 100, client_order_id="entry")
    return desk


def measure(desk: Desk, price: str = "") -> list[Event]:
    """The events that measuring at this price brings."""
    if price:
        desk.quotes.set("ACME", price)
    before = desk.records.sequence
    desk.run(MeasureLosses(ACCOUNT, "system"))
    return [event for event in desk.records.events if event.sequence > before]


def state_of(desk: Desk) -> TradingState | None:
    state = desk.controls.state_of(of_account(ACCOUNT))
    return state.state if state else None


def status(desk: Desk, client_order_id: str) -> OrderStatus:
    return desk.book.orders[desk.book.client_ids[client_order_id]].status


def test_a_loss_of_exactly_the_limit_does_nothing_and_a_cent_more_moves_the_account() -> None:
    desk = losing(max_daily_loss=D(500))
    assert measure(desk, "45") == []
    events = measure(desk, "44.99")
    assert [event.type for event in events][:2] == [EventType.LIMIT_BREACHED, EventType.TRADING_STATE_CHANGED]
    [violation] = events[0].violations
    assert (violation.rule, violation.value, violation.limit, violation.unit) == ("MAX_DAILY_LOSS", "501", "500", "USD")
    assert state_of(desk) is TradingState.REDUCING


def test_measuring_again_acts_once_and_again_only_after_the_loss_was_within_the_limit() -> None:
    desk = losing(max_daily_loss=D(500))
    assert measure(desk, "44")
    assert measure(desk, "43") == []
    assert measure(desk, "49") == []
    assert [event.type for event in measure(desk, "44")] == [EventType.LIMIT_BREACHED]


def test_reducing_cancels_what_could_raise_exposure_and_leaves_what_closes() -> None:
    desk = losing(max_daily_loss=D(500))
    desk.place(client_order_id="more", quantity=10, price=40)
    desk.place(client_order_id="close", side=SELL, quantity=60, price=60)
    desk.place(client_order_id="too much", side=SELL, quantity=60, price=61)
    measure(desk, "44")
    assert status(desk, "more") is OrderStatus.PENDING_CANCEL
    assert status(desk, "close") is OrderStatus.PENDING_NEW
    assert status(desk, "too much") is OrderStatus.PENDING_CANCEL


def test_halting_cancels_everything_and_lets_nothing_new_in() -> None:
    desk = losing(max_daily_loss=D(500), loss_action=LossAction.HALT)
    desk.place(client_order_id="close", side=SELL, quantity=60, price=60)
    measure(desk, "44")
    assert state_of(desk) is TradingState.HALTED
    assert status(desk, "close") is OrderStatus.PENDING_CANCEL
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(client_order_id="new", side=SELL, quantity=10, price=44)
    assert "TRADING_STATE" in [violation.rule for violation in refused.value.violations]


def test_flattening_engages_the_kill_switch_of_the_account() -> None:
    desk = losing(max_daily_loss=D(500), loss_action=LossAction.FLATTEN)
    events = measure(desk, "44")
    kill = desk.controls.engaged(of_account(ACCOUNT))
    assert kill is not None
    assert (kill.cancel_orders, kill.flatten, kill.engaged_by) == (True, True, "system")
    assert [event.type for event in events] == [
        EventType.LIMIT_BREACHED,
        EventType.TRADING_STATE_CHANGED,
        EventType.KILL_SWITCH_ENGAGED,
    ]


def test_notifying_changes_no_state_but_what_raises_exposure_is_refused() -> None:
    desk = losing(max_daily_loss=D(500), loss_action=LossAction.NOTIFY)
    assert [event.type for event in measure(desk, "44")] == [EventType.LIMIT_BREACHED]
    assert state_of(desk) is None
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(client_order_id="more", quantity=1, price=44)
    assert "MAX_DAILY_LOSS" in [violation.rule for violation in refused.value.violations]
    assert desk.place(client_order_id="less", side=SELL, quantity=10, price=44).version == 1


def test_the_days_loss_starts_anew_with_the_day_and_the_drawdown_from_the_high_does_not() -> None:
    desk = losing(max_daily_loss=D(500), max_drawdown_percent=D(10))
    assert measure(desk, "46") == []
    desk.clock.advance(timedelta(days=1).total_seconds())
    assert measure(desk, "44") == []
    events = measure(desk, "39.99")
    assert [violation.rule for violation in events[0].violations] == ["MAX_DRAWDOWN"]


def test_a_warning_comes_once_at_its_share_of_the_limit_and_again_after_it_was_below() -> None:
    desk = losing(max_daily_loss=D(500), max_leverage=D(10), warn_at_percent=D(80))
    [warning] = measure(desk, "46")
    assert warning.limit_use is not None
    assert (warning.type, warning.limit_use.rule) == (EventType.LIMIT_WARNING, "MAX_DAILY_LOSS")
    assert measure(desk, "45.9") == []
    assert measure(desk, "47") == []
    assert [event.type for event in measure(desk, "46")] == [EventType.LIMIT_WARNING]


def test_an_account_that_cannot_be_valued_is_left_as_it_is() -> None:
    desk = losing(max_daily_loss=D(500))
    desk.quotes.remove("ACME")
    assert measure(desk) == []


def test_what_was_measured_is_remembered_after_a_restart() -> None:
    desk = losing(max_daily_loss=D(500))
    measure(desk, "60")
    high = desk.book.risk_state.high
    desk.restart()
    assert desk.book.risk_state.high == high == D(11_000)
