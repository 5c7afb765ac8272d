"""Bars that were fetched once, and for which spans of time that is all there is.

The store knows nothing of instruments or providers: it keeps stretches of a series, and gives them back.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.market_data.bar import Bar, BarInterval, PriceAdjustment


class SeriesKey(NamedTuple):
    """Bars that may stand in one list.

    `revision` is the provider's. `vintage` is empty for raw prices. Adjusted ones have the venue's day on which they
    were fetched (YYYY-MM-DD): a later split changes all of them, so a series is kept of its newest vintage only.
    """

    provider: str
    revision: str
    symbol: str
    interval: BarInterval
    adjustment: PriceAdjustment
    extended_hours: bool
    vintage: str = ""


class Span(NamedTuple):
    """[start, end)."""

    start: datetime
    end: datetime


class Stretch(NamedTuple):
    """`bars`, complete ones, oldest first, are all that open in [start, end)."""

    start: datetime
    end: datetime
    bars: Sequence[Bar]


class BarStore(Protocol):
    """Raises Unavailable, STORAGE_UNAVAILABLE, when it cannot be read or written."""

    async def read(self, series: SeriesKey, start: datetime, end: datetime, limit: int) -> Sequence[Stretch]:
        """What is kept of [start, end), cut to it, oldest first, up to the stretch that makes it `limit` bars."""
        ...

    async def settled(self, series: SeriesKey, start: datetime, end: datetime) -> Sequence[Span]:
        """The spans of which all is kept, cut to [start, end), oldest first; no two of them touch."""
        ...

    async def keep(self, series: SeriesKey, stretches: Sequence[Stretch]) -> None:
        """Keep `stretches`, oldest first, in place of what was kept of their spans.

        A new vintage takes the place of all that was kept of the series; one that is older than what is kept is not
        kept.
        """
        ...
