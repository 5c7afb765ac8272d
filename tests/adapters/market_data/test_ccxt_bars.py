"""Bars of the ccxt provider, by request: pages, sizes, holes, and candles that make no sense."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from application.ports.market_data import BarRequest
from domain.errors import Unavailable
from domain.market_data.bar import BarInterval, PriceAdjustment
from tests.support.ccxt_rig import DAY, HOUR, MINUTE, NOW, ccxt_rig, expected, minute, request, values
from tests.support.vendors.binance import KLINES, MOST_KLINES
from tests.support.vendors.binance_data import candle, milliseconds

START = NOW.replace(second=0) - 10 * MINUTE


async def test_bars_are_what_the_exchange_has_and_the_running_one_is_partial() -> None:
    async with ccxt_rig() as rig:
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START))
    opens = [START + number * MINUTE for number in range(11)]
    assert [values(bar) for bar in found.bars] == [expected(at, minute(at)) for at in opens]
    assert [bar.partial for bar in found.bars] == [False] * 10 + [True]
    assert {bar.close_time - bar.open_time for bar in found.bars} == {MINUTE}
    assert {(bar.vwap, bar.trade_count, bar.adjustment) for bar in found.bars} == {(None, None, PriceAdjustment.RAW)}
    assert found.invalid == []


async def test_the_oldest_are_given_when_there_are_more_than_the_limit() -> None:
    async with ccxt_rig() as rig:
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START, limit=3))
    assert [bar.open_time for bar in found.bars] == [START + number * MINUTE for number in range(3)]


async def test_bars_open_within_the_range() -> None:
    async with ccxt_rig() as rig:
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START + timedelta(seconds=1), START + 3 * MINUTE))
    assert [bar.open_time for bar in found.bars] == [START + MINUTE, START + 2 * MINUTE]


async def test_pages_follow_each_other_without_a_hole_or_a_repetition() -> None:
    start = NOW.replace(second=0) - 2500 * MINUTE
    async with ccxt_rig() as rig:
        found = await rig.market.bars(request(BarInterval.MINUTE_1, start))
        assert rig.binance.requests[KLINES] == 3
    assert [bar.open_time for bar in found.bars] == [start + number * MINUTE for number in range(2501)]


async def test_a_short_page_is_not_the_end() -> None:
    start = NOW.replace(second=0) - 1500 * MINUTE
    async with ccxt_rig() as rig:
        rig.binance.change(KLINES, lambda rows: rows[:400])
        rig.binance.change(KLINES, lambda rows: rows[:1])
        found = await rig.market.bars(request(BarInterval.MINUTE_1, start))
    assert [bar.open_time for bar in found.bars] == [start + number * MINUTE for number in range(1501)]


async def test_a_market_that_began_later_begins_there() -> None:
    async with ccxt_rig() as rig:
        wanted = BarRequest("NEW/USDT", BarInterval.DAY_1, datetime(1970, 1, 1, tzinfo=UTC), NOW, 10_000)
        found = await rig.market.bars(wanted)
    assert found.bars[0].open_time == datetime(2026, 11, 1, tzinfo=UTC)
    assert len(found.bars) == 22


async def test_an_exchange_that_looks_at_one_page_of_time_only_is_followed_to_the_first_bar() -> None:
    """Coinbase and others answer nothing when nothing was traded in the span of the page."""
    began = datetime(2026, 11, 1, tzinfo=UTC)
    async with ccxt_rig() as rig:
        rig.binance.pages_are_spans = True
        wanted = BarRequest("NEW/USDT", BarInterval.MINUTE_1, datetime(2020, 1, 1, tzinfo=UTC), NOW, 5)
        found = await rig.market.bars(wanted)
        assert rig.binance.requests[KLINES] < 30
    assert [bar.open_time for bar in found.bars] == [began + number * MINUTE for number in range(5)]


async def test_there_are_no_bars_of_the_future_nor_of_an_unknown_symbol() -> None:
    async with ccxt_rig() as rig:
        assert (await rig.market.bars(request(BarInterval.MINUTE_1, NOW + DAY, NOW + 2 * DAY))).bars == []
        unknown = BarRequest("DOGE/USDT", BarInterval.MINUTE_1, START, NOW, 10)
        assert not (await rig.market.bars(unknown)).bars


async def test_quiet_candles_are_no_bars_and_missing_ones_are_not_invented() -> None:
    async with ccxt_rig() as rig:
        rig.binance.quiet = {milliseconds(START + 2 * MINUTE)}
        rig.binance.missing = {milliseconds(START + 4 * MINUTE), milliseconds(START + 5 * MINUTE)}
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START, START + 8 * MINUTE))
    assert [(bar.open_time - START) // MINUTE for bar in found.bars] == [0, 1, 3, 6, 7]


@pytest.mark.parametrize(
    ("interval", "of", "many"),
    [(BarInterval.WEEK_1, "1d", 7), (BarInterval.HOUR_4, "4h", 1), (BarInterval.SECOND_1, "1s", 1)],
)
async def test_bars_of_every_length(interval: BarInterval, of: str, many: int) -> None:
    monday = datetime(2026, 11, 9, tzinfo=UTC)
    end = monday + timedelta(seconds=1)
    async with ccxt_rig() as rig:
        found = await rig.market.bars(request(interval, monday, end, limit=1))
        assert {query["interval"] for path, query in rig.binance.asked if path == KLINES} == {of}
        step = {"1d": DAY, "4h": 4 * HOUR, "1s": timedelta(seconds=1)}[of]
        rows = [candle("BTCUSDT", of, milliseconds(monday + number * step)) for number in range(many)]
    (bar,) = found.bars
    assert (bar.open_time, bar.close_time) == (monday, monday + many * step)
    assert (bar.open, bar.close) == (Decimal(rows[0].open), Decimal(rows[-1].close))
    assert (bar.high, bar.low) == (max(Decimal(row.high) for row in rows), min(Decimal(row.low) for row in rows))
    assert bar.volume == sum(Decimal(row.volume) for row in rows)
    assert not bar.partial


async def test_months_are_calendar_months() -> None:
    async with ccxt_rig() as rig:
        found = await rig.market.bars(request(BarInterval.MONTH_1, datetime(2026, 1, 15, tzinfo=UTC)))
    assert [bar.open_time for bar in found.bars] == [datetime(2026, month, 1, tzinfo=UTC) for month in range(2, 12)]
    assert found.bars[0].close_time == datetime(2026, 3, 1, tzinfo=UTC)
    assert found.bars[-1].partial


async def test_days_of_another_time_zone_are_made_of_hours() -> None:
    """Those of some exchanges begin at midnight in Singapore."""

    def moved(rows: list[list[Any]]) -> list[list[Any]]:
        return [[row[0] - 8 * 3_600_000, *row[1:]] for row in rows]

    day = datetime(2026, 11, 20, tzinfo=UTC)
    async with ccxt_rig() as rig:
        rig.binance.change(KLINES, moved)
        found = await rig.market.bars(request(BarInterval.DAY_1, day, day + DAY))
    assert [(bar.open_time, bar.close_time) for bar in found.bars] == [(day, day + DAY)]
    assert found.bars[0].open == Decimal(candle("BTCUSDT", "4h", milliseconds(day)).open)


# -- bad days ----------------------------------------------------------------------------------------------


async def test_repeated_and_mixed_up_candles_make_each_bar_once_and_in_order() -> None:
    async with ccxt_rig() as rig:
        rig.binance.change(KLINES, lambda rows: [*rows[5:], *rows[:7], rows[3]])
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START))
    assert [bar.open_time for bar in found.bars] == [START + number * MINUTE for number in range(11)]


_BROKEN = (("NaN", 1), (None, 2), ("-5", 3), ([1], 4), ("0", 1), ("999999", 3), (None, 5), ("Infinity", 5), ("x", 2))


def _with(value: object, place: int, rows: list[list[Any]]) -> list[list[Any]]:
    rows[4][place] = value
    return rows


async def test_a_candle_with_a_value_that_is_none_is_no_bar_and_its_span_is_invalid() -> None:
    async with ccxt_rig() as rig:
        for value, place in _BROKEN:
            rig.binance.change(KLINES, partial(_with, value, place))
            found = await rig.market.bars(request(BarInterval.MINUTE_1, START, START + 8 * MINUTE))
            assert [(bar.open_time - START) // MINUTE for bar in found.bars] == [0, 1, 2, 3, 5, 6, 7]
            assert found.invalid == [(START + 4 * MINUTE, START + 5 * MINUTE)]


async def test_broken_candles_do_not_count_towards_the_limit() -> None:
    async with ccxt_rig() as rig:
        rig.binance.change(KLINES, lambda rows: [[rows[0][0], "NaN", *rows[0][2:]], *rows[1:3]])
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START, limit=5))
    assert [(bar.open_time - START) // MINUTE for bar in found.bars] == [1, 2, 3, 4, 5]
    assert found.invalid == [(START, START + MINUTE)]


async def test_a_candle_without_a_time_makes_the_answer_nonsense() -> None:
    async with ccxt_rig() as rig:
        for time in (None, "x", [1]):
            rig.binance.change(KLINES, partial(_with, time, 0))
            with pytest.raises(Unavailable):
                await rig.market.bars(request(BarInterval.MINUTE_1, START))


async def test_candles_off_their_grid_are_nonsense() -> None:
    async with ccxt_rig() as rig:
        rig.binance.change(KLINES, lambda rows: [[row[0] + 17_000, *row[1:]] for row in rows])
        with pytest.raises(Unavailable):
            await rig.market.bars(request(BarInterval.MINUTE_1, START))


async def test_a_page_that_fails_leaves_no_half_answer() -> None:
    async with ccxt_rig() as rig:
        rig.binance.change(KLINES, lambda rows: rows)

        def then_fail(rows: list[list[Any]]) -> list[list[Any]]:
            rig.binance.answer(KLINES, 502, "<html>")
            return rows

        rig.binance.change(KLINES, then_fail)
        with pytest.raises(Unavailable):
            await rig.market.bars(request(BarInterval.MINUTE_1, NOW - 3 * MOST_KLINES * MINUTE))


@pytest.mark.parametrize("ahead", [40, -40], ids=["the exchange is ahead", "the exchange is behind"])
async def test_only_the_running_candle_is_partial_whatever_the_clocks_say(ahead: int) -> None:
    async with ccxt_rig() as rig:
        rig.skew = timedelta(seconds=ahead)
        found = await rig.market.bars(request(BarInterval.MINUTE_1, START, NOW + HOUR))
    running = (NOW + rig.skew).replace(second=0)
    assert found.bars[-1].open_time == running
    assert [bar.open_time for bar in found.bars if bar.partial] == [running]
