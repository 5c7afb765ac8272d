"""A market data provider that a test speaks for: its instruments, quotes and streams, and how it fails."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from adapters.clock import ManualClock
from application.market_data.providers import Lack, Offer
from application.ports.market_data import BarRequest, Capabilities, DataKind, FetchedBars, Subscribed
from domain.errors import DomainError, Unavailable
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade, top_of_book
from tests.support.trading import instrument

T = TypeVar("T")

ASKED = Capabilities(tuple(AssetClass), frozenset({DataKind.QUOTES}), frozenset(), {BarInterval.DAY_1: None})
STREAMED = replace(ASKED, streams=frozenset({DataKind.QUOTES}))


class SpokenMarketData:
    """`asked` lists the symbols of each request for quotes, `read` those whose instrument was asked for.

    While `hangs` nothing is answered; with `error` everything fails. `hanging` and `failing` are symbols whose
    instrument alone does so. `open_streams` counts iterations over the quotes of a symbol, `streams_opened` how many
    there ever were.
    """

    revision = "1"

    def __init__(self, clock: ManualClock, name: str = "live", capabilities: Capabilities = ASKED) -> None:
        self.name = name
        self.capabilities = capabilities
        self.asked: list[list[str]] = []
        self.read: list[str] = []
        self.hangs = False
        self.error: Exception | None = None
        self.hanging: set[str] = set()
        self.failing: set[str] = set()
        self.lack: Lack | None = None
        self.open_streams: dict[str, int] = {}
        self.streams_opened = 0
        self.opened = 0
        self._clock = clock
        self._instruments: dict[str, Instrument] = {}
        self._quotes: dict[str, TopOfBook] = {}
        self._queues: dict[str, list[asyncio.Queue[TopOfBook | Subscribed | Exception]]] = {}

    def offer(self) -> Offer:
        def open_it() -> "SpokenMarketData":
            self.opened += 1
            return self

        return Offer(self.name, self.name.title(), self.capabilities, lambda: self.lack, open_it)

    # -- what the test says --------------------------------------------------------------------------

    def list(self, *symbols: str, currency: str = "USD") -> None:
        for symbol in symbols:
            self._instruments[symbol] = replace(instrument(symbol), currency=currency)

    def delist(self, symbol: str) -> None:
        del self._instruments[symbol]

    def quote(
        self, symbol: str, bid: str | None, ask: str | None = "same", age: float = 0, size: str | None = "1"
    ) -> TopOfBook:
        """Set the newest quote, made `age` seconds ago, one price for both sides unless `ask` is given."""
        sides = [None if price is None else Decimal(price) for price in (bid, bid if ask == "same" else ask)]
        sizes = [None if price is None or size is None else Decimal(size) for price in sides]
        at = self._clock.now() - timedelta(seconds=age)
        quote = self._quotes[symbol] = top_of_book(symbol, sides[0], sizes[0], sides[1], sizes[1], at)
        return quote

    def push(self, symbol: str, bid: str, age: float = 0) -> TopOfBook:
        """The same, and say it on the stream."""
        quote = self.quote(symbol, bid, age=age)
        self._say(symbol, quote)
        return quote

    def confirm(self, symbol: str) -> None:
        """The symbol's streams are subscribed."""
        self._say(symbol, Subscribed(symbol))

    def cut(self, symbol: str) -> None:
        """The line of the symbol's streams breaks."""
        self._say(symbol, Unavailable("the line is cut", reason="MARKET_DATA_UNAVAILABLE"))

    def _say(self, symbol: str, item: TopOfBook | Subscribed | Exception) -> None:
        for queue in self._queues.get(symbol, ()):
            queue.put_nowait(item)

    # -- MarketData ----------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        return sorted(self._instruments.values(), key=lambda one: one.symbol)

    async def instrument(self, symbol: str) -> Instrument | None:
        self.read.append(symbol)
        await self._answer(symbol in self.hanging)
        if symbol in self.failing:
            raise _down()
        return self._instruments.get(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        self.asked.append(sorted(symbols))
        await self._answer()
        return [self._quotes[symbol] for symbol in symbols if symbol in self._quotes]

    async def _answer(self, hangs: bool = False) -> None:
        await asyncio.sleep(0)
        if hangs or self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        return None

    async def bars(self, request: BarRequest) -> FetchedBars:
        return FetchedBars(())

    async def quotes(self, symbols: Collection[str]) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        queue: asyncio.Queue[TopOfBook | Subscribed | Exception] = asyncio.Queue()
        self.streams_opened += 1
        for symbol in symbols:
            self.open_streams[symbol] = self.open_streams.get(symbol, 0) + 1
            self._queues.setdefault(symbol, []).append(queue)
        try:
            while True:
                item = await queue.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            for symbol in symbols:
                self.open_streams[symbol] -= 1
                self._queues[symbol].remove(queue)

    def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade, None]:
        return _silence(Trade)

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncGenerator[Bar, None]:
        return _silence(Bar)

    def order_books(self, symbol: str, depth: int) -> AsyncGenerator[OrderBook, None]:
        return _silence(OrderBook)

    async def close(self) -> None:
        self._queues.clear()


def _down() -> DomainError:
    return Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE")


async def _silence(kind: type[T]) -> AsyncGenerator[T, None]:
    await asyncio.Event().wait()
    nothing: list[T] = []
    for item in nothing:
        yield item
