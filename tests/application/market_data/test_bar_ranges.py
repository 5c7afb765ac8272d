from datetime import UTC, datetime, timedelta

import pytest

from application.market_data.bar_history import newest
from application.market_data.bar_ranges import EARLIEST, BarSeries
from application.market_data.market import Market
from application.ports.market_data import BarRequest
from domain.market_data.bar import BarInterval
from tests.support.market import FRIDAY_NOON, simulated

MONDAY_NIGHT = datetime(2026, 11, 23, 5, tzinfo=UTC)
COUNTS = [(interval, count) for interval in BarInterval for count in (1, 2, 100)]


async def series_of(market: Market, interval: BarInterval) -> BarSeries:
    return BarSeries(market, await market.source("AAPL"), interval)


@pytest.mark.parametrize(("interval", "count"), COUNTS, ids=str)
@pytest.mark.parametrize("now", [FRIDAY_NOON, MONDAY_NIGHT], ids=["open", "closed"])
async def test_the_newest_bars_are_the_last_of_all_bars(now: datetime, interval: BarInterval, count: int) -> None:
    _, provider, market = simulated(now)
    bars = (await newest(await series_of(market, interval), now, count)).bars
    assert len(bars) == count
    assert bars == (await provider.bars(BarRequest("AAPL", interval, bars[0].open_time, now, 2 * count))).bars


async def test_where_there_is_less_history_all_of_it_is_given() -> None:
    _, provider, market = simulated(datetime(2000, 2, 1, tzinfo=UTC))
    end = datetime(2000, 2, 1, tzinfo=UTC)
    bars = (await newest(await series_of(market, BarInterval.DAY_1), end, 1_000)).bars
    assert bars == (await provider.bars(BarRequest("AAPL", BarInterval.DAY_1, EARLIEST, end, 1_000))).bars
    assert 15 < len(bars) < 25


async def test_before_all_history_there_is_nothing() -> None:
    _, _, market = simulated()
    end = datetime(1990, 1, 1, tzinfo=UTC)
    for interval in (BarInterval.MINUTE_1, BarInterval.MONTH_1):
        assert (await newest(await series_of(market, interval), end, 10)).bars == []


@pytest.mark.parametrize("interval", [each for each in BarInterval if each is not BarInterval.SECOND_1])
async def test_the_running_bar_is_the_one_that_holds_the_present(interval: BarInterval) -> None:
    _, _, market = simulated(FRIDAY_NOON + timedelta(seconds=20))
    bar = await (await series_of(market, interval)).running()
    assert bar is not None
    assert bar.partial
    assert bar.open_time <= market.clock.now() < bar.close_time


async def test_no_bar_is_running_while_the_market_is_closed() -> None:
    _, _, market = simulated(MONDAY_NIGHT)
    assert await (await series_of(market, BarInterval.MINUTE_1)).running() is None
