"""Bars of one instrument, oldest first, and what is missing between them."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from application.market_data.bar_gaps import BarGap, GapReason, gap_at_end, gap_at_start, gaps_between, invalid_gaps
from application.market_data.bar_history import newest
from application.market_data.bar_ranges import BarSeries
from application.market_data.market import Market
from application.ports.market_data import FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment

_INSTANT = timedelta(microseconds=1)
_BARS_A_TURN = 100
"""So many are looked at before others on the event loop get their turn."""


@dataclass(frozen=True, slots=True)
class BarsPlace:
    """Where a page ended: behind the bar that opened at `after`, in a list that ends at `end`."""

    after: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class BarsFound:
    """The list ends at `end`. `bars` has one more than the page when the list goes on; `gaps` are the page's."""

    bars: Sequence[Bar]
    gaps: Sequence[BarGap]
    end: datetime
    provider: str


@dataclass(frozen=True, slots=True)
class ListBars:
    """Up to `size` bars that open in [start, end), and one more if there is; behind `place` on a later page.

    Without a `start` these are the newest ones before `end`, and there is no next page. Without an `end` it
    is now, the bar that is running included.

    Raises NotFound: INSTRUMENT_NOT_FOUND, PROVIDER_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CAPABLE,
    PROVIDER_NOT_CONFIGURED; Throttled and Unavailable when the provider does not give what is not kept.
    """

    symbol: str
    interval: BarInterval
    size: int
    start: datetime | None = None
    end: datetime | None = None
    place: BarsPlace | None = None
    provider: str = ""
    adjustment: PriceAdjustment = PriceAdjustment.RAW
    extended_hours: bool = False

    async def answer(self, market: Market) -> BarsFound:
        source = await market.source(self.symbol, self.provider)
        source.require_bars(self.interval, self.adjustment, self.extended_hours)
        series = BarSeries(market, source, self.interval, self.adjustment, self.extended_hours)
        end = self.place.end if self.place else self.end or market.clock.now()
        if self.start is None:
            found = await newest(series, end, self.size)
            gaps = await self._gaps(series, found.bars, end)
            return self._found(series, found, gaps, end)
        start = self.place.after + _INSTANT if self.place else self.start
        found = await series.between(start, end, self.size + 1)
        page = found.bars[: self.size]
        first = page[0].open_time if page else min(end, market.clock.now())
        gaps = await self._first_gap(series, start, first)
        gaps += await self._gaps(series, page, end if len(page) == len(found.bars) else None)
        return self._found(series, found, gaps, end)

    def _found(self, series: BarSeries, found: FetchedBars, gaps: Iterable[BarGap], end: datetime) -> BarsFound:
        if not series.source.capabilities.gap_means_no_trades:
            gaps = map(_unexplained, gaps)
        return BarsFound(found.bars, list(invalid_gaps(gaps, found.invalid)), end, series.source.provider.name)

    async def _gaps(self, series: BarSeries, bars: Sequence[Bar], end: datetime | None) -> list[BarGap]:
        """Gaps behind the first of `bars`; `end` is the list's on its last page."""
        gaps: list[BarGap] = []
        for first in range(0, len(bars), _BARS_A_TURN):
            gaps += gaps_between(series.hours, bars[first : first + _BARS_A_TURN + 1])
            await asyncio.sleep(0)
        if bars and end is not None:
            gaps += gap_at_end(series.hours, bars[-1], min(end, series.market.clock.now()))
        return gaps

    async def _first_gap(self, series: BarSeries, start: datetime, first: datetime) -> list[BarGap]:
        """The gap before the page's first bar, or over all of it when it has none."""
        gap = gap_at_start(series.hours, self.interval, start, first)
        if gap is None:
            return []
        if self.place is None and not (await newest(series, start, 1)).bars:
            gap = replace(gap, reason=GapReason.OUTSIDE_HISTORY)
        return [gap]


def _unexplained(gap: BarGap) -> BarGap:
    return replace(gap, reason=GapReason.MISSING) if gap.reason is GapReason.NO_TRADES else gap
