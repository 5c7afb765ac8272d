"""One cancel, and cancels by filter."""

from typing import Any

import pytest

from application.trading.command import OrderRef
from application.trading.commands.cancel_order_command import CancelOrder
from application.trading.commands.cancel_orders_command import CancelOrders
from domain.errors import NotFound, PreconditionFailed, VersionMismatch
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason, GroupType, Side
from tests.support.trading import ACCOUNT, Desk, instrument, terms

S = OrderStatus
X = ExecType


def test_a_cancel_asks_the_broker_once_however_often_it_is_repeated() -> None:
    desk = Desk()
    desk.place()
    first = desk.cancel()
    assert desk.cancel() == first
    assert desk.broker.times("cancel", first.order_id) == 1


def test_a_cancel_of_a_canceled_order_gives_it_as_it_stands() -> None:
    desk = Desk()
    desk.place()
    desk.cancel()
    desk.report(X.CANCELED)
    assert desk.cancel().status is S.CANCELED


@pytest.mark.parametrize("closing", [X.EXPIRED, X.REJECTED])
def test_a_cancel_of_an_order_that_has_ended_otherwise_is_refused(closing: ExecType) -> None:
    desk = Desk()
    desk.place()
    desk.report(closing)
    with pytest.raises(PreconditionFailed) as refused:
        desk.cancel()
    assert refused.value.reason == "ORDER_NOT_OPEN"


def test_a_cancel_of_another_version_than_expected_asks_nobody() -> None:
    desk = Desk()
    order = desk.place()
    with pytest.raises(VersionMismatch):
        desk.run(CancelOrder(ACCOUNT, "user:test", OrderRef(order.order_id), expected_version=2))
    assert desk.broker.times("cancel", order.order_id) == 0


def test_a_cancel_of_an_order_that_no_broker_has_is_done_at_once() -> None:
    desk = Desk()
    desk.place_group(GroupType.OTO, terms("parent"), terms("child", Side.SELL))
    order = desk.cancel("child")
    assert (order.status, order.cancel_reason) == (S.CANCELED, CancelReason.REQUESTED)
    assert desk.broker.times("cancel", order.order_id) == 0


def test_a_cancel_of_the_parent_takes_its_waiting_children_along_once_it_is_canceled() -> None:
    desk = Desk()
    desk.place_group(GroupType.OTO, terms("parent"), terms("child", Side.SELL))
    desk.cancel("parent")
    assert desk.order("child").status is S.PENDING_NEW
    desk.report(X.CANCELED, "parent")
    assert (desk.order("child").status, desk.order("child").cancel_reason) == (S.CANCELED, CancelReason.PARENT_ENDED)


def test_an_order_is_found_by_either_of_its_ids() -> None:
    desk = Desk()
    order = desk.place()
    assert desk.run(CancelOrder(ACCOUNT, "user:test", OrderRef(order.order_id))).order.status is S.PENDING_CANCEL
    with pytest.raises(NotFound):
        desk.run(CancelOrder(ACCOUNT, "user:test", OrderRef("no such order")))


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.quotes.list(instrument("OTHER"))
    desk.quotes.set("OTHER", "50")
    desk.place(terms("buy", strategy_id="s1"))
    desk.place(terms("sell", Side.SELL, strategy_id="s2"))
    desk.place(terms("other", symbol="OTHER", strategy_id="s1"))
    desk.place(terms("closed"))
    desk.report(X.CANCELED, "closed")
    return desk


@pytest.mark.parametrize(
    ("where", "canceled"),
    [
        ({}, ["buy", "sell", "other"]),
        ({"symbol": "ACME"}, ["buy", "sell"]),
        ({"side": Side.BUY}, ["buy", "other"]),
        ({"strategy_id": "s1"}, ["buy", "other"]),
        ({"symbol": "ACME", "strategy_id": "s1"}, ["buy"]),
        ({"symbol": "NONE"}, []),
    ],
)
def test_a_filter_cancels_the_open_orders_that_match_it_oldest_first(
    desk: Desk, where: dict[str, Any], canceled: list[str]
) -> None:
    answer = desk.run(CancelOrders(ACCOUNT, "user:test", **where))
    assert [order.terms.client_order_id for order in answer.orders] == canceled
    assert all(order.status is S.PENDING_CANCEL for order in answer.orders)
    asked = [order_id for verb, order_id in desk.broker.handed if verb == "cancel"]
    assert asked == [order.order_id for order in answer.orders]


def test_a_filter_shows_orders_whose_cancel_is_pending_and_does_not_ask_for_it_again(desk: Desk) -> None:
    desk.cancel("buy")
    answer = desk.run(CancelOrders(ACCOUNT, "user:test", symbol="ACME"))
    assert [order.terms.client_order_id for order in answer.orders] == ["buy", "sell"]
    assert desk.broker.times("cancel", desk.order("buy").order_id) == 1


def test_the_cause_of_a_cancel_stays_with_the_order(desk: Desk) -> None:
    command = CancelOrders(ACCOUNT, "user:test", symbol="ACME", reason=CancelReason.KILL_SWITCH, text="enough")
    desk.run(command)
    desk.report(X.CANCELED, "buy")
    assert desk.order("buy").cancel_reason is CancelReason.KILL_SWITCH
