"""The way back that delays, repeats, reorders and loses: each rate, and that it all still converges."""

from dataclasses import replace
from typing import Any

import pytest

from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, TimeInForce
from tests.adapters.brokers.paper_desk import COIN, PLAIN, Desk, booked

X = ExecType
ORDERS = 60
LONGEST = PLAIN.max_fault_delay_seconds


async def desk_with(**rates: Any) -> Desk:
    desk = await Desk(replace(PLAIN, **rates)).open()
    desk.quotes.show(COIN, "99", "101", "1000", "1000")
    return desk


async def test_a_delayed_report_comes_later_but_comes() -> None:
    desk = await desk_with(delay_rate=1.0)
    order = desk.place()
    assert desk.told(order) == []
    desk.pass_time(LONGEST)
    assert sorted(type.value for type in desk.told(order)) == ["NEW", "TRADE"]
    assert all(report.time < desk.clock.now() for report in desk.of(order))


async def test_a_repeated_report_comes_twice_the_same() -> None:
    desk = await desk_with(repeat_rate=1.0)
    order = desk.place()
    assert desk.told(order) == [X.NEW, X.TRADE]
    desk.pass_time(LONGEST)
    assert sorted(type.value for type in desk.told(order)) == ["NEW", "NEW", "TRADE", "TRADE"]
    assert len(set(desk.of(order))) == 2


async def test_a_reordered_report_is_overtaken_by_the_order_s_next_one() -> None:
    desk = await desk_with(reorder_rate=0.5)
    orders = [desk.place() for _ in range(ORDERS)]
    swapped = [order for order in orders if desk.told(order) == [X.TRADE, X.NEW]]
    assert 5 < len(swapped) < ORDERS - 5
    desk.pass_time(LONGEST)
    assert all(sorted(type.value for type in desk.told(order)) == ["NEW", "TRADE"] for order in orders)


async def test_a_lost_answer_was_executed_all_the_same_and_find_tells() -> None:
    desk = await desk_with(lose_rate=1.0)
    order = desk.limit("100", time_in_force=TimeInForce.GTC)
    desk.pass_time(10)
    assert desk.told(order) == []
    known = await desk.broker.find(order)
    assert known is not None
    assert [report.type for report in known] == [X.NEW]
    desk.cancel(order)
    assert desk.told(order) == []
    assert (await desk.broker.find(order) or ())[-1].type is X.CANCELED


async def test_only_answers_to_commands_get_lost_never_what_the_market_does() -> None:
    desk = await desk_with(lose_rate=1.0)
    order = desk.place(type=OrderType.STOP, stop_price="105")
    desk.show(COIN, "104", "105", "10", "0.4")
    assert desk.told(order) == [X.TRIGGERED, X.TRADE]


async def test_about_as_many_orders_are_refused_as_the_rate_says() -> None:
    desk = await desk_with(reject_rate=0.3)
    orders = [desk.place() for _ in range(200)]
    refused = [order for order in orders if desk.told(order) == [X.REJECTED]]
    assert 40 < len(refused) < 80
    assert "reject_rate" in desk.reason(refused[0])
    assert not any(desk.fills(order) for order in refused)


@pytest.mark.parametrize("seed", range(5))
async def test_delayed_repeated_and_reordered_reports_make_the_same_order_of_them_as_find(seed: int) -> None:
    desk = await desk_with(delay_rate=0.3, repeat_rate=0.3, reorder_rate=0.3)
    orders = [desk.place(f"{seed}-{n}", quantity="30") for n in range(ORDERS)]
    for ask in ("101", "102", "103"):
        desk.show(COIN, "99", ask, "1000", "300")
    desk.pass_time(LONGEST)
    for order in orders:
        known = await desk.broker.find(order)
        assert known is not None
        assert set(known) == set(desk.of(order))
        truth, made = booked(order, known), booked(order, desk.reports)
        assert (made.state, made.filled_quantity) == (truth.state, truth.filled_quantity)
    assert {booked(order, desk.reports).state for order in orders} >= {OrderStatus.FILLED}
