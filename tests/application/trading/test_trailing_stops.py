"""A trailing stop in its account: what is recorded when it moves, and whom that concerns."""

from decimal import Decimal
from typing import Any

from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, OrderType, Side
from tests.support.trading import Desk, terms

X = ExecType
D = Decimal
TRAIL: dict[str, Any] = {"side": Side.SELL, "price": None, "type": OrderType.TRAILING_STOP, "trail_offset": D(2)}


def waiting() -> Desk:
    desk = Desk()
    desk.place(**TRAIL)
    desk.report(X.NEW)
    return desk


def recorded(desk: Desk) -> list[EventType]:
    return [event.type for event in desk.records.events]


def test_a_move_is_an_event_of_its_own_with_the_order_after_it() -> None:
    desk = waiting()
    before = desk.order()
    desk.report(X.STOP_MOVED, price=D("48.5"))
    event = desk.records.events[-1]
    assert (event.type, event.actor) == (EventType.STOP_MOVED, "broker:scripted")
    assert event.order == desk.order()
    assert (desk.order().active_stop_price, desk.order().status) == (D("48.5"), OrderStatus.NEW)
    assert (desk.order().version, desk.order().sequence) == (before.version + 1, event.sequence)


def test_a_repeat_and_a_move_that_was_overtaken_record_nothing() -> None:
    desk = waiting()
    for price in ("48", "49", "48", "48.5", "49"):
        desk.report(X.STOP_MOVED, price=D(price))
    assert recorded(desk).count(EventType.STOP_MOVED) == 2
    assert desk.order().active_stop_price == D(49)


def test_where_it_stands_outlives_the_process_and_the_trigger_says_where_it_stood() -> None:
    desk = waiting()
    desk.report(X.STOP_MOVED, price=D(48))
    desk.restart()
    assert desk.book.orders[desk.order().order_id].active_stop_price == D(48)
    desk.report(X.STOP_MOVED, price=D(47))
    desk.report(X.TRIGGERED, price=D("49.2"))
    desk.report(X.STOP_MOVED, price=D("49.1"))
    assert recorded(desk)[-2:] == [EventType.STOP_MOVED, EventType.ORDER_TRIGGERED]
    assert desk.order().active_stop_price == D("49.2")


def test_a_stop_that_moves_still_rests_nowhere_and_counts_as_before() -> None:
    desk = waiting()
    counted = desk.book.open_orders["ACME"]
    before = (counted.sell_quantity, counted.sell_notional)
    desk.report(X.STOP_MOVED, price=D(48))
    assert (desk.book.open_orders["ACME"].sell_quantity, desk.book.open_orders["ACME"].sell_notional) == before
    assert desk.book.resting.match(terms(side=Side.BUY, price=50), None, D(0)) == ""


def test_another_distance_is_another_trail() -> None:
    desk = waiting()
    desk.report(X.STOP_MOVED, price=D(48))
    version = desk.replace("x", trail_offset=D(4)).replace_version
    desk.report(X.STOP_MOVED, price=D("48.5"))
    desk.report(X.REPLACED)
    assert desk.order().active_stop_price is None
    desk.report(X.STOP_MOVED, price=D(49))
    desk.report(X.STOP_MOVED, price=D(46), request_version=version)
    assert desk.order().active_stop_price == D(46)


def test_a_group_is_not_asked_again_for_what_was_refused_because_a_stop_moved() -> None:
    desk = Desk()
    exits = terms("profit", Side.SELL, price=60), terms("loss", **TRAIL)
    desk.place_group(GroupType.BRACKET, terms("entry"), *exits)
    for name in ("entry", "profit", "loss"):
        if name == "entry":
            desk.trade("e", 100, client_order_id=name)
        desk.report(X.NEW, name)
    desk.trade("p", 40, 60, "profit")
    assert desk.order("loss").status is OrderStatus.PENDING_REPLACE
    desk.report(X.REPLACE_REJECTED, "loss")
    handed = list(desk.broker.handed)
    desk.report(X.STOP_MOVED, "loss", price=D(48))
    assert desk.order("loss").active_stop_price == D(48)
    assert desk.broker.handed == handed


def test_a_stop_that_moves_though_its_order_was_given_up_is_canceled_at_the_broker() -> None:
    desk = Desk()
    order = desk.place(**TRAIL)
    desk.report(X.UNCLEAR)
    desk.report(X.ABSENT)
    desk.report(X.STOP_MOVED, price=D(48))
    assert desk.broker.times("cancel", order.order_id) == 1
    assert (desk.order().status, desk.order().active_stop_price) == (OrderStatus.CANCELED, None)
