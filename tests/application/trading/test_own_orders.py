"""Orders of one account that could trade with each other."""

from typing import Any

import pytest

from domain.errors import OrderNotPlaced, PreconditionFailed
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.limits import SelfMatchAction
from domain.risk.value_objects.scope import of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason, Side
from tests.support.trading import D, Desk

X = ExecType
WAIT: dict[str, Any] = {"self_match_action": SelfMatchAction.CANCEL_RESTING}


def resting_sell(**limits: Any) -> Desk:
    desk = Desk(**limits)
    desk.place(client_order_id="sell", side=Side.SELL, quantity=10, price=51)
    desk.report(X.NEW, "sell")
    return desk


def order(desk: Desk, client_order_id: str) -> Order:
    return desk.book.orders[desk.book.client_ids[client_order_id]]


def handed(desk: Desk, client_order_id: str) -> list[str]:
    return [verb for verb, order_id in desk.broker.handed if order_id == order(desk, client_order_id).order_id]


def test_an_order_that_could_trade_with_a_resting_one_is_refused_by_default() -> None:
    desk = resting_sell(self_match_action=None)
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(client_order_id="buy", quantity=10, price=51)
    assert [violation.rule for violation in refused.value.violations] == ["SELF_MATCH"]
    assert desk.place(client_order_id="below", quantity=10, price=50).version == 1


def test_it_waits_until_the_resting_one_is_canceled_where_the_profile_says_so() -> None:
    desk = resting_sell(**WAIT)
    placed = desk.place(client_order_id="buy", quantity=10, price=51)
    assert (placed.held, placed.waits_for) == (True, order(desk, "sell").order_id)
    assert (order(desk, "sell").status, order(desk, "sell").cancel_reason) == (
        OrderStatus.PENDING_CANCEL,
        CancelReason.SELF_MATCH,
    )
    assert handed(desk, "buy") == []
    desk.report(X.CANCELED, "sell")
    assert handed(desk, "buy") == ["submit"]
    assert (order(desk, "buy").held, order(desk, "buy").waits_for) == (False, "")


def test_it_goes_out_too_when_the_resting_one_fills_before_its_cancel() -> None:
    desk = resting_sell(**WAIT)
    desk.place(client_order_id="buy", quantity=10, price=51)
    desk.trade("t", 10, 51, client_order_id="sell")
    desk.report(X.CANCEL_REJECTED, "sell")
    assert handed(desk, "buy") == ["submit"]


def test_it_waits_for_one_after_the_other() -> None:
    desk = resting_sell(**WAIT)
    desk.place(client_order_id="more", side=Side.SELL, quantity=10, price=51)
    desk.report(X.NEW, "more")
    desk.place(client_order_id="buy", quantity=10, price=51)
    first = order(desk, "buy").waits_for
    by_id = {order(desk, name).order_id: name for name in ("sell", "more")}
    desk.report(X.CANCELED, by_id[first])
    assert handed(desk, "buy") == []
    second = order(desk, "buy").waits_for
    assert {first, second} == by_id.keys()
    desk.report(X.CANCELED, by_id[second])
    assert handed(desk, "buy") == ["submit"]


def test_it_still_waits_after_a_restart() -> None:
    desk = resting_sell(**WAIT)
    desk.place(client_order_id="buy", quantity=10, price=51)
    desk.restart()
    desk.report(X.CANCELED, "sell")
    assert handed(desk, "buy") == ["submit"]


def test_it_is_canceled_when_a_halt_comes_while_it_waits() -> None:
    desk = resting_sell(**WAIT)
    desk.place(client_order_id="buy", quantity=10, price=51)
    halt(desk)
    desk.report(X.CANCELED, "sell")
    assert handed(desk, "buy") == []
    assert order(desk, "buy").status is OrderStatus.CANCELED


def waiting_to_close_a_short_position(**limits: Any) -> Desk:
    """Of a short position of 100, an order that only reduces is to close 10 once a resting one has ended."""
    desk = Desk(**WAIT, **limits)
    desk.place(client_order_id="short", side=Side.SELL, quantity=100, price=50)
    desk.trade("t", 100, 50, client_order_id="short")
    desk.place(client_order_id="sell", side=Side.SELL, quantity=10, price=51)
    desk.report(X.NEW, "sell")
    desk.place(client_order_id="close", quantity=10, price=51, reduce_only=True)
    assert order(desk, "close").held
    return desk


def test_what_one_that_waits_is_to_close_no_other_order_can_close() -> None:
    desk = waiting_to_close_a_short_position(max_position_quantity=D(110))
    assert desk.check(client_order_id="next", quantity=200, price=50)["MAX_POSITION"].passed
    assert not desk.check(client_order_id="next", quantity=201, price=50)["MAX_POSITION"].passed


def test_one_that_only_reduces_may_not_grow_beyond_the_position_while_it_waits() -> None:
    desk = waiting_to_close_a_short_position()
    with pytest.raises(PreconditionFailed) as refused:
        desk.replace("close", quantity=D(101))
    assert [violation.rule for violation in refused.value.violations] == ["REDUCE_ONLY"]
    assert desk.replace("close", quantity=D(100)).terms.quantity == 100


def test_a_canceled_one_that_waited_never_goes_out() -> None:
    desk = resting_sell(**WAIT)
    desk.place(client_order_id="buy", quantity=10, price=51)
    desk.cancel("buy")
    assert order(desk, "buy").status is OrderStatus.CANCELED
    desk.report(X.CANCELED, "sell")
    assert handed(desk, "buy") == []


def test_a_market_order_reaches_only_a_little_beyond_the_quote() -> None:
    desk = resting_sell(self_match_action=None)
    desk.place(client_order_id="far", quantity=1, price=1)
    assert desk.place(client_order_id="out", side=Side.SELL, quantity=10, price=None).version == 1


def halt(desk: Desk) -> None:
    scope = of_account(desk.book.account_id)
    desk.controls.put(ScopedTradingState(scope, TradingState.HALTED, 1, "stop", "user:boss", desk.clock.now()))
