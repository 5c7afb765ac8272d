"""The bars before a moment, whatever lies between."""

from datetime import timedelta
from random import Random

import pytest

from application.market_data import bar_history
from application.market_data.bar_history import newest, pages
from application.market_data.bar_ranges import BarSeries
from domain.market_data.bar import BarInterval
from tests.support.bar_list import NINE_TO_FIVE, START, SYMBOL, BarList, hourly_bars, market_of

_BARS = hourly_bars(900, Random(2), missing=0.3, silence=timedelta(days=400))
_HOUR = timedelta(hours=1)


async def _series(provider: BarList) -> BarSeries:
    market = market_of(provider)
    return BarSeries(market, await market.source(SYMBOL), BarInterval.HOUR_1)


@pytest.mark.parametrize("count", [1, 7, 449, 450, 451, 899, 900, 5_000])
async def test_the_newest_bars_are_found_across_any_silence(count: int) -> None:
    series = await _series(BarList(_BARS))
    assert (await newest(series, _BARS[-1].close_time, count)).bars == _BARS[-count:]


@pytest.mark.parametrize("hours_later", [0, 1, 500, 20_000])
async def test_it_does_not_matter_how_long_before_the_end_the_last_bar_is(hours_later: int) -> None:
    series = await _series(BarList(_BARS))
    assert (await newest(series, _BARS[500].open_time + hours_later * _HOUR, 100)).bars == [
        bar for bar in _BARS if bar.open_time < _BARS[500].open_time + hours_later * _HOUR
    ][-100:]


async def test_before_the_first_bar_there_is_none() -> None:
    assert (await newest(await _series(BarList(_BARS)), START, 10)).bars == []


async def test_bars_are_read_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bar_history, "_PAGE", 100)
    provider = BarList(_BARS)
    series = await _series(provider)
    read = [page async for page in pages(series, START, _BARS[-1].close_time)]
    assert [len(page.bars) for page in read] == [100] * 9
    assert [bar for page in read for bar in page.bars] == _BARS
    assert (await newest(series, _BARS[-1].close_time, 850)).bars == _BARS[-850:]
    assert max(request.limit for request in provider.requests) == 100


async def test_where_the_venue_keeps_hours_one_request_is_enough() -> None:
    bars = [bar for bar in hourly_bars(3_000, Random(3)) if NINE_TO_FIVE.session_at(bar.open_time)]
    provider = BarList(bars, NINE_TO_FIVE)
    assert (await newest(await _series(provider), bars[-1].close_time, 160)).bars == bars[-160:]
    assert len(provider.requests) <= 2
