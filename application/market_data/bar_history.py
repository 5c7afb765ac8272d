"""The bars before a moment, as many as asked for, whatever silence lies between them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import takewhile

from application.market_data.bar_ranges import EARLIEST, BarSeries, longest
from application.market_data.market_hours import sessions_from
from application.ports.market_data import FetchedBars
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.bar_calendar import Span

_PAGE = 5_000
"""So many bars are in memory at a time."""
_INSTANT = timedelta(microseconds=1)
_SAMPLE = timedelta(days=28)
_LEAP = 8


async def pages(series: BarSeries, start: datetime, end: datetime) -> AsyncIterator[FetchedBars]:
    """All bars that open in [start, end), oldest first."""
    while start < end:
        page = await series.between(start, end, _PAGE)
        if page.bars or page.invalid:
            yield page
        if len(page.bars) < _PAGE:
            return
        start = page.bars[-1].open_time + _INSTANT


async def pages_back(series: BarSeries, end: datetime, count: int) -> AsyncIterator[FetchedBars]:
    """The last `count` bars that open before `end`: the newest page first, each page with its oldest bar first.

    It walks back to where time begins: a shorter walk could end in a silence, or not, by where it started.
    """
    step = min(count, _PAGE) * _spacing(series, end)
    while count > 0 and end > EARLIEST:
        start = end - min(step, end - EARLIEST)
        read = [page async for page in pages(series, start, end)]
        block = [bar for page in read for bar in page.bars]
        if read:
            yield FetchedBars(block[-count:], [span for page in read for span in page.invalid])
        if block:
            count -= len(block)
            step = min(max(count, 1), _PAGE) * max((end - start) / len(block), longest(series.interval))
        else:
            step *= _LEAP
        end = start


async def newest(series: BarSeries, end: datetime, count: int) -> FetchedBars:
    """The last `count` bars that open before `end`, oldest first."""
    found: list[Bar] = []
    invalid: list[Span] = []
    async for page in pages_back(series, end, count):
        found[:0] = page.bars
        invalid[:0] = page.invalid
    return FetchedBars(found, invalid)


def _spacing(series: BarSeries, at: datetime) -> timedelta:
    """The time from one bar to the next, on the average of the weeks before `at`, when nothing is missing."""
    length = series.interval.fixed_length
    if length is None and series.interval is not BarInterval.DAY_1:
        return longest(series.interval)
    sessions = list(takewhile(lambda session: session.open < at, sessions_from(series.hours, at - _SAMPLE)))
    bars = len(sessions) if length is None else sum(-(-(one.close - one.open) // length) for one in sessions)
    return _SAMPLE / max(bars, 1)
