"""What is told of where trailing stops stand, and that it is told no more often than it must be."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import (
    CLOSE,
    COIN,
    LOOKS,
    PLAIN,
    STOCK,
    TUESDAY_NOON,
    Desk,
    booked,
    desk_with_quote,
)

X = ExecType
GTC = TimeInForce.GTC
SELL: dict[str, Any] = {"side": Side.SELL, "type": OrderType.TRAILING_STOP, "time_in_force": GTC}
BUY: dict[str, Any] = {"side": Side.BUY, "type": OrderType.TRAILING_STOP, "time_in_force": GTC}


def trailing(desk: Desk, terms: dict[str, Any], **more: Any) -> Order:
    """A new order that has met the market."""
    order = desk.place(**terms | more)
    desk.pass_time(LOOKS)
    return order


def moves(desk: Desk, order: Order) -> list[ExecutionReport]:
    return [report for report in desk.of(order) if report.type is X.STOP_MOVED]


def stops(desk: Desk, order: Order) -> list[str]:
    return [str(report.price) for report in moves(desk, order)]


async def test_where_a_trailing_stop_begins_is_told_at_once_and_every_move_in_the_end() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, SELL, trail_offset="2")
    assert stops(desk, order) == ["97"]
    for bid in ("100", "101", "104", "103"):
        desk.show(COIN, bid, "110")
    assert stops(desk, order) == ["97"]
    desk.pass_time(1)
    assert stops(desk, order) == ["97", "102"]


async def test_a_buy_follows_the_ask_down() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, BUY, trail_percent="10")
    desk.show(COIN, "80", "90.01")
    desk.pass_time(2)
    assert stops(desk, order) == ["111.1", "99.02"]  # 99.011, on the tick that is not in its favour


async def test_while_the_market_runs_each_stop_is_told_of_once_in_the_interval() -> None:
    desk = await desk_with_quote(replace(PLAIN, stop_report_interval_seconds=3.0))
    first, second = trailing(desk, SELL, trail_offset="2"), trailing(desk, SELL, trail_offset="3")
    for step in range(100):
        desk.show(COIN, str(100 + step), "300")
    for order, reports in ((first, 4), (second, 3)):
        times = [report.time for report in moves(desk, order)]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert len(times) == reports
        assert min(gaps) >= timedelta(seconds=3)
    desk.pass_time(3)
    assert (stops(desk, first)[-1], stops(desk, second)[-1]) == ("197", "196")


async def test_a_market_that_turns_or_stands_still_is_no_news() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, SELL, trail_offset="2")
    for bid in ("98", "99", "98.5", "99"):
        desk.show(COIN, bid, "110")
        desk.pass_time(1)
    assert stops(desk, order) == ["97"]


async def test_a_stop_that_is_no_price_yet_is_not_told_of() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, SELL, trail_offset="99")
    desk.pass_time(2)
    assert stops(desk, order) == []
    desk.show(COIN, "99.5", "110")
    desk.pass_time(1)
    assert stops(desk, order) == ["0.5"]


async def test_while_a_report_has_to_wait_the_venue_goes_on_matching() -> None:
    desk = await desk_with_quote()
    stop = trailing(desk, SELL, trail_offset="2")
    limit = desk.limit("95", time_in_force=GTC)
    desk.show(COIN, "100", "101")
    desk.show(COIN, "101", "102")
    desk.show(COIN, "100", "94")
    assert desk.fills(limit) == [("1", "95")]
    assert stops(desk, stop) == ["97"]


async def test_a_stop_that_triggers_before_it_was_told_of_says_where_it_stood() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, SELL, trail_offset="2")
    for bid in ("99", "105", "103"):
        desk.show(COIN, bid, "110")
    desk.pass_time(5)
    told = [(report.type, str(report.price)) for report in desk.of(order)[1:3]]
    assert told == [(X.STOP_MOVED, "97"), (X.TRIGGERED, "103")]
    assert len(moves(desk, order)) == 1


async def test_the_last_move_before_the_close_is_told_though_nothing_trades_any_more() -> None:
    desk = await desk_with_quote(start=CLOSE - timedelta(seconds=0.5))
    order = trailing(desk, SELL, symbol=STOCK, trail_offset="2")
    desk.show(STOCK, "99", "101")
    desk.show(STOCK, "105", "106")
    desk.pass_time(0.2)
    assert stops(desk, order) == ["97"]
    desk.pass_time(2)
    assert stops(desk, order) == ["97", "103"]
    assert moves(desk, order)[-1].time > CLOSE


async def test_stops_of_another_symbol_are_told_of_by_themselves() -> None:
    desk = await desk_with_quote()
    coin = trailing(desk, SELL, trail_offset="2")
    desk.pass_time(0.5)
    share = trailing(desk, SELL, symbol=STOCK, trail_offset="3")
    desk.pass_time(0.1)
    assert (stops(desk, coin), stops(desk, share)) == (["97"], ["96"])


async def test_however_often_it_moves_its_history_stays_short() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, SELL, trail_offset="2")
    for step in range(30):
        desk.show(COIN, str(100 + step), "300")
        desk.pass_time(1)
    known = await desk.broker.find(order)
    assert known is not None
    assert [(report.type, report.price) for report in known] == [(X.NEW, None), (X.STOP_MOVED, Decimal(127))]
    assert len(moves(desk, order)) == 31


async def test_at_another_distance_a_trail_begins_again_at_the_market_and_says_so() -> None:
    desk = await desk_with_quote()
    order = trailing(desk, SELL, trail_offset="2")
    desk.show(COIN, "110", "111")
    desk.show(COIN, "109", "111")
    desk.pass_time(1)
    wider = desk.replace(order, trail_offset="5", version=7)
    desk.pass_time(1)
    assert [(str(r.price), r.request_version) for r in moves(desk, order)] == [("97", 0), ("108", 0), ("104", 7)]
    desk.replace(wider, quantity="3", version=9)
    desk.show(COIN, "112", "113")
    desk.pass_time(1)
    assert [(str(r.price), r.request_version) for r in moves(desk, order)][3:] == [("107", 7)]


async def test_what_is_made_of_the_reports_is_where_the_stop_stands() -> None:
    """Though they come late, twice and in another order."""
    rough = replace(PLAIN, delay_rate=0.4, repeat_rate=0.4, reorder_rate=0.4, max_fault_delay_seconds=2.0)
    desk = await desk_with_quote(rough)
    orders = [desk.place(f"c-{n}", trail_offset="50", **SELL) for n in range(20)]
    for step in range(20):
        desk.show(COIN, str(100 + step % 7 + step), "300")
        desk.pass_time(0.7)
    asked = [replace(order.terms, trail_offset=Decimal(60)) for order in orders]
    for order, terms in zip(orders, asked, strict=True):
        desk.broker.replace(order, terms, 5)
    desk.pass_time(5)
    for order, terms in zip(orders, asked, strict=True):
        believed = booked(order, desk.reports, {5: terms})
        assert (believed.terms, believed.trail_version) == (terms, 5)
        assert believed.active_stop_price == (await desk.broker.find(order) or ())[-1].price == Decimal(64)


# -- restarts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [{"trail_offset": "3"}, {"trail_percent": "3"}])
@pytest.mark.parametrize(
    ("side", "best", "turned"),
    [(Side.SELL, ("123.45", "124"), ("121", "122")), (Side.BUY, ("76", "77.77"), ("78", "79"))],
)
async def test_after_a_restart_a_trailing_stop_stands_where_it_was_said_to_stand(
    side: Side, best: tuple[str, str], turned: tuple[str, str], distance: dict[str, str]
) -> None:
    desk = await desk_with_quote()
    order = desk.place(**SELL | {"side": side} | distance)
    desk.show(COIN, *best)
    desk.pass_time(1)
    believed = booked(order, desk.reports)
    again = desk.restarted()
    again.quotes.show(COIN, *turned)
    await again.open([believed])
    again.pass_time(5)
    assert again.reports == []
    level = believed.active_stop_price
    assert level is not None
    again.show(COIN, str(level), str(level))
    assert again.told(order) == [X.TRIGGERED, X.TRADE]
    assert again.of(order)[0].price == level


async def test_after_a_restart_a_stop_moves_on_and_only_that_is_told() -> None:
    before = Desk()
    order = before.order(**SELL, trail_percent="3")
    believed = replace(booked(order, []), active_stop_price=Decimal("75.43"), trail_version=4)
    believed = believed.changed(TUESDAY_NOON, 2, **believed.effect_of(news(order, X.NEW)) or {})
    desk = await before.restarted().open([believed])
    for bid in ("77.76", "77.77", "80"):
        desk.show(COIN, bid, "90")
        desk.pass_time(1)
    assert [(str(r.price), r.request_version) for r in desk.reports] == [("77.6", 4)]


async def test_a_distance_that_a_stop_has_moved_by_is_in_force_after_a_restart_though_the_answer_is_due() -> None:
    before = Desk()
    order = before.order(**SELL, trail_offset="2")
    asked = replace(order.terms, trail_offset=Decimal(10))
    believed = replace(order, replace_terms=asked, replace_version=3)
    for report in (news(order, X.NEW), news(order, X.STOP_MOVED, price=Decimal(95), request_version=3)):
        believed = believed.changed(TUESDAY_NOON, 2, **believed.effect_of(report) or {})
    desk = before.restarted()
    desk.quotes.show(COIN, "100", "101")
    await desk.open([believed])
    desk.pass_time(2)
    assert desk.told(order) == [X.REPLACED]
    desk.show(COIN, "95", "96")
    assert desk.told(order) == [X.REPLACED, X.TRIGGERED, X.TRADE]


def news(order: Order, type: ExecType, **details: Any) -> ExecutionReport:
    return ExecutionReport(order.account_id, order.order_id, type, TUESDAY_NOON, **details)
