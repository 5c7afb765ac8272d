import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from application.ports.market_data import BarRequest
from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from tests.support.vendors.alpaca_data import minute_row, minutes, stamp, status, together
from tests.support.vendors.alpaca_provider import Alpaca, alpaca

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TUESDAY, WEDNESDAY = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
PRE_MARKET = timedelta(hours=9)
OPEN, CLOSE = timedelta(hours=14, minutes=30), timedelta(hours=21)


@pytest.fixture
async def market() -> AsyncIterator[Alpaca]:
    """AAPL has a bar in each minute of two days' trading, around the session too; BTC/USD in each of two days."""
    async with alpaca() as market:
        day = 16 * 60
        market.server.minutes["AAPL"] = minutes(TUESDAY + PRE_MARKET, day) + minutes(WEDNESDAY + PRE_MARKET, day)
        market.server.minutes["BTC/USD"] = minutes(TUESDAY, 2 * 24 * 60)
        yield market


def request(
    interval: BarInterval, start: datetime, end: datetime, limit: int = 10_000, symbol: str = "AAPL", **more: Any
) -> BarRequest:
    return BarRequest(symbol, interval, start, end, limit, **more)


def of(market: Alpaca, symbol: str, opens: datetime, closes: datetime) -> dict[str, Any]:
    """What the table of minutes makes of one span."""
    rows = [row for row in market.server.minutes[symbol] if opens <= datetime.fromisoformat(row["t"]) < closes]
    return together(opens, rows)


def same(bar: Bar, row: dict[str, Any]) -> bool:
    prices = (bar.open, bar.high, bar.low, bar.close, bar.volume)
    return prices == tuple(Decimal(repr(row[name])) for name in "ohlcv") and bar.trade_count == row["n"]


async def test_minutes_of_the_session_are_the_vendors_own_to_the_digit(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY, TUESDAY + DAY))

    assert [bar.open_time for bar in found.bars] == [TUESDAY + OPEN + n * MINUTE for n in range(390)]
    assert all(same(bar, of(market, "AAPL", bar.open_time, bar.close_time)) for bar in found.bars)
    assert found.bars[0].vwap == Decimal(repr(market.server.minutes["AAPL"][330]["vw"]))
    assert not any(bar.partial for bar in found.bars)
    assert list(found.invalid) == []


async def test_hours_are_counted_from_the_open_of_the_session_although_the_vendors_are_not(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.HOUR_1, TUESDAY, TUESDAY + DAY))

    assert [bar.open_time - TUESDAY for bar in found.bars] == [OPEN + n * HOUR for n in range(7)]
    assert found.bars[-1].close_time == TUESDAY + CLOSE
    assert all(same(bar, of(market, "AAPL", bar.open_time, bar.close_time)) for bar in found.bars)
    assert market.server.requests[0][1]["timeframe"] == "30Min"


async def test_extended_hours_have_bars_from_four_to_eight_in_new_york(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.HOUR_1, TUESDAY, TUESDAY + 2 * DAY, extended_hours=True))
    first_day = [bar for bar in found.bars if bar.open_time < WEDNESDAY + PRE_MARKET]

    assert [bar.open_time for bar in first_day] == [TUESDAY + PRE_MARKET + n * HOUR for n in range(16)]
    assert all(same(bar, of(market, "AAPL", bar.open_time, bar.close_time)) for bar in first_day)


async def test_days_stamped_by_midnight_in_new_york_are_the_sessions_of_that_day(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.DAY_1, TUESDAY - DAY, WEDNESDAY + DAY))

    assert [(bar.open_time, bar.close_time) for bar in found.bars] == [
        (TUESDAY + OPEN, TUESDAY + CLOSE),
        (WEDNESDAY + OPEN, WEDNESDAY + CLOSE),
    ]
    assert same(found.bars[0], of(market, "AAPL", TUESDAY + PRE_MARKET, WEDNESDAY + PRE_MARKET))


async def test_weeks_and_months_are_made_of_days_and_are_partial_while_they_run(market: Alpaca) -> None:
    for interval in (BarInterval.WEEK_1, BarInterval.MONTH_1):
        found = await market.provider.bars(request(interval, TUESDAY - 7 * DAY, WEDNESDAY + DAY))

        (bar,) = found.bars
        assert (bar.open_time, bar.partial) == (TUESDAY + OPEN, True)
        assert bar.volume == sum(Decimal(row["v"]) for row in market.server.minutes["AAPL"][: 960 + 780])


async def test_days_of_crypto_begin_at_midnight_utc_whatever_the_vendor_calls_a_day(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.DAY_1, TUESDAY, WEDNESDAY + DAY, symbol="BTC/USD"))

    assert [(bar.open_time, bar.partial) for bar in found.bars] == [(TUESDAY, False), (WEDNESDAY, True)]
    assert same(found.bars[0], of(market, "BTC/USD", TUESDAY, WEDNESDAY))
    assert {query["timeframe"] for _, query in market.server.requests} == {"1Hour"}


async def test_four_hours_of_crypto_are_whole(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.HOUR_4, TUESDAY, WEDNESDAY, symbol="BTC/USD"))

    assert [bar.open_time - TUESDAY for bar in found.bars] == [n * 4 * HOUR for n in range(6)]
    assert all(same(bar, of(market, "BTC/USD", bar.open_time, bar.close_time)) for bar in found.bars)


async def test_a_minute_that_was_filled_in_from_quotes_is_no_bar(market: Alpaca) -> None:
    market.server.minutes["BTC/USD"][1] |= {"v": 0, "n": 0, "vw": 0}

    found = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY, TUESDAY + 3 * MINUTE, symbol="BTC/USD"))

    assert [bar.open_time - TUESDAY for bar in found.bars] == [0 * MINUTE, 2 * MINUTE]
    assert list(found.invalid) == []


@pytest.mark.parametrize("limit", [1, 7, 389, 390, 391, 500])
async def test_the_oldest_are_given_up_to_the_limit(market: Alpaca, limit: int) -> None:
    everything = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY, WEDNESDAY + DAY))
    found = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY, WEDNESDAY + DAY, limit))

    assert list(found.bars) == list(everything.bars[:limit])


async def test_more_than_a_request_can_hold_is_asked_for_in_parts(market: Alpaca) -> None:
    market.server.minutes["BTC/USD"] = minutes(TUESDAY - 10 * DAY, 10 * 24 * 60)

    found = await market.provider.bars(
        request(BarInterval.MINUTE_1, TUESDAY - 10 * DAY, TUESDAY, 12_000, symbol="BTC/USD")
    )

    assert [bar.open_time for bar in found.bars] == [TUESDAY - 10 * DAY + n * MINUTE for n in range(12_000)]


@pytest.mark.parametrize("page_size", [50, 389, 1_000])
async def test_pages_are_read_to_the_end(market: Alpaca, page_size: int) -> None:
    market.server.page_size = page_size

    found = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY + OPEN, TUESDAY + OPEN + 6 * HOUR))

    assert len(found.bars) == 360
    assert len(market.server.requests) == -(-361 // page_size)


async def test_a_page_that_fails_fails_the_whole_request(market: Alpaca) -> None:
    market.server.page_size = 200
    market.server.answers.extend([None, status(500)])

    with pytest.raises(Unavailable, match="status 500"):
        await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY, TUESDAY + DAY))


async def test_a_page_without_rows_does_not_make_the_earlier_ones_vanish(market: Alpaca) -> None:
    market.server.page_size = 200
    pages = iter(range(9))
    market.server.mangle = lambda rows: rows if next(pages) == 0 else None

    with pytest.raises(Unavailable, match="makes no sense"):
        await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY, TUESDAY + DAY))


async def test_adjusted_prices_are_asked_for_and_marked(market: Alpaca) -> None:
    market.server.splits["AAPL"] = (WEDNESDAY + PRE_MARKET, 4)
    market.server.dividends["AAPL"] = (WEDNESDAY + PRE_MARKET, 0.5)
    opens = {}
    for adjustment in PriceAdjustment:
        found = await market.provider.bars(request(BarInterval.DAY_1, TUESDAY, WEDNESDAY + DAY, adjustment=adjustment))
        assert {bar.adjustment for bar in found.bars} == {adjustment}
        opens[adjustment] = found.bars[0].open, found.bars[0].volume, found.bars[1].open

    assert opens == {
        PriceAdjustment.RAW: (Decimal(100), Decimal(96_000), Decimal(100)),
        PriceAdjustment.SPLITS: (Decimal(25), Decimal(384_000), Decimal(100)),
        PriceAdjustment.ALL: (Decimal("12.5"), Decimal(384_000), Decimal(100)),
    }


async def test_duplicated_and_shuffled_bars_come_once_and_in_order(market: Alpaca) -> None:
    asked = request(BarInterval.MINUTE_1, TUESDAY, TUESDAY + DAY)
    expected = await market.provider.bars(asked)

    market.server.mangle = lambda rows: [*rows[5:], *rows[:300], *rows]
    assert await market.provider.bars(asked) == expected


@pytest.mark.parametrize(
    "broken",
    [
        {"o": math.nan},
        {"h": math.inf},
        {"c": None},
        {"l": "soon"},
        {"v": -1},
        {"o": 0},
        {"h": 1.0},
        {"c": [1]},
        {"n": "many"},
    ],
)
async def test_a_bar_that_contradicts_itself_is_shown_as_invalid_and_not_given(
    market: Alpaca, broken: dict[str, Any]
) -> None:
    spoiled = TUESDAY + OPEN + MINUTE
    market.server.mangle = lambda rows: [row | broken if row["t"] == stamp(spoiled) else row for row in rows]

    found = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY + OPEN, TUESDAY + OPEN + 3 * MINUTE))

    assert [bar.open_time - TUESDAY - OPEN for bar in found.bars] == [0 * MINUTE, 2 * MINUTE]
    assert list(found.invalid) == [(spoiled, spoiled + MINUTE)]


async def test_rows_of_no_known_time_leave_a_hole_that_is_told(market: Alpaca) -> None:
    market.server.mangle = lambda rows: [rows[0], None, {"t": 5}, *rows[3:]]

    found = await market.provider.bars(request(BarInterval.MINUTE_1, TUESDAY + OPEN, TUESDAY + OPEN + 5 * MINUTE))

    assert [bar.open_time - TUESDAY - OPEN for bar in found.bars] == [0 * MINUTE, 3 * MINUTE, 4 * MINUTE]
    assert list(found.invalid) == [(TUESDAY + OPEN + MINUTE, TUESDAY + OPEN + 3 * MINUTE)]


async def test_the_last_bar_is_partial_while_it_runs() -> None:
    now = WEDNESDAY + OPEN + timedelta(minutes=40)
    async with alpaca(now) as market:
        market.server.minutes["AAPL"] = minutes(WEDNESDAY + OPEN, 41)

        found = await market.provider.bars(request(BarInterval.MINUTE_30, WEDNESDAY, WEDNESDAY + DAY))

        assert [(bar.open_time - WEDNESDAY - OPEN, bar.partial) for bar in found.bars] == [
            (timedelta(0), False),
            (timedelta(minutes=30), True),
        ]


async def test_what_the_vendor_sends_of_the_future_is_not_shown() -> None:
    now = WEDNESDAY + OPEN + 10 * MINUTE
    async with alpaca(now) as market:
        market.server.mangle = lambda rows: [*rows, minute_row(now + 5 * MINUTE), minute_row(now + HOUR)]
        market.server.minutes["AAPL"] = minutes(WEDNESDAY + OPEN, 10)

        found = await market.provider.bars(request(BarInterval.MINUTE_1, WEDNESDAY, WEDNESDAY + DAY))

        assert [bar.open_time for bar in found.bars] == [WEDNESDAY + OPEN + n * MINUTE for n in range(10)]


async def test_an_unknown_symbol_has_no_bars(market: Alpaca) -> None:
    asked = request(BarInterval.MINUTE_1, TUESDAY, TUESDAY + DAY, symbol="NOSUCH")
    assert list((await market.provider.bars(asked)).bars) == []

    market.server.answers.append(status(400, "invalid symbol: NOSUCH"))
    assert list((await market.provider.bars(asked)).bars) == []


async def test_a_range_in_the_future_asks_nobody(market: Alpaca) -> None:
    found = await market.provider.bars(request(BarInterval.MINUTE_1, WEDNESDAY + DAY, WEDNESDAY + 2 * DAY))

    assert list(found.bars) == []
    assert market.server.requests == []


async def test_the_free_plan_is_told_that_it_lacks_the_last_minutes_of_the_feed_of_all_exchanges() -> None:
    now = WEDNESDAY + CLOSE - HOUR
    async with alpaca(now, feed="sip") as market:
        market.server.paid = False
        with pytest.raises(PreconditionFailed, match="does not permit querying recent SIP data") as refused:
            await market.provider.bars(request(BarInterval.MINUTE_1, WEDNESDAY, WEDNESDAY + DAY))

    assert refused.value.reason == "PROVIDER_NOT_CAPABLE"


async def test_the_delayed_feed_keeps_away_from_the_last_minutes() -> None:
    now = WEDNESDAY + OPEN + HOUR
    async with alpaca(now, feed="delayed_sip") as market:
        market.server.paid = False
        market.server.minutes["AAPL"] = minutes(WEDNESDAY + OPEN, 60)

        found = await market.provider.bars(request(BarInterval.MINUTE_30, WEDNESDAY, WEDNESDAY + DAY))

        assert [(bar.open_time - WEDNESDAY - OPEN, bar.partial) for bar in found.bars] == [
            (timedelta(0), False),
            (timedelta(minutes=30), True),
        ]
        assert market.server.requests[0][1]["feed"] == "sip"
        assert market.server.requests[0][1]["end"] <= stamp(now - timedelta(minutes=15)).replace("Z", "+00:00")
