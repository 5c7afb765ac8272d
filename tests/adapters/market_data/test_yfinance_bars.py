"""Bars are what was traded, in the one shape that all providers give."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.market_data.conventions import US_EQUITY_HOURS
from domain.market_data.bar import BarInterval, PriceAdjustment
from tests.support.vendors.yahoo_bars import between, traded, values
from tests.support.vendors.yahoo_market import (
    INPLACE,
    NOW,
    apple,
    bitcoin,
    euro,
    fund,
    sap,
    toyota,
    utc,
    vodafone,
    yahoo_market,
)

pytestmark = pytest.mark.filterwarnings(INPLACE)

LENGTHS = {
    BarInterval.MINUTE_1: timedelta(minutes=1),
    BarInterval.MINUTE_5: timedelta(minutes=5),
    BarInterval.MINUTE_15: timedelta(minutes=15),
    BarInterval.HOUR_1: timedelta(hours=1),
}
NAMES = {interval: interval.value for interval in (*LENGTHS, BarInterval.DAY_1)}


@pytest.mark.parametrize("interval", list(NAMES))
async def test_bars_are_as_they_were_traded(tmp_path: Path, interval: BarInterval) -> None:
    start = utc(2024, 6, 10)
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", interval, start)
        rows = between(market.yahoo.listings["AAPL"].candles[NAMES[interval]], start, NOW)
    rows = [row for row in rows if US_EQUITY_HOURS.session_at(row.at)]
    assert len(found.bars) == len(rows) > 4
    assert [bar.open_time for bar in found.bars] == [row.at for row in rows]
    assert [values(bar) for bar in found.bars] == [traded([row]) for row in rows]
    assert [bar.partial for bar in found.bars] == [False] * (len(rows) - 1) + [True]
    assert {bar.adjustment for bar in found.bars} == {PriceAdjustment.RAW}
    assert not found.invalid


@pytest.mark.parametrize(
    ("interval", "source", "first", "last"),
    [
        (BarInterval.MINUTE_30, "15m", utc(2024, 6, 13, 13, 30), utc(2024, 6, 13, 14)),
        (BarInterval.HOUR_2, "1h", utc(2024, 6, 13, 13, 30), utc(2024, 6, 13, 15, 30)),
        (BarInterval.HOUR_4, "1h", utc(2024, 6, 13, 13, 30), utc(2024, 6, 13, 17, 30)),
    ],
)
async def test_intervals_that_yahoo_has_not_are_built_of_its_own(
    tmp_path: Path, interval: BarInterval, source: str, first: datetime, last: datetime
) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", interval, utc(2024, 6, 13), utc(2024, 6, 14))
        rows = between(market.yahoo.listings["AAPL"].candles[source], first, last)
        assert {query["interval"] for query in market.yahoo.queries[2:]} <= {source, "1d"}
    assert (found.bars[0].open_time, found.bars[0].close_time) == (first, last)
    assert values(found.bars[0]) == traded(rows)
    assert found.bars[-1].close_time == utc(2024, 6, 13, 20)


@pytest.mark.parametrize(
    ("interval", "first", "last"),
    [
        (BarInterval.WEEK_1, date(2024, 5, 27), date(2024, 6, 3)),
        (BarInterval.MONTH_1, date(2024, 5, 1), date(2024, 6, 1)),
    ],
)
async def test_weeks_and_months_are_built_of_days(
    tmp_path: Path, interval: BarInterval, first: date, last: date
) -> None:
    async with yahoo_market(tmp_path) as market:
        listing = market.yahoo.listings["AAPL"]
        start, end = listing.at(first, time(0)), listing.at(last, time(0))
        found = await market.bars("AAPL", interval, start, end)
        rows = between(listing.candles["1d"], start, end)
    (bar,) = found.bars
    assert values(bar) == traded(rows)
    assert bar.open_time == rows[0].at
    assert not bar.partial


async def test_the_running_month_is_partial(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.MONTH_1, utc(2024, 5, 1))
    assert [bar.partial for bar in found.bars] == [False, True]
    assert found.bars[-1].close_time == utc(2024, 6, 28, 20)


async def test_a_limit_takes_the_oldest(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(1900, 1, 1), limit=3)
    assert [bar.open_time.date() for bar in found.bars] == [date(2022, 1, 3), date(2022, 1, 4), date(2022, 1, 5)]


async def test_the_end_is_not_included(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 6, 3, 13, 30), utc(2024, 6, 5, 13, 30))
        none = await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 6, 5, 13, 31), utc(2024, 6, 6, 13, 30))
    assert [bar.open_time.day for bar in found.bars] == [3, 4]
    assert not none.bars


async def test_minutes_of_weeks_are_asked_for_in_pieces(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.MINUTE_1, NOW - timedelta(days=19))
        rows = between(market.yahoo.listings["AAPL"].candles["1m"], NOW - timedelta(days=19), NOW)
        assert sum(query["interval"] == "1m" for query in market.yahoo.queries) == 3
    assert [bar.open_time for bar in found.bars] == [row.at for row in rows]


@pytest.mark.parametrize(
    ("interval", "days"), [(BarInterval.MINUTE_1, 29), (BarInterval.MINUTE_30, 59), (BarInterval.HOUR_4, 729)]
)
async def test_beyond_its_history_yahoo_is_not_asked_and_nothing_is_invented(
    tmp_path: Path, interval: BarInterval, days: int
) -> None:
    async with yahoo_market(tmp_path) as market:
        await market.provider.instrument("AAPL")
        asked = market.yahoo.charts
        found = await market.bars("AAPL", interval, utc(2021, 1, 1), NOW - timedelta(days=days))
        assert market.yahoo.charts == asked
        assert not found.bars
        found = await market.bars("AAPL", interval, utc(2021, 1, 1), NOW)
    assert NOW - timedelta(days=days) <= found.bars[0].open_time < NOW - timedelta(days=days - 4)


async def test_an_unknown_symbol_has_no_bars(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        assert not (await market.bars("NOPE", BarInterval.DAY_1, utc(2024, 6, 1))).bars


async def test_an_instrument_that_began_in_the_middle_has_bars_from_there(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(apple(first_trade=utc(2024, 6, 12, 13, 30)))
        listing = market.yahoo.listings["AAPL"]
        listing.candles["1d"] = between(listing.candles["1d"], utc(2024, 6, 12), NOW)
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(2000, 1, 1))
    assert [bar.open_time.day for bar in found.bars] == [12, 13, 14]


# -- units, clocks and delays ----------------------------------------------------------------------------------------


async def test_pence_become_pounds(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        rows = market.yahoo.list(vodafone()).candles["1d"]
        found = await market.bars("VOD.L", BarInterval.DAY_1, utc(2024, 6, 10), utc(2024, 6, 11))
        (row,) = between(rows, utc(2024, 6, 10), utc(2024, 6, 11))
    assert found.bars[0].close == Decimal(row.close) / 100
    assert found.bars[0].open_time == utc(2024, 6, 10, 7)


async def test_money_is_not_given_as_a_quantity_of_coins(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        rows = market.yahoo.list(bitcoin()).candles["1d"]
        found = await market.bars("BTC/USD", BarInterval.DAY_1, utc(2024, 6, 8))
    assert [bar.open_time for bar in found.bars] == [utc(2024, 6, day) for day in range(8, 15)]
    assert {bar.volume for bar in found.bars} == {Decimal(0)}
    assert found.bars[-1].close == Decimal(rows[-1].close)


async def test_days_of_a_pair_are_londons_in_summer_and_in_winter(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(euro())
        found = await market.bars("EUR/USD", BarInterval.DAY_1, utc(2024, 3, 28), utc(2024, 4, 3))
    assert [bar.open_time for bar in found.bars] == [
        utc(2024, 3, 28),
        utc(2024, 3, 29),
        utc(2024, 3, 31, 23),
        utc(2024, 4, 1, 23),
        utc(2024, 4, 2, 23),
    ]


async def test_the_clock_of_new_york_changes_in_march(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 3, 8), utc(2024, 3, 12))
    assert [bar.open_time for bar in found.bars] == [utc(2024, 3, 8, 14, 30), utc(2024, 3, 11, 13, 30)]


async def test_extended_hours_are_counted_from_their_own_open(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.HOUR_1, utc(2024, 6, 13), utc(2024, 6, 14), extended_hours=True)
        rows = between(market.yahoo.listings["AAPL"].candles["15m"], utc(2024, 6, 13, 13), utc(2024, 6, 13, 14))
    assert (found.bars[0].open_time, found.bars[-1].close_time) == (utc(2024, 6, 13, 8), utc(2024, 6, 14))
    assert values(found.bars[5]) == traded(rows)


async def test_after_a_break_at_noon_hours_are_still_counted_from_the_open(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        rows = market.yahoo.list(toyota()).candles["15m"]
        found = await market.bars("7203.T", BarInterval.HOUR_1, utc(2024, 6, 12), utc(2024, 6, 13))
        asked = market.yahoo.charts
        await market.bars("7203.T", BarInterval.HOUR_1, utc(2024, 6, 13), utc(2024, 6, 14))
        assert market.yahoo.charts == asked + 2  # the bars and the splits: it is known now
    assert [bar.open_time.hour for bar in found.bars] == [0, 1, 2, 3, 4, 5]
    assert values(found.bars[3]) == traded(between(rows, utc(2024, 6, 12, 3), utc(2024, 6, 12, 4)))
    assert not found.invalid


async def test_bars_that_yahoo_has_late_are_partial_until_it_has_them(tmp_path: Path) -> None:
    at = utc(2024, 6, 14, 15)
    async with yahoo_market(tmp_path, at) as market:
        market.yahoo.list(sap(last_trade=at - timedelta(minutes=16)))
        found = await market.bars("SAP.DE", BarInterval.MINUTE_15, at - timedelta(hours=2))
    last = found.bars[-1]
    assert last.partial
    assert last.open_time <= at - timedelta(minutes=16) < last.close_time


@pytest.mark.parametrize(("seconds", "partial"), [(9, True), (10, False)])
async def test_a_bar_that_is_over_counts_as_running_until_it_has_settled(
    tmp_path: Path, seconds: int, partial: bool
) -> None:
    async with yahoo_market(tmp_path) as market:
        closed = utc(2024, 6, 14, 18, 5)
        market.clock.advance((closed - NOW).total_seconds() + seconds)
        found = await market.bars("AAPL", BarInterval.MINUTE_5, closed - timedelta(minutes=5), closed)
    assert [(bar.close_time, bar.partial) for bar in found.bars] == [(closed, partial)]


async def test_a_fund_has_no_bars_of_less_than_a_day_and_that_is_no_failure(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(fund())
        assert not (await market.bars("VFIAX", BarInterval.MINUTE_15, utc(2024, 6, 1))).bars
        assert (await market.bars("VFIAX", BarInterval.DAY_1, utc(2024, 6, 1))).bars
