"""What is recorded of a broker's report besides its own event, or in its place."""

from decimal import Decimal
from typing import Any

import pytest

from application.trading.command import OrderRef
from application.trading.commands.cancel_order_command import CancelOrder
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason, GroupType, OrderType, RestateReason, Side
from tests.support.trading import ACCOUNT, Desk, terms

S = OrderStatus
X = ExecType
E = EventType
D = Decimal

TRADE: dict[str, Any] = {"execution_id": "t", "quantity": D(4), "price": D(50)}


def told(desk: Desk, client_order_id: str = "x") -> list[EventType]:
    order_id = desk.order(client_order_id).order_id
    return [event.type for event in desk.records.events if event.order and event.order.order_id == order_id]


# -- a submission whose outcome was unknown ---------------------------------------------------------------


def unknown(**order: Any) -> Desk:
    desk = Desk()
    desk.place(**{"quantity": 10} | order)
    desk.report(X.UNCLEAR)
    return desk


@pytest.mark.parametrize(
    ("report", "details", "event"),
    [
        (X.NEW, {}, E.ORDER_ACCEPTED),
        (X.TRIGGERED, {"price": D(51)}, E.ORDER_TRIGGERED),
        (X.TRADE, TRADE, E.ORDER_FILLED),
        (X.CANCELED, {}, E.ORDER_CANCELED),
        (X.EXPIRED, {}, E.ORDER_EXPIRED),
        (X.REJECTED, {}, E.ORDER_REJECTED),
        (X.ABSENT, {}, E.ORDER_CANCELED),
    ],
)
def test_what_becomes_of_an_unknown_order_is_recorded_after_the_report_that_proves_it(
    report: ExecType, details: dict[str, Any], event: EventType
) -> None:
    desk = unknown()
    desk.report(report, **details)
    assert told(desk) == [E.ORDER_PLACED, E.SUBMISSION_UNKNOWN, event, E.SUBMISSION_RESOLVED]
    proof, resolved = desk.records.events[-2:]
    assert (proof.actor, proof.event_time) == (resolved.actor, resolved.event_time)
    assert (resolved.order, resolved.fill, resolved.violations) == (desk.order(), None, ())
    absent = desk.order().cancel_reason is CancelReason.NEVER_SUBMITTED
    assert absent is (report is X.ABSENT)


def test_that_an_order_is_proven_raises_no_version_and_is_its_newest_event() -> None:
    desk = unknown()
    desk.report(X.NEW)
    accepted, resolved = desk.records.events[-2:]
    assert accepted.order is not None
    assert resolved.order is not None
    assert (accepted.order.version, resolved.order.version) == (3, 3)
    assert desk.order().sequence == resolved.sequence == accepted.sequence + 1
    ref = OrderRef(client_order_id="x")
    desk.run(CancelOrder(ACCOUNT, "user:test", ref, expected_version=accepted.order.version))


def test_a_report_that_proves_nothing_leaves_the_order_unknown_and_unresolved() -> None:
    desk = unknown(side=Side.SELL, price=None, type=OrderType.TRAILING_STOP, trail_offset=D(2))
    desk.report(X.STOP_MOVED, price=D(48))
    assert (desk.order().status, told(desk)[-1]) == (S.UNKNOWN, E.STOP_MOVED)


def test_an_outcome_is_proven_once() -> None:
    desk = unknown()
    for report in (X.NEW, X.NEW, X.CANCELED):
        desk.report(report)
    desk.trade("late", 4)
    assert told(desk).count(E.SUBMISSION_RESOLVED) == 1


def test_a_group_follows_after_the_proof() -> None:
    desk = Desk()
    desk.place_group(GroupType.OTO, terms("x", quantity=10), terms("child", Side.SELL, 10, 55))
    desk.report(X.UNCLEAR)
    desk.report(X.TRADE, **TRADE)
    last = [event.type for event in desk.records.events[-3:]]
    assert last == [E.ORDER_FILLED, E.SUBMISSION_RESOLVED, E.ORDER_ACTIVATED]


# -- a fill that proves a replace -------------------------------------------------------------------------


def growing(**change: Any) -> Desk:
    """Ten units of which six have filled; asked for are twelve."""
    desk = Desk()
    desk.place(quantity=10)
    desk.report(X.NEW)
    desk.trade("first", 6)
    desk.replace(**{"quantity": D(12), "limit_price": D(51)} | change)
    return desk


@pytest.mark.parametrize(("more", "status"), [(5, S.PARTIALLY_FILLED), (6, S.FILLED)])
def test_a_fill_beyond_the_old_quantity_puts_the_replace_in_force(more: int, status: OrderStatus) -> None:
    desk = growing()
    answer = desk.says(X.REPLACED)
    desk.trade("second", more)
    order = desk.order()
    assert (order.status, order.terms.quantity, order.terms.limit_price) == (status, D(12), D(51))
    assert (order.replace_terms, order.replace_version, order.leaves_quantity) == (None, 0, D(6 - more))
    recorded = desk.records.sequence
    desk.tell(answer)
    assert desk.records.sequence == recorded
    assert E.ORDER_REPLACED not in told(desk)


def test_an_order_whose_replace_is_proven_counts_at_its_new_price() -> None:
    desk = growing()
    desk.trade("second", 5)
    assert (desk.order().reserve_price, desk.book.open_orders["ACME"].buy_notional) == (D(51), D(51))
    desk.trade("third", 1)
    assert (desk.book.open_count, desk.book.open_orders) == (0, {})


def test_a_replace_whose_answer_is_lost_leaves_no_canceled_order_with_more_filled_than_asked_for() -> None:
    desk = growing()
    desk.trade("second", 5)
    desk.report(X.CANCELED)
    order = desk.order()
    assert (order.status, order.filled_quantity, order.terms.quantity) == (S.CANCELED, D(11), D(12))


@pytest.mark.parametrize(("change", "more"), [({}, 4), ({}, 7), ({"quantity": D(10)}, 5), ({"quantity": D(8)}, 3)])
def test_a_fill_that_either_quantity_or_none_explains_proves_no_replace(change: dict[str, Any], more: int) -> None:
    desk = growing(**change)
    desk.trade("second", more)
    assert (desk.order().status, desk.order().terms.quantity) == (S.PENDING_REPLACE, D(10))
    desk.report(X.REPLACE_REJECTED)
    assert desk.order().terms.quantity == 10


# -- a replace that an order's group has asked for --------------------------------------------------------


def answered(desk: Desk, client_order_id: str, report: ExecType = X.REPLACED) -> Event:
    """The event of the broker's answer to the replace that is pending."""
    assert desk.order(client_order_id).status is S.PENDING_REPLACE
    recorded = desk.records.sequence
    desk.report(report, client_order_id, reason="as asked")
    return desk.records.events[recorded]


def restated(desk: Desk, client_order_id: str) -> tuple[RestateReason | None, Decimal]:
    event = answered(desk, client_order_id)
    assert (event.type, event.order, event.reason) == (E.ORDER_RESTATED, desk.order(client_order_id), "as asked")
    return event.restate_reason, desk.order(client_order_id).terms.quantity


def oco() -> Desk:
    desk = Desk()
    desk.place_group(GroupType.OCO, terms("a", quantity=10), terms("b", quantity=10, price=49))
    desk.report(X.NEW, "a")
    desk.report(X.NEW, "b")
    return desk


def bracket(filled: int = 10) -> Desk:
    desk = Desk()
    exits = terms("profit", Side.SELL, 10, 55), terms("loss", Side.SELL, 10, 45)
    desk.place_group(GroupType.BRACKET, terms("entry", quantity=10), *exits)
    desk.trade("e", filled, client_order_id="entry")
    desk.report(X.NEW, "profit")
    desk.report(X.NEW, "loss")
    return desk


def test_a_member_that_loses_what_another_fills_is_restated_for_its_group() -> None:
    desk = oco()
    desk.trade("t", 4, client_order_id="a")
    assert restated(desk, "b") == (RestateReason.GROUP_FILLED, D(6))


def test_an_exit_that_is_lowered_by_the_other_ones_fill_is_restated_for_its_group() -> None:
    desk = bracket()
    desk.trade("t", 4, 55, "profit")
    assert restated(desk, "loss") == (RestateReason.GROUP_FILLED, D(6))


def test_a_child_that_follows_its_parents_fills_is_restated_for_its_parent() -> None:
    desk = bracket(filled=4)
    desk.trade("f", 3, client_order_id="entry")
    assert restated(desk, "profit") == (RestateReason.PARENT_FILLED, D(7))
    assert restated(desk, "loss") == (RestateReason.PARENT_FILLED, D(7))


def test_a_child_that_gives_back_what_a_bust_took_from_its_parent_is_restated_for_its_parent() -> None:
    desk = bracket(filled=4)
    desk.trade("f", 3, client_order_id="entry")
    restated(desk, "profit")
    desk.report(X.TRADE_CANCEL, "entry", reference_id="f")
    assert restated(desk, "profit") == (RestateReason.PARENT_FILLED, D(4))


def test_a_restart_between_request_and_answer_makes_no_difference() -> None:
    desk = oco()
    desk.trade("t", 4, client_order_id="a")
    desk.restart()
    assert restated(desk, "b") == (RestateReason.GROUP_FILLED, D(6))


def test_a_callers_replace_of_a_groups_member_is_a_replace() -> None:
    desk = oco()
    desk.replace("b", limit_price=D(48))
    desk.trade("t", 4, client_order_id="a")
    event = answered(desk, "b")
    assert (event.type, event.restate_reason) == (E.ORDER_REPLACED, None)
    assert desk.order("b").terms.limit_price == D(48)
    assert restated(desk, "b") == (RestateReason.GROUP_FILLED, D(6))


def test_a_refusal_of_what_a_group_asked_for_is_a_refused_replace() -> None:
    desk = oco()
    desk.trade("t", 4, client_order_id="a")
    assert answered(desk, "b", X.REPLACE_REJECTED).type is E.REPLACE_REJECTED


def test_a_fill_that_proves_what_a_group_asked_for_shows_it_and_nothing_is_restated() -> None:
    desk = bracket(filled=4)
    desk.trade("f", 3, client_order_id="entry")
    answer = desk.says(X.REPLACED, "profit")
    desk.trade("t", 5, 55, "profit")
    assert desk.order("profit").terms.quantity == 7
    desk.tell(answer)
    assert E.ORDER_RESTATED not in told(desk, "profit")
