"""The life of an order at the venue: duplicates, cancels, replaces, sessions and times in force."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import (
    ARRIVES,
    CLOSE,
    COIN,
    DECIMALS,
    OPENING,
    PLAIN,
    STOCK,
    TUESDAY_NOON,
    Desk,
)

X = ExecType
GTC, GTD, OPG, CLS = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.OPG, TimeInForce.CLS
BEFORE_OPENING = OPENING - timedelta(hours=1)
NEXT_OPENING, NEXT_CLOSE = OPENING + timedelta(days=1), CLOSE + timedelta(days=1)

OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
def desk_at() -> OpenDesk:
    async def opened(start: datetime = TUESDAY_NOON) -> Desk:
        desk = await Desk(start=start).open()
        desk.quotes.show(COIN, "99", "101", "5", "5")
        desk.quotes.show(STOCK, "99", "101", "5", "5")
        return desk

    return opened


def change(desk: Desk, order: Order, version: int = 2, **terms: Any) -> Order:
    """Replace `order` and wait until that has arrived; gives the order with the terms asked for."""
    for name in DECIMALS & terms.keys():
        terms[name] = Decimal(terms[name])
    asked = replace(order.terms, **terms)
    desk.broker.replace(order, asked, version)
    desk.pass_time(ARRIVES)
    return replace(order, terms=asked)


def cancel(desk: Desk, order: Order) -> None:
    desk.broker.cancel(order)
    desk.pass_time(ARRIVES)


# -- identity ---------------------------------------------------------------------------------------


async def test_the_same_order_handed_over_twice_is_placed_once(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place()
    desk.broker.submit(order)
    desk.pass_time(1)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_another_order_with_a_client_id_that_is_taken_is_rejected_even_when_the_first_is_done(
    desk_at: OpenDesk,
) -> None:
    desk = await desk_at()
    first = desk.place("c-1")
    second = desk.place("c-1")
    elsewhere = desk.place("c-1", account="other")
    assert desk.told(first) == desk.told(elsewhere) == [X.NEW, X.TRADE]
    assert desk.told(second) == [X.REJECTED]
    assert desk.reason(second) == "the client order id is taken"
    assert await desk.broker.find(second) == tuple(desk.of(second))


async def test_a_symbol_that_nobody_knows_is_rejected(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place(symbol="NONE")
    assert desk.told(order) == [X.REJECTED]
    assert desk.reason(order) == "unknown symbol NONE"


async def test_all_reports_of_an_order_carry_its_number_at_the_venue(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place()
    numbers = {report.broker_order_id for report in desk.of(order)}
    assert len(numbers) == 1
    assert numbers != {""}


# -- cancel -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "terms",
    [
        {"type": OrderType.LIMIT, "limit_price": "100"},
        {"type": OrderType.STOP, "stop_price": "120"},
        {"type": OrderType.TRAILING_STOP, "trail_offset": "10"},
        {"type": OrderType.TRAILING_STOP, "trail_percent": "10"},
        {"quantity": "50"},
    ],
)
async def test_a_canceled_order_never_trades_again(desk_at: OpenDesk, terms: dict[str, Any]) -> None:
    desk = await desk_at()
    order = desk.place(**terms)
    cancel(desk, order)
    before = desk.told(order)
    assert before[-1] is X.CANCELED
    for ask in ("50", "150", "90"):
        desk.show(COIN, "40", ask)
    assert desk.told(order) == before


async def test_an_order_that_waits_for_its_auction_can_be_canceled(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    opening, close = (desk.place(symbol=STOCK, time_in_force=tif) for tif in (OPG, CLS))
    cancel(desk, opening)
    cancel(desk, close)
    desk.go_to(NEXT_CLOSE)
    assert desk.told(opening) == desk.told(close) == [X.NEW, X.CANCELED]


async def test_a_cancel_that_comes_too_late_is_refused(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place()
    cancel(desk, order)
    assert desk.told(order) == [X.NEW, X.TRADE, X.CANCEL_REJECTED]
    assert "too late" in desk.reason(order)


async def test_a_request_about_an_order_that_never_came_is_refused(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.order(type=OrderType.LIMIT, limit_price="100")
    cancel(desk, order)
    change(desk, order, limit_price="99", version=7)
    assert desk.told(order) == [X.CANCEL_REJECTED, X.REPLACE_REJECTED]
    assert desk.of(order)[-1].request_version == 7
    assert await desk.broker.find(order) is None


# -- replace ----------------------------------------------------------------------------------------


async def test_a_new_price_is_confirmed_first_and_may_then_trade_at_once(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.limit("100")
    change(desk, order, limit_price="102", version=5)
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRADE]
    assert desk.of(order)[1].request_version == 5
    assert desk.fills(order) == [("1", "101")]


@pytest.mark.parametrize(
    ("terms", "keeps_priority"),
    [
        ({"quantity": "1"}, True),
        ({"quantity": "3"}, False),
        ({"limit_price": "100"}, True),
    ],
)
async def test_only_more_quantity_or_another_price_costs_the_place_in_the_line(
    desk_at: OpenDesk, terms: dict[str, Any], keeps_priority: bool
) -> None:
    desk = await desk_at()
    first, second = desk.limit("100", quantity="2"), desk.limit("100", quantity="2")
    change(desk, first, **terms)
    desk.show(COIN, "90", "99", "5", "1")
    assert bool(desk.fills(first)) is keeps_priority
    assert bool(desk.fills(second)) is not keeps_priority


async def test_a_price_that_goes_away_and_comes_back_has_lost_its_place(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    first, second = desk.limit("100"), desk.limit("100")
    change(desk, change(desk, first, limit_price="99", version=2), limit_price="100", version=3)
    desk.show(COIN, "90", "99.5", "5", "1")
    assert (desk.fills(first), desk.fills(second)) == ([], [("1", "100")])


async def test_a_quantity_not_above_what_is_filled_ends_the_order(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.limit("101", quantity="8")
    change(desk, order, quantity="4")
    assert desk.told(order) == [X.NEW, X.TRADE, X.REPLACED]
    desk.show(COIN, "99", "101")
    cancel(desk, order)
    assert desk.told(order)[3:] == [X.CANCEL_REJECTED]


async def test_what_remains_of_a_smaller_quantity_is_all_that_fills(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.limit("101", quantity="8")
    change(desk, order, quantity="6")
    desk.show(COIN, "99", "101")
    assert desk.fills(order) == [("5", "101"), ("1", "101")]


async def test_a_trailing_stop_that_only_changes_its_quantity_keeps_its_stop(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="2")
    desk.show(COIN, "110", "111")
    desk.show(COIN, "109", "111")
    change(desk, order, quantity="3")
    desk.show(COIN, "108", "111")
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRIGGERED, X.TRADE]
    assert desk.fills(order) == [("3", "108")]


async def test_a_stop_moves_with_its_new_price(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place(type=OrderType.STOP, stop_price="103")
    change(desk, order, stop_price="105")
    desk.show(COIN, "103", "104")
    assert desk.told(order) == [X.NEW, X.REPLACED]
    desk.show(COIN, "103", "105")
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRIGGERED, X.TRADE]


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"symbol": STOCK}, "a replace keeps"),
        ({"side": Side.SELL}, "a replace keeps"),
        ({"limit_price": "101"}, "post_only"),
    ],
)
async def test_a_replace_that_is_refused_changes_nothing(desk_at: OpenDesk, terms: dict[str, Any], why: str) -> None:
    desk = await desk_at()
    order = desk.limit("100", post_only=True)
    change(desk, order, **terms)
    assert desk.told(order) == [X.NEW, X.REPLACE_REJECTED]
    assert why in desk.reason(order)
    desk.show(COIN, "90", "99")
    assert desk.fills(order) == [("1", "100")]


async def test_a_replace_that_comes_too_late_is_refused(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.place(quantity="2")
    change(desk, order, quantity="3", version=9)
    assert desk.told(order) == [X.NEW, X.TRADE, X.REPLACE_REJECTED]
    assert (desk.of(order)[-1].request_version, desk.reason(order)) == (9, "too late: the order is done")


async def test_an_order_that_waits_for_its_auction_takes_part_with_its_new_terms(desk_at: OpenDesk) -> None:
    desk = await desk_at(BEFORE_OPENING)
    order = desk.limit("90", symbol=STOCK, time_in_force=OPG)
    change(desk, order, limit_price="102", quantity="2")
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "101")
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRADE]
    assert desk.fills(order) == [("2", "101")]


# -- sessions ---------------------------------------------------------------------------------------


async def test_an_order_that_comes_while_the_market_is_closed_rests_until_it_opens(desk_at: OpenDesk) -> None:
    desk = await desk_at(BEFORE_OPENING)
    order = desk.place(symbol=STOCK)
    desk.show(STOCK, "99", "101")
    assert desk.told(order) == [X.NEW]
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "102")
    assert desk.fills(order) == [("1", "102")]


async def test_a_limit_order_that_crosses_at_the_opening_takes_at_the_opening_price(
    desk_at: OpenDesk,
) -> None:
    desk = await desk_at(BEFORE_OPENING)
    order = desk.limit("150", symbol=STOCK)
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "102")
    assert desk.fills(order) == [("1", "102")]


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
async def test_while_the_market_is_closed_an_immediate_order_is_canceled(desk_at: OpenDesk, tif: TimeInForce) -> None:
    desk = await desk_at(BEFORE_OPENING)
    assert desk.told(desk.place(symbol=STOCK, time_in_force=tif)) == [X.NEW, X.CANCELED]


@pytest.mark.parametrize(
    ("start", "close"),
    [
        (TUESDAY_NOON, CLOSE),
        (BEFORE_OPENING, CLOSE),
        (CLOSE, NEXT_CLOSE),
        (datetime.fromisoformat("2026-01-17T12:00:00Z"), datetime.fromisoformat("2026-01-20T21:00:00Z")),
    ],
)
async def test_a_day_order_expires_at_the_close_of_its_session(
    desk_at: OpenDesk, start: datetime, close: datetime
) -> None:
    desk = await desk_at(start)
    order = desk.limit("50", symbol=STOCK)
    desk.go_to(close - timedelta(milliseconds=1))
    assert desk.told(order) == [X.NEW]
    desk.go_to(close)
    assert desk.told(order) == [X.NEW, X.EXPIRED]
    assert desk.of(order)[-1].time == close


async def test_a_day_order_for_a_market_that_never_closes_ends_with_its_day(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.limit("50")
    desk.go_to(TUESDAY_NOON.replace(hour=23, minute=59))
    assert desk.told(order) == [X.NEW]
    desk.pass_time(60)
    assert desk.told(order) == [X.NEW, X.EXPIRED]


async def test_a_day_order_that_reaches_the_venue_after_the_close_of_its_session_expires(
    desk_at: OpenDesk,
) -> None:
    desk = await desk_at(CLOSE - timedelta(milliseconds=1))
    assert desk.told(desk.place(symbol=STOCK)) == [X.NEW, X.EXPIRED]


async def test_a_gtd_order_expires_at_its_time(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    moment = TUESDAY_NOON + timedelta(seconds=90.5)
    order = desk.limit("50", time_in_force=GTD, expire_time=moment)
    desk.go_to(moment - timedelta(microseconds=1))
    assert desk.told(order) == [X.NEW]
    desk.go_to(moment)
    assert desk.told(order) == [X.NEW, X.EXPIRED]


async def test_a_gtd_order_expires_at_its_new_time(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.limit("50", time_in_force=GTD, expire_time=TUESDAY_NOON + timedelta(minutes=1))
    change(desk, order, expire_time=TUESDAY_NOON + timedelta(minutes=2))
    desk.pass_time(90)
    assert desk.told(order) == [X.NEW, X.REPLACED]
    desk.pass_time(30)
    assert desk.told(order) == [X.NEW, X.REPLACED, X.EXPIRED]


async def test_a_gtc_order_stays_from_session_to_session(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    order = desk.limit("98", symbol=STOCK, time_in_force=GTC)
    desk.go_to(NEXT_OPENING)
    assert desk.told(order) == [X.NEW]
    desk.show(STOCK, "96", "97")
    assert desk.fills(order) == [("1", "98")]


# -- the opening ------------------------------------------------------------------------------------


async def test_opening_orders_meet_the_first_quote_of_the_next_session_and_no_other(
    desk_at: OpenDesk,
) -> None:
    desk = await desk_at()
    market = desk.place(symbol=STOCK, time_in_force=OPG, quantity="3")
    limit = desk.limit("102", symbol=STOCK, time_in_force=OPG, quantity="3")
    away = desk.limit("90", symbol=STOCK, time_in_force=OPG)
    desk.show(STOCK, "99", "101")
    desk.go_to(NEXT_OPENING - timedelta(seconds=1))
    desk.show(STOCK, "80", "81")
    desk.go_to(NEXT_OPENING + timedelta(seconds=1))
    assert desk.told(market) == desk.told(limit) == desk.told(away) == [X.NEW]
    desk.show(STOCK, "100", "102", "5", "4")
    assert desk.fills(market) == [("3", "102")]
    assert desk.fills(limit) == [("1", "102")]
    assert desk.told(limit) == [X.NEW, X.TRADE, X.EXPIRED]
    assert desk.told(away) == [X.NEW, X.EXPIRED]


async def test_an_opening_order_that_comes_before_the_opening_takes_part_in_it(desk_at: OpenDesk) -> None:
    desk = await desk_at(BEFORE_OPENING)
    order = desk.place(symbol=STOCK, time_in_force=OPG)
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "102")
    assert desk.fills(order) == [("1", "102")]


async def test_an_opening_without_any_quote_expires_its_orders_at_the_close(desk_at: OpenDesk) -> None:
    desk = await desk_at(BEFORE_OPENING)
    order = desk.place(symbol=STOCK, time_in_force=OPG)
    desk.go_to(CLOSE)
    assert desk.told(order) == [X.NEW, X.EXPIRED]


async def test_an_opening_order_reaching_a_market_that_never_closes_trades_as_the_next_day_begins(
    desk_at: OpenDesk,
) -> None:
    desk = await desk_at()
    order = desk.place(time_in_force=OPG)
    desk.go_to(TUESDAY_NOON.replace(hour=23, minute=59, second=59))
    desk.show(COIN, "99", "101")
    assert desk.told(order) == [X.NEW]
    desk.pass_time(1)
    desk.show(COIN, "100", "102")
    assert desk.fills(order) == [("1", "102")]


# -- the close --------------------------------------------------------------------------------------


async def test_closing_orders_meet_the_last_quote_of_the_session(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    market = desk.place(symbol=STOCK, time_in_force=CLS, quantity="3")
    away = desk.limit("90", symbol=STOCK, time_in_force=CLS)
    desk.show(STOCK, "99", "101")
    desk.go_to(CLOSE - timedelta(seconds=1))
    desk.show(STOCK, "103", "104", "5", "2")
    assert desk.told(market) == desk.told(away) == [X.NEW]
    desk.go_to(CLOSE)
    assert desk.fills(market) == [("2", "104")]
    assert desk.told(market) == [X.NEW, X.TRADE, X.EXPIRED]
    assert desk.told(away) == [X.NEW, X.EXPIRED]


async def test_at_the_close_a_better_resting_order_goes_before_a_closing_one(desk_at: OpenDesk) -> None:
    desk = await desk_at()
    resting = desk.limit("100", symbol=STOCK)
    closing = desk.limit("99.5", symbol=STOCK, time_in_force=CLS)
    desk.go_to(CLOSE - timedelta(milliseconds=1))
    desk.quotes.show(STOCK, "98", "99", "5", "1")
    desk.go_to(CLOSE)
    assert desk.fills(resting) == [("1", "100")]
    assert desk.told(closing) == [X.NEW, X.EXPIRED]


async def test_without_a_fresh_quote_closing_orders_expire(desk_at: OpenDesk) -> None:
    desk = await desk_at(CLOSE - timedelta(seconds=PLAIN.max_quote_age_seconds + 1))
    order = desk.place(symbol=STOCK, time_in_force=CLS)
    desk.go_to(CLOSE)
    assert desk.told(order) == [X.NEW, X.EXPIRED]
