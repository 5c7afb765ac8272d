"""Bars from a moment in the past on, with no bar twice and none left out."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

from application.market_data.bar_ranges import BarSeries
from domain.market_data.bar import Bar

_PAGE = 500
_INSTANT = timedelta(microseconds=1)


class BarTape:
    """Knows of each instrument up to which bar a reader has all. `start` None begins with what is live."""

    def __init__(self, series: Mapping[str, BarSeries], start: datetime | None) -> None:
        self._series = series
        self._start = start
        self._given: dict[str, datetime] = {}

    def wants(self, bar: Bar) -> bool:
        """Whether the reader still lacks `bar`; a complete one counts as given from then on."""
        given = self._given.get(bar.symbol)
        if given is None and self._start is not None:
            given = self._start - _INSTANT
        if given is not None and bar.open_time <= given:
            return False
        if not bar.partial:
            self._given[bar.symbol] = bar.open_time
        return True

    async def past(self) -> AsyncIterator[Bar]:
        """Complete bars up to now that the reader lacks, one instrument after the other; none without a start."""
        if self._start is None:
            return
        for symbol, series in self._series.items():
            while True:
                given = self._given.get(symbol)
                start = self._start if given is None else given + _INSTANT
                page = await series.between(start, series.market.clock.now(), _PAGE)
                for bar in page.bars:
                    if not bar.partial and self.wants(bar):
                        yield bar
                if len(page.bars) < _PAGE:
                    break
