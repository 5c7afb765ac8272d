"""Sessions: what waits for them, takes part in their opening and close, and expires with them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import TimeInForce
from tests.adapters.brokers.paper_desk import (
    CLOSE,
    COIN,
    OPENING,
    PLAIN,
    STOCK,
    TUESDAY_NOON,
    desk_with_quote,
)

X = ExecType
SELDOM = replace(PLAIN, match_interval_seconds=10)  # a look each 0.1 s makes for long days
GTC, GTD, OPG, CLS = TimeInForce.GTC, TimeInForce.GTD, TimeInForce.OPG, TimeInForce.CLS
BEFORE_OPENING = OPENING - timedelta(hours=1)
NEXT_OPENING, NEXT_CLOSE = OPENING + timedelta(days=1), CLOSE + timedelta(days=1)


# -- sessions --------------------------------------------------------------------------------------


async def test_an_order_that_comes_while_the_market_is_closed_rests_until_it_opens() -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
    order = desk.place(symbol=STOCK)
    desk.show(STOCK, "99", "101")
    assert desk.told(order) == [X.NEW]
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "102")
    assert desk.fills(order) == [("1", "102")]


async def test_a_limit_order_that_crosses_at_the_opening_takes_at_the_opening_price() -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
    order = desk.limit("150", symbol=STOCK)
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "102")
    assert desk.fills(order) == [("1", "102")]


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
async def test_while_the_market_is_closed_an_immediate_order_is_canceled(tif: TimeInForce) -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
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
async def test_a_day_order_expires_at_the_close_of_its_session(start: datetime, close: datetime) -> None:
    desk = await desk_with_quote(SELDOM, start)
    order = desk.limit("50", symbol=STOCK)
    desk.go_to(close - timedelta(milliseconds=1))
    assert desk.told(order) == [X.NEW]
    desk.go_to(close)
    assert desk.told(order) == [X.NEW, X.EXPIRED]
    assert desk.of(order)[-1].time == close


async def test_a_day_order_for_a_market_that_never_closes_ends_with_its_day() -> None:
    desk = await desk_with_quote(SELDOM)
    order = desk.limit("50")
    desk.go_to(TUESDAY_NOON.replace(hour=23, minute=59))
    assert desk.told(order) == [X.NEW]
    desk.pass_time(60)
    assert desk.told(order) == [X.NEW, X.EXPIRED]


async def test_a_day_order_that_reaches_the_venue_after_the_close_of_its_session_expires() -> None:
    desk = await desk_with_quote(start=CLOSE - timedelta(milliseconds=1))
    assert desk.told(desk.place(symbol=STOCK)) == [X.NEW, X.EXPIRED]


async def test_a_gtd_order_expires_at_its_time() -> None:
    desk = await desk_with_quote()
    moment = TUESDAY_NOON + timedelta(seconds=90.5)
    order = desk.limit("50", time_in_force=GTD, expire_time=moment)
    desk.go_to(moment - timedelta(microseconds=1))
    assert desk.told(order) == [X.NEW]
    desk.go_to(moment)
    assert desk.told(order) == [X.NEW, X.EXPIRED]


async def test_a_gtd_order_expires_at_its_new_time() -> None:
    desk = await desk_with_quote()
    order = desk.limit("50", time_in_force=GTD, expire_time=TUESDAY_NOON + timedelta(minutes=1))
    desk.replace(order, expire_time=TUESDAY_NOON + timedelta(minutes=2))
    desk.pass_time(90)
    assert desk.told(order) == [X.NEW, X.REPLACED]
    desk.pass_time(30)
    assert desk.told(order) == [X.NEW, X.REPLACED, X.EXPIRED]


async def test_a_gtc_order_stays_from_session_to_session() -> None:
    desk = await desk_with_quote(SELDOM)
    order = desk.limit("98", symbol=STOCK, time_in_force=GTC)
    desk.go_to(NEXT_OPENING)
    assert desk.told(order) == [X.NEW]
    desk.show(STOCK, "96", "97")
    desk.pass_time(SELDOM.match_interval_seconds)
    assert desk.fills(order) == [("1", "98")]


# -- the opening -----------------------------------------------------------------------------------


async def test_opening_orders_meet_the_first_quote_of_the_next_session_and_no_other() -> None:
    desk = await desk_with_quote()
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


async def test_an_opening_order_that_comes_before_the_opening_takes_part_in_it() -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
    order = desk.place(symbol=STOCK, time_in_force=OPG)
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "102")
    assert desk.fills(order) == [("1", "102")]


async def test_opening_orders_of_all_kinds_compete_by_price_first() -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
    low = desk.limit("102", symbol=STOCK, time_in_force=OPG)
    high = desk.limit("103", symbol=STOCK, time_in_force=OPG)
    market = desk.place(symbol=STOCK, time_in_force=OPG)
    desk.go_to(OPENING - timedelta(milliseconds=1))
    desk.clock.call_later(0.001, lambda: desk.quotes.show(STOCK, "100", "101", "5", "2"))
    desk.pass_time(1)
    assert [desk.fills(order) for order in (market, high, low)] == [[("1", "101")], [("1", "101")], []]


async def test_an_order_canceled_between_the_opening_and_its_first_quote_takes_no_part() -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
    order = desk.place(symbol=STOCK, time_in_force=OPG)
    desk.limit("50", symbol=STOCK)
    desk.go_to(OPENING + timedelta(seconds=1))
    desk.cancel(order)
    desk.show(STOCK, "100", "102")
    assert desk.told(order) == [X.NEW, X.CANCELED]


async def test_an_opening_without_any_quote_expires_its_orders_at_the_close() -> None:
    desk = await desk_with_quote(SELDOM, BEFORE_OPENING)
    order = desk.place(symbol=STOCK, time_in_force=OPG)
    desk.go_to(CLOSE)
    assert desk.told(order) == [X.NEW, X.EXPIRED]


async def test_an_opening_order_reaching_a_market_that_never_closes_trades_as_the_next_day_begins() -> None:
    desk = await desk_with_quote()
    order = desk.place(time_in_force=OPG)
    desk.go_to(TUESDAY_NOON.replace(hour=23, minute=59, second=59))
    desk.show(COIN, "99", "101")
    assert desk.told(order) == [X.NEW]
    desk.pass_time(1)
    desk.show(COIN, "100", "102")
    assert desk.fills(order) == [("1", "102")]


# -- the close -------------------------------------------------------------------------------------


async def test_closing_orders_meet_the_last_quote_of_the_session() -> None:
    desk = await desk_with_quote()
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


async def test_at_the_close_a_better_resting_order_goes_before_a_closing_one() -> None:
    desk = await desk_with_quote(SELDOM)
    resting = desk.limit("100", symbol=STOCK)
    closing = desk.limit("99.5", symbol=STOCK, time_in_force=CLS)
    desk.go_to(CLOSE - timedelta(milliseconds=1))
    desk.quotes.show(STOCK, "98", "99", "5", "1")
    desk.go_to(CLOSE)
    assert desk.fills(resting) == [("1", "100")]
    assert desk.told(closing) == [X.NEW, X.EXPIRED]


async def test_without_a_fresh_quote_closing_orders_expire() -> None:
    desk = await desk_with_quote(start=CLOSE - timedelta(seconds=PLAIN.max_quote_age_seconds + 1))
    order = desk.place(symbol=STOCK, time_in_force=CLS)
    desk.go_to(CLOSE)
    assert desk.told(order) == [X.NEW, X.EXPIRED]
