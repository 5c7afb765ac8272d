"""Bars of one instrument, oldest first, and what is missing between them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from application.market_data.bar_gaps import BarGap, GapReason, gap_at_end, gap_at_start, gaps_between
from application.market_data.bar_ranges import EARLIEST, newest_bars
from application.market_data.market import Market
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument

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


@dataclass(frozen=True, slots=True)
class ListBars:
    """Up to `size` bars that open in [start, end), and one more if there is; behind `place` on a later page.

    Without a `start` these are the newest ones before `end`, and there is no next page. Without an `end` it
    is now, the bar that is running included.

    Raises NotFound: INSTRUMENT_NOT_FOUND, PROVIDER_NOT_FOUND.
    """

    symbol: str
    interval: BarInterval
    size: int
    start: datetime | None = None
    end: datetime | None = None
    place: BarsPlace | None = None
    provider: str = ""

    async def answer(self, market: Market) -> BarsFound:
        market.require_provider(self.provider)
        instrument = market.instrument(self.symbol)
        end = self.place.end if self.place else self.end or market.clock.now()
        if self.start is None:
            newest = await newest_bars(market, instrument, self.interval, end, self.size)
            return BarsFound(newest, await self._gaps(market, instrument, newest, end), end)
        start = self.place.after + _INSTANT if self.place else self.start
        found = list(await market.data.bars(self.symbol, self.interval, start, end, self.size + 1))
        page = found[: self.size]
        first = page[0].open_time if page else min(end, market.clock.now())
        gaps = await self._first_gap(market, instrument, start, first)
        gaps += await self._gaps(market, instrument, page, end if page == found else None)
        return BarsFound(found, gaps, end)

    async def _gaps(
        self, market: Market, instrument: Instrument, bars: list[Bar], end: datetime | None
    ) -> list[BarGap]:
        """Gaps behind the first of `bars`; `end` is the list's on its last page."""
        gaps: list[BarGap] = []
        for first in range(0, len(bars), _BARS_A_TURN):
            gaps += gaps_between(instrument.hours, bars[first : first + _BARS_A_TURN + 1])
            await asyncio.sleep(0)
        if bars and end is not None:
            gaps += gap_at_end(instrument.hours, bars[-1], min(end, market.clock.now()))
        return gaps

    async def _first_gap(
        self, market: Market, instrument: Instrument, start: datetime, first: datetime
    ) -> list[BarGap]:
        """The gap before the page's first bar, or over all of it when it has none."""
        gap = gap_at_start(instrument.hours, self.interval, start, first)
        if gap is None:
            return []
        if self.place is None and not await market.data.bars(self.symbol, self.interval, EARLIEST, start, 1):
            gap = replace(gap, reason=GapReason.OUTSIDE_HISTORY)
        return [gap]
