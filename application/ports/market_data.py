"""Market data as its users need it. A provider that lacks an instrument answers None, never a guess."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, Quote, Trade


class MarketData(Protocol):
    """One provider of instruments, quotes, depth, prints and bars."""

    name: str

    async def instruments(self) -> Sequence[Instrument]:
        """The whole catalogue, by symbol."""
        ...

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        """Up to `depth` levels a side as of now; None for an unknown symbol or one without a market."""
        ...

    async def bars(
        self, symbol: str, interval: BarInterval, start: datetime, end: datetime, limit: int
    ) -> Sequence[Bar]:
        """At most `limit` bars that open in [start, end), oldest first; the last may be partial."""
        ...

    def quotes(self, symbols: Collection[str]) -> AsyncIterator[Quote]:
        """Live quotes from now on. A reader that falls behind sees the newest, not each one."""
        ...

    def trades(self, symbols: Collection[str]) -> AsyncIterator[Trade]:
        """Live prints from now on, each one, oldest first."""
        ...

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncIterator[Bar]:
        """Each bar as it completes, from now on."""
        ...


class LatestQuotes(Protocol):
    """The newest quotes, in memory: what a risk check may read while it holds an account."""

    def instrument(self, symbol: str) -> Instrument | None:
        """The instrument from the loaded catalogue, or None when it is not known."""
        ...

    def latest(self, symbol: str) -> Quote | None:
        """The newest quote that is known, however old; its age is in `quote_time`. Never waits."""
        ...

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        """The lowest and highest middle of the last `seconds` (up to 3,600), None if no quote of them is known."""
        ...

    async def ensure(self, symbols: Collection[str]) -> None:
        """Try to have a fresh quote of each symbol before a decision; failing is no error, it stays absent."""
        ...
