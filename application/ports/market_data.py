"""Market data as its users need it. A provider that lacks an instrument answers None, never a guess.

Whatever a provider's source sends, what comes through this port is true or is not there: prices are finite and
above zero, bars in order, each once and consistent in themselves, times UTC. A source that fails raises one of

- Unavailable, MARKET_DATA_UNAVAILABLE: it does not answer, or answers nonsense; the same request may work later
- Throttled, RATE_LIMITED: with the seconds to wait
- PreconditionFailed, PROVIDER_NOT_CONFIGURED: a key is missing or refused; the message has the line to set
- PreconditionFailed, PROVIDER_NOT_CAPABLE: the source, or the plan that the key is of, does not have it
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Protocol, runtime_checkable

from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.quote import OrderBook, Quote, TopOfBook, Trade


class DataKind(Enum):
    QUOTES = "QUOTES"
    TRADES = "TRADES"
    BARS = "BARS"
    ORDER_BOOKS = "ORDER_BOOKS"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do; a request beyond it never reaches it.

    `bars` has the intervals and how far back each reaches (None: as far as the instrument does). `stream_bars`
    are the intervals that the source pushes: live bars of the others are read when they should be complete.
    `poll_seconds`: how often what the source does not push may be read while somebody watches it. `local`: its
    bars cost no request, so there is no use in keeping them. `gap_means_no_trades`: where it has no bar although the
    venue was open, nothing was traded. The fields `delay` to `notes` are for people.
    """

    asset_classes: tuple[AssetClass, ...]
    requests: frozenset[DataKind]
    streams: frozenset[DataKind]
    bars: Mapping[BarInterval, timedelta | None]
    stream_bars: frozenset[BarInterval] = frozenset()
    adjustments: tuple[PriceAdjustment, ...] = (PriceAdjustment.RAW,)
    gap_means_no_trades: bool = False
    search: bool = True
    extended_hours: bool = False
    max_book_depth: int = 0
    poll_seconds: float = 5.0
    local: bool = False
    delay: timedelta | None = None
    requests_per_minute: int = 0
    max_stream_symbols: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BarRequest:
    """Bars that open in [start, end), the oldest `limit` of them.

    `extended_hours`: bars of less than a day also cover trading before and after the regular session.
    """

    symbol: str
    interval: BarInterval
    start: datetime
    end: datetime
    limit: int
    adjustment: PriceAdjustment = PriceAdjustment.RAW
    extended_hours: bool = False


@dataclass(frozen=True, slots=True)
class FetchedBars:
    """Bars, oldest first; the last may be partial. Fewer than were asked for: there are no more up to the end.

    `invalid`: spans [start, end) of bars that contradicted themselves and were thrown away, oldest first.
    """

    bars: Sequence[Bar]
    invalid: Sequence[tuple[datetime, datetime]] = field(default=())


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Said by an iterator: its source has confirmed the subscription of `symbol`, and items will follow as they happen.

    At most once for each symbol of an iterator, as early as the source lets it be known. One that does not say it
    proves as much by its first item.
    """

    symbol: str


class MarketData(Protocol):
    """One provider of instruments, quotes, depth, prints and bars.

    The iterators begin with what happens from now on, and say `Subscribed` in front of it where the source tells.
    One that loses its source raises Unavailable; whoever wants to go on opens another. Iterators of one channel of
    one symbol share a subscription at the source.
    """

    name: str
    revision: str
    """Changes when the source's past does: bars that were kept under another revision are not its bars."""

    async def instruments(self) -> Sequence[Instrument]:
        """The catalogue, by symbol: all of it, or of a source that has no list what was asked for so far."""
        ...

    async def instrument(self, symbol: str) -> Instrument | None:
        """One instrument; None when the source has none of this symbol."""
        ...

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        """The newest quote of each symbol; those that have none are left out."""
        ...

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        """Up to `depth` levels a side as of now; None for an unknown symbol or one without a market."""
        ...

    async def bars(self, request: BarRequest) -> FetchedBars:
        """No bars for an unknown symbol."""
        ...

    def quotes(self, symbols: Collection[str]) -> AsyncIterator[TopOfBook | Subscribed]:
        """A reader that falls behind sees the newest, not each one."""
        ...

    def trades(self, symbols: Collection[str]) -> AsyncIterator[Trade | Subscribed]:
        """Each print, oldest first."""
        ...

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncIterator[Bar | Subscribed]:
        """Each bar as it completes, of an interval that the source pushes."""
        ...

    def order_books(self, symbol: str, depth: int) -> AsyncIterator[OrderBook | Subscribed]:
        """Whole each time. A reader that falls behind sees the newest."""
        ...

    async def close(self) -> None:
        """Let go of connections and threads; iterators end."""
        ...


class LatestQuotes(Protocol):
    """The newest quotes, in memory: what a risk check may read while it holds an account."""

    def instrument(self, symbol: str) -> Instrument | None:
        """The instrument from the loaded catalogue, or None when it is not known."""
        ...

    def latest(self, symbol: str) -> Quote | None:
        """The newest two-sided quote that is known, however old; its age is in `quote_time`. Never waits."""
        ...

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        """The lowest and highest middle of the last `seconds` (up to 3,600), None if no quote of them is known."""
        ...

    def wants(self, symbol: str) -> bool:
        """Whether `ensure` has something to do for the symbol before a decision about it."""
        ...

    async def ensure(self, symbols: Collection[str]) -> None:
        """Try to have a fresh quote of each symbol before a decision; failing is no error, it stays absent."""
        ...


@runtime_checkable
class InMemory(Protocol):
    """A provider that knows its newest quotes at any moment, without asking anybody."""

    in_memory: LatestQuotes
