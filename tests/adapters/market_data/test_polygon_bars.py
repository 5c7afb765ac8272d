"""Polygon's aggregates over its SDK: on the contract's grid, in its session, whatever the rows are like."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.market_data.polygon_adapter import PolygonMarketData
from application.ports.market_data import BarRequest
from domain.market_data.bar import BarInterval, PriceAdjustment
from tests.support.vendors.polygon import FakePolygon, Row
from tests.support.vendors.polygon_market import NOW, OPEN, milliseconds, polygon_market, row, rows

MINUTE = timedelta(minutes=1)
HALF_HOUR = timedelta(minutes=30)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YESTERDAY = OPEN - DAY


def query(polygon: FakePolygon) -> Mapping[str, list[str]]:
    return parse_qs(urlsplit(polygon.requests[-1]).query)


def asked(polygon: FakePolygon) -> list[str]:
    """Which rows were asked for, such as "30/minute"."""
    return ["/".join(urlsplit(path).path.split("/")[6:8]) for path in polygon.requests]


def request(
    symbol: str = "AAPL",
    interval: BarInterval = BarInterval.MINUTE_1,
    start: datetime = OPEN,
    end: datetime = NOW,
    limit: int = 1_000,
    *,
    extended_hours: bool = False,
) -> BarRequest:
    return BarRequest(symbol, interval, start, end, limit, extended_hours=extended_hours)


async def one_bar(provider: PolygonMarketData) -> tuple[Decimal, Decimal | None, int | None]:
    (bar,) = (await provider.bars(request())).bars
    return bar.volume, bar.vwap, bar.trade_count


# -- what is asked for --------------------------------------------------------------------------------------


@pytest.mark.parametrize("adjustment", [PriceAdjustment.RAW, PriceAdjustment.SPLITS])
async def test_the_adjustment_is_the_vendors_and_the_bars_say_which(adjustment: PriceAdjustment) -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = [row(OPEN)]
        found = await provider.bars(BarRequest("AAPL", BarInterval.MINUTE_1, OPEN, NOW, 10, adjustment))

        assert query(polygon)["adjusted"] == ["true" if adjustment is PriceAdjustment.SPLITS else "false"]
        assert [bar.adjustment for bar in found.bars] == [adjustment]


async def test_all_pages_are_read() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 120)
        polygon.page_size = 25
        found = await provider.bars(request())

        assert [bar.open for bar in found.bars] == [Decimal(100 + n) for n in range(120)]
        assert len(polygon.requests) == 5


async def test_of_a_long_range_only_what_is_taken_is_read() -> None:
    async with polygon_market() as (polygon, provider, _):
        start = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
        polygon.aggregates["AAPL", 1, "minute"] = rows(start, MINUTE, 390)
        found = await provider.bars(request(start=start, limit=100))

        assert [bar.open_time for bar in found.bars] == [start + n * MINUTE for n in range(100)]
        assert len(polygon.requests) == 1


async def test_a_gap_of_months_is_read_over() -> None:
    async with polygon_market() as (polygon, provider, _):
        start = datetime(2025, 1, 3, 14, 30, tzinfo=UTC)
        polygon.aggregates["AAPL", 1, "minute"] = [row(start), row(OPEN)]
        found = await provider.bars(request(start=start, limit=2))

        assert [bar.open_time for bar in found.bars] == [start, OPEN]
        assert len(polygon.requests) < 8


async def test_nothing_is_asked_of_the_future() -> None:
    async with polygon_market() as (polygon, provider, _):
        assert not (await provider.bars(request(start=NOW + DAY, end=NOW + 2 * DAY))).bars
        await provider.bars(request(end=NOW + 30 * DAY))

        (path,) = polygon.requests
        assert int(urlsplit(path).path.split("/")[-1]) <= milliseconds(NOW)


async def test_an_unknown_symbol_has_no_bars() -> None:
    async with polygon_market() as (polygon, provider, _):
        assert not (await provider.bars(request("NOPE"))).bars
        assert not (await provider.bars(request("no/such/thing"))).bars
        assert len(polygon.requests) == 1


# -- the session and the grid -------------------------------------------------------------------------------


async def test_minutes_before_and_after_the_session_are_left_out_unless_asked_for() -> None:
    async with polygon_market() as (polygon, provider, _):
        early, late = OPEN - 5 * MINUTE, datetime(2026, 3, 10, 20, 5, tzinfo=UTC)
        polygon.aggregates["AAPL", 1, "minute"] = [row(late), row(early), row(OPEN)]
        regular = await provider.bars(request(start=YESTERDAY))
        extended = await provider.bars(request(start=YESTERDAY, extended_hours=True))

        assert [bar.open_time for bar in regular.bars] == [OPEN]
        assert [bar.open_time for bar in extended.bars] == [late, early, OPEN]


async def test_hours_of_shares_begin_at_the_open_of_the_session() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.aggregates["AAPL", 30, "minute"] = rows(OPEN, HALF_HOUR, 5)
        found = await provider.bars(request(interval=BarInterval.HOUR_1))

        assert asked(polygon) == ["30/minute"]
        assert [(bar.open_time, bar.open, bar.close, bar.volume, bar.partial) for bar in found.bars] == [
            (OPEN, Decimal(100), Decimal(102), Decimal(20), False),
            (OPEN + HOUR, Decimal(102), Decimal(104), Decimal(20), False),
            (OPEN + 2 * HOUR, Decimal(104), Decimal(105), Decimal(10), True),
        ]


@pytest.mark.parametrize("month", [1, 7], ids=["winter", "summer"])
async def test_a_day_stamped_by_midnight_in_new_york_is_that_days_session(month: int) -> None:
    hour = 5 if month == 1 else 4
    async with polygon_market() as (polygon, provider, _):
        midnight = datetime(2025, month, 7, hour, tzinfo=UTC)
        polygon.aggregates["AAPL", 1, "day"] = [row(midnight), row(midnight + DAY, 110)]
        found = await provider.bars(
            request(interval=BarInterval.DAY_1, start=midnight + 12 * HOUR, end=midnight + 2 * DAY)
        )
        opens = midnight + 9.5 * HOUR
        first = await provider.bars(request(interval=BarInterval.DAY_1, start=opens, end=midnight + DAY))

        assert [(bar.open_time, bar.close_time) for bar in found.bars] == [(opens + DAY, opens + DAY + 6.5 * HOUR)]
        assert [bar.open_time for bar in first.bars] == [opens]


async def test_a_week_is_made_of_its_days() -> None:
    async with polygon_market() as (polygon, provider, _):
        monday = datetime(2026, 3, 2, 5, tzinfo=UTC)
        polygon.aggregates["AAPL", 1, "day"] = rows(monday, DAY, 5)
        (bar,) = (await provider.bars(request(interval=BarInterval.WEEK_1, start=monday, end=monday + DAY))).bars

        assert bar.open_time == monday + 9.5 * HOUR
        assert bar.close_time == monday + 4 * DAY + 16 * HOUR
        assert (bar.open, bar.close, bar.volume) == (Decimal(100), Decimal(105), Decimal(50))


async def test_a_day_of_a_currency_ends_at_five_in_new_york_though_polygons_ends_at_midnight() -> None:
    async with polygon_market() as (polygon, provider, _):
        opens = datetime(2026, 3, 9, 21, tzinfo=UTC)
        polygon.aggregates["C:EURUSD", 1, "hour"] = rows(opens, HOUR, 24)
        (bar,) = (await provider.bars(request("EUR/USD", BarInterval.DAY_1, start=opens, end=opens + HOUR))).bars

        assert (bar.open_time, bar.close_time) == (opens, opens + DAY)
        assert (bar.open, bar.close) == (Decimal(100), Decimal(124))
        assert (bar.volume, bar.vwap, bar.trade_count) == (Decimal(0), None, None)


async def test_a_day_of_crypto_is_polygons_own() -> None:
    async with polygon_market() as (polygon, provider, _):
        midnight = datetime(2026, 3, 7, tzinfo=UTC)
        polygon.aggregates["X:BTCUSD", 1, "day"] = rows(midnight, DAY, 3)
        found = await provider.bars(request("BTC/USD", BarInterval.DAY_1, start=midnight))

        assert asked(polygon) == ["1/day"]
        assert [bar.open_time for bar in found.bars] == [midnight + n * DAY for n in range(3)]


async def test_the_bar_that_is_running_is_partial() -> None:
    async with polygon_market() as (polygon, provider, clock):
        polygon.aggregates["AAPL", 1, "minute"] = [row(NOW - MINUTE), row(NOW)]
        clock.advance(30)
        found = await provider.bars(request(end=NOW + HOUR))

        assert [bar.partial for bar in found.bars] == [False, True]


async def test_bars_that_a_delayed_plan_may_not_have_whole_are_partial() -> None:
    async with polygon_market(delayed=True) as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = rows(NOW - 17 * MINUTE, MINUTE, 2)
        polygon.aggregates["AAPL", 30, "minute"] = [row(NOW - HALF_HOUR)]

        assert [bar.partial for bar in (await provider.bars(request())).bars] == [False, False]
        assert [bar.partial for bar in (await provider.bars(request(interval=BarInterval.MINUTE_30))).bars] == [True]


# -- rows as they should not be -----------------------------------------------------------------------------


async def test_bars_that_come_twice_or_out_of_order_come_once_and_in_order() -> None:
    async with polygon_market() as (polygon, provider, _):
        good = rows(OPEN, MINUTE, 5)
        polygon.aggregates["AAPL", 1, "minute"] = [good[3], good[0], good[0], good[4], good[2], good[1], good[4]]
        found = await provider.bars(request())

        assert [bar.open for bar in found.bars] == [Decimal(100 + n) for n in range(5)]
        assert not found.invalid


@pytest.mark.parametrize(
    "wrong",
    [
        {"c": "NaN"},
        {"c": float("nan")},
        {"o": None},
        {"h": -1},
        {"l": 0},
        {"h": 90},
        {"v": -5},
        {"v": "many"},
        {"o": [100]},
        {"c": True},
    ],
    ids=str,
)
async def test_a_broken_row_is_a_gap_that_is_named(wrong: Row) -> None:
    async with polygon_market() as (polygon, provider, _):
        good = rows(OPEN, MINUTE, 3)
        polygon.aggregates["AAPL", 1, "minute"] = [good[0], good[1] | wrong, good[2]]
        found = await provider.bars(request())

        assert [bar.open_time for bar in found.bars] == [OPEN, OPEN + 2 * MINUTE]
        assert list(found.invalid) == [(OPEN + MINUTE, OPEN + 2 * MINUTE)]


async def test_a_row_without_a_time_casts_doubt_on_the_place_where_it_stood() -> None:
    async with polygon_market() as (polygon, provider, _):
        good = rows(OPEN, MINUTE, 4)
        polygon.aggregates["AAPL", 1, "minute"] = [good[0], good[1] | {"t": "noon"}, good[2], good[3]]
        found = await provider.bars(request())

        assert OPEN + MINUTE not in [bar.open_time for bar in found.bars]
        assert any(start <= OPEN + MINUTE < end for start, end in found.invalid)


async def test_an_average_that_is_none_is_left_out_and_the_bar_stays() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = [row(OPEN, vw="?", n=-1, v=2.5)]

        assert await one_bar(provider) == (Decimal("2.5"), None, None)


async def test_rows_of_a_clock_ahead_of_ours_are_not_shown_yet() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = [row(NOW - MINUTE), row(NOW + 10 * MINUTE)]
        found = await provider.bars(request(end=NOW + HOUR))

        assert [bar.open_time for bar in found.bars] == [NOW - MINUTE]
