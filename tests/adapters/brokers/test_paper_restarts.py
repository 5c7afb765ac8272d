"""Restarts: what a new venue takes over, and what it has never heard of."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import (
    ARRIVES,
    CLOSE,
    COIN,
    OPENING,
    STOCK,
    Desk,
    booked,
    desk_with_quote,
    types,
)

X = ExecType
GTC = TimeInForce.GTC


def working(order: Order, state: OrderStatus = OrderStatus.NEW, filled: str = "0") -> Order:
    return replace(order, state=state, filled_quantity=Decimal(filled))


async def test_a_restarted_venue_goes_on_with_the_orders_that_are_believed_to_work() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8", time_in_force=GTC)
    desk.pass_time(1)
    believed = booked(order, desk.reports)
    again = await desk.restarted().open([believed])
    again.pass_time(1)
    assert again.reports == []
    assert types(await again.broker.find(order)) == [X.NEW]
    again.show(COIN, "99", "101")
    assert again.fills(order) == [("3", "101")]
    final = booked(believed, again.reports)
    assert (final.state, final.filled_quantity) == (OrderStatus.FILLED, Decimal(8))
    executions = [r.execution_id for r in (*desk.of(order), *again.of(order)) if r.type is X.TRADE]
    assert len(set(executions)) == 2


async def test_a_fill_after_a_restart_is_told_from_those_before_it_also_when_one_of_them_was_never_heard_of() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8", time_in_force=GTC)
    desk.show(COIN, "99", "101", "3", "3")
    first, second = (report for report in desk.of(order) if report.type is X.TRADE)
    believed = replace(booked(order, [second]), state=OrderStatus.PARTIALLY_FILLED, version=2)
    again = await desk.restarted().open([believed])
    again.show(COIN, "99", "101")
    [after] = [report for report in again.of(order) if report.type is X.TRADE]
    assert after.quantity == first.quantity
    assert len({first.execution_id, second.execution_id, after.execution_id}) == 3


async def test_an_adopted_order_keeps_its_time_priority() -> None:
    before = Desk()
    first, second = (before.order(type=OrderType.LIMIT, limit_price="100") for _ in range(2))
    desk = await before.restarted().open([working(second), working(first)])
    desk.show(COIN, "98", "99", "1", "1")
    assert (desk.fills(first), desk.fills(second)) == ([("1", "100")], [])


async def test_a_triggered_stop_is_adopted_as_triggered() -> None:
    before = Desk()
    stop: dict[str, Any] = {"type": OrderType.STOP_LIMIT, "stop_price": "150", "limit_price": "100"}
    triggered, waiting = before.order(**stop), before.order(**stop)
    filled = before.order(quantity="2", **stop)
    desk = await before.restarted().open(
        [
            working(triggered, OrderStatus.TRIGGERED),
            working(waiting),
            working(filled, OrderStatus.PARTIALLY_FILLED, "1"),
        ]
    )
    desk.show(COIN, "98", "99")
    assert desk.told(triggered) == desk.told(filled) == [X.TRADE]
    assert desk.told(waiting) == []


async def test_a_trailing_stop_goes_on_from_where_its_stop_stood() -> None:
    before = Desk()
    order = before.order(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="5")
    desk = await before.restarted().open([replace(working(order), active_stop_price=Decimal(95))])
    desk.show(COIN, "96", "97")
    assert desk.told(order) == []
    desk.show(COIN, "95", "97")
    assert desk.told(order) == [X.TRIGGERED, X.TRADE]


@pytest.mark.parametrize("state", [OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN])
async def test_an_order_that_was_never_acknowledged_is_unknown_after_a_restart(state: OrderStatus) -> None:
    before = Desk()
    order = before.order(type=OrderType.LIMIT, limit_price="100")
    desk = await before.restarted().open([working(order, state)])
    desk.show(COIN, "98", "99")
    assert desk.reports == []
    assert await desk.broker.find(order) is None
    desk.broker.submit(order)
    desk.pass_time(ARRIVES)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_a_pending_cancel_is_answered_after_a_restart() -> None:
    before = Desk()
    order = before.order(type=OrderType.LIMIT, limit_price="90")
    desk = await before.restarted().open([replace(working(order), cancel_pending=True)])
    question = asyncio.create_task(desk.broker.find(order))
    await asyncio.sleep(0)
    desk.pass_time(ARRIVES)
    assert desk.told(order) == [X.CANCELED]
    assert types(await question) == [X.NEW, X.CANCELED]


async def test_a_pending_replace_is_answered_after_a_restart_with_its_version() -> None:
    before = Desk()
    order = before.order(type=OrderType.LIMIT, limit_price="90")
    asked = replace(order.terms, limit_price=Decimal(95))
    pending = replace(working(order), replace_terms=asked, replace_version=4)
    desk = before.restarted()
    desk.quotes.show(COIN, "99", "101")
    await desk.open([pending])
    desk.pass_time(ARRIVES)
    assert [(r.type, r.request_version) for r in desk.reports] == [(X.REPLACED, 4)]
    desk.show(COIN, "93", "94")
    assert desk.fills(order) == [("1", "95")]


async def test_an_order_whose_session_ended_meanwhile_expires_after_a_restart() -> None:
    before = Desk()
    day = before.order(symbol=STOCK, type=OrderType.LIMIT, limit_price="150")
    closing = before.order(symbol=STOCK, time_in_force=TimeInForce.CLS)
    gtd = before.order(type=OrderType.LIMIT, limit_price="150", time_in_force=TimeInForce.GTD, expire_time=CLOSE)
    desk = Desk(start=OPENING + timedelta(days=1, minutes=5))
    desk.quotes.show(STOCK, "99", "101")
    desk.quotes.show(COIN, "99", "101")
    await desk.open([working(day), working(closing), working(gtd)])
    desk.pass_time(ARRIVES)
    assert desk.told(day) == desk.told(closing) == desk.told(gtd) == [X.EXPIRED]


async def test_an_adopted_order_whose_instrument_is_not_known_yet_has_it_asked_for_and_waits() -> None:
    before = Desk()
    order, canceled = (before.order(type=OrderType.LIMIT, limit_price="100", symbol="NEWCO") for _ in range(2))
    desk = await before.restarted().open([working(order), working(canceled)])
    desk.pass_time(1)
    await asyncio.sleep(0)
    assert desk.quotes.asked_for == [{"NEWCO"}]
    desk.broker.cancel(canceled)
    desk.pass_time(1)
    desk.quotes.instruments["NEWCO"] = replace(desk.quotes.instruments[COIN], symbol="NEWCO")
    desk.pass_time(1)
    desk.show("NEWCO", "98", "99")
    assert desk.fills(order) == [("1", "100")]
    assert desk.told(canceled) == [X.CANCELED]


async def test_a_stopped_venue_stands_still_and_tells_all_of_a_working_order_when_it_starts_again() -> None:
    desk = await desk_with_quote()
    order = desk.limit("100", time_in_force=GTC)
    await desk.broker.stop()
    desk.show(COIN, "98", "99")
    assert desk.told(order) == [X.NEW]
    await desk.open([working(order)])
    desk.pass_time(1)
    assert desk.told(order) == [X.NEW, X.NEW, X.TRADE]


async def test_ten_thousand_orders_are_adopted_without_a_report() -> None:
    before = Desk()
    orders = [
        working(before.order(type=OrderType.LIMIT, limit_price=str(50 + n % 40), time_in_force=GTC))
        for n in range(10_000)
    ]
    desk = await before.restarted().open(orders)
    desk.show(COIN, "98", "99")
    assert desk.reports == []
    desk.show(COIN, "88", "88.5", "3", "3")
    assert [(str(r.quantity), str(r.price)) for r in desk.reports] == [("1", "89")] * 3
