from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from application.market_data.bar_gaps import GapReason
from application.market_data.market import Market
from application.market_data.queries.list_bars_query import BarsFound, BarsPlace, ListBars
from application.ports.market_data import BarRequest
from domain.errors import NotFound
from domain.market_data.bar import Bar, BarInterval
from tests.support.market import FRIDAY_NOON, simulated

MINUTE = timedelta(minutes=1)
NOON = FRIDAY_NOON.replace(microsecond=0)
MINUTES = BarInterval.MINUTE_1


async def listed(market: Market, query: ListBars, pages: int = 100) -> tuple[list[Bar], BarsFound]:
    """All bars page by page, and the last answer."""
    bars: list[Bar] = []
    for _ in range(pages):
        found = await query.answer(market)
        page = found.bars[: query.size]
        bars += page
        if len(found.bars) <= query.size:
            break
        place = BarsPlace(page[-1].open_time, found.end)
        query = ListBars(query.symbol, query.interval, query.size, query.start, query.end, place)
    return bars, found


async def test_pages_together_are_the_whole_range_oldest_first() -> None:
    _, provider, market = simulated()
    start, end = NOON - 200 * MINUTE, NOON - 10 * MINUTE
    bars, _ = await listed(market, ListBars("AAPL", MINUTES, 7, start, end))
    assert bars == (await provider.bars(BarRequest("AAPL", MINUTES, start, end, 1_000))).bars
    assert all(earlier.open_time < later.open_time for earlier, later in pairwise(bars))


async def test_bars_that_are_added_while_pages_are_read_are_not_in_the_list() -> None:
    clock, _, market = simulated()
    query = ListBars("AAPL", MINUTES, 2, NOON - 3 * MINUTE)
    found = await query.answer(market)
    clock.advance(600)
    place = BarsPlace(found.bars[1].open_time, found.end)
    rest = await ListBars("AAPL", MINUTES, 2, query.start, None, place).answer(market)
    assert [bar.open_time for bar in rest.bars] == [NOON - MINUTE, NOON]


async def test_without_an_end_the_running_bar_comes_last_and_says_that_it_is_partial() -> None:
    _, _, market = simulated(FRIDAY_NOON + timedelta(seconds=30))
    found = await ListBars("AAPL", MINUTES, 10, NOON - 3 * MINUTE).answer(market)
    assert [bar.partial for bar in found.bars] == [False, False, False, True]


async def test_without_a_start_one_page_of_the_newest_bars_is_given() -> None:
    _, _, market = simulated()
    found = await ListBars("AAPL", MINUTES, 3, end=NOON - 5 * MINUTE).answer(market)
    assert [bar.open_time for bar in found.bars] == [NOON - count * MINUTE for count in (8, 7, 6)]


async def test_a_range_in_the_future_is_empty() -> None:
    _, _, market = simulated()
    found = await ListBars("AAPL", MINUTES, 3, NOON + MINUTE, NOON + 5 * MINUTE).answer(market)
    assert (found.bars, found.gaps) == ([], [])


@pytest.mark.parametrize("interval", list(BarInterval))
async def test_only_seconds_without_a_trade_are_gaps_in_the_simulated_market(interval: BarInterval) -> None:
    _, _, market = simulated()
    found = await ListBars("AAPL", interval, 200, end=NOON).answer(market)
    assert bool(found.gaps) == (interval is BarInterval.SECOND_1)
    covered = sum(((bar.close_time - bar.open_time) for bar in found.bars), timedelta(0))
    missing = sum((gap.end - gap.start for gap in found.gaps), timedelta(0))
    if interval is BarInterval.SECOND_1:
        assert found.bars[0].open_time + covered + missing == NOON


async def test_what_lies_before_the_history_is_named_as_such_once() -> None:
    _, _, market = simulated()
    start = datetime(1999, 12, 1, tzinfo=UTC)
    found = await ListBars("AAPL", BarInterval.DAY_1, 5, start).answer(market)
    (gap,) = found.gaps
    assert gap.reason is GapReason.OUTSIDE_HISTORY
    assert start < gap.start < gap.end <= found.bars[0].open_time
    place = BarsPlace(found.bars[4].open_time, found.end)
    second = await ListBars("AAPL", BarInterval.DAY_1, 5, start, None, place).answer(market)
    assert second.gaps == []


async def test_a_range_wholly_before_the_history_is_one_gap() -> None:
    _, _, market = simulated()
    start, end = datetime(1990, 1, 1, tzinfo=UTC), datetime(1990, 6, 1, tzinfo=UTC)
    found = await ListBars("AAPL", BarInterval.HOUR_1, 5, start, end).answer(market)
    assert found.bars == []
    assert [gap.reason for gap in found.gaps] == [GapReason.OUTSIDE_HISTORY]


async def test_a_symbol_or_a_provider_that_is_not_there_is_not_found() -> None:
    _, _, market = simulated()
    for query, reason in (
        (ListBars("NOPE", MINUTES, 1), "INSTRUMENT_NOT_FOUND"),
        (ListBars("AAPL", MINUTES, 1, provider="other"), "PROVIDER_NOT_FOUND"),
    ):
        with pytest.raises(NotFound) as refusal:
            await query.answer(market)
        assert refusal.value.reason == reason
