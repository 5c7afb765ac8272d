"""A simulated market on a clock that the test moves, and what can go wrong with a provider."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import CAPABILITIES, Sessions, SimulationSettings
from adapters.persistence.memory_bar_store import MemoryBarStore
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from application.market_data.bar_catalogue import BarCatalogue
from application.market_data.instrument_book import InstrumentBook
from application.market_data.market import Market
from application.market_data.providers import Offer, Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.market_data.source import Source
from application.market_data.topics import Topic
from application.ports.market_data import (
    BarRequest,
    Capabilities,
    FetchedBars,
    LatestQuotes,
    MarketData,
    Subscribed,
)
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, Quote, Trade

T = TypeVar("T")

FRIDAY_NOON = datetime(2026, 11, 20, 17, 0, 0, 100, tzinfo=UTC)
"""Noon in New York, just after a minute has begun."""
TICK = 0.25
_TURNS = 20


class AtOnce(ThreadPoolExecutor):
    """Does what is given to threads where it is asked for, so that the loop's turns are all there is to wait for."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class FickleMarketData:
    """The simulated provider behind a line that a test can cut: iterations then fail at their next item.

    `opened` counts iterations that began, `running` those that go on, `given` quotes by symbol. `hidden` symbols
    are listed, but have no market. While the line is cut, `latest` stays what it was.
    """

    def __init__(self, provider: SimulatedMarketData, hidden: Collection[str] = ()) -> None:
        self.name = provider.name
        self.revision = provider.revision
        self.opened = 0
        self.running = 0
        self.given: Counter[str] = Counter()
        self.connected = True
        self.in_memory: LatestQuotes = FickleQuotes(self)
        self._provider = provider
        self._kept: dict[str, Quote] = {}
        self._hidden = frozenset(hidden)

    def latest(self, symbol: str) -> Quote | None:
        quote = self._provider.in_memory.latest(symbol)
        if self.connected and quote is not None and symbol not in self._hidden:
            self._kept[symbol] = quote
        return self._kept.get(symbol)

    def known(self, symbol: str) -> Instrument | None:
        return self._provider.in_memory.instrument(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        return self._provider.in_memory.price_range(symbol, seconds)

    async def instruments(self) -> Sequence[Instrument]:
        return await self._provider.instruments()

    async def instrument(self, symbol: str) -> Instrument | None:
        return self.known(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        return [quote for symbol in symbols if (quote := self.latest(symbol)) is not None]

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        return None if symbol in self._hidden else await self._provider.order_book(symbol, depth)

    async def bars(self, request: BarRequest) -> FetchedBars:
        return FetchedBars(()) if request.symbol in self._hidden else await self._provider.bars(request)

    async def quotes(self, symbols: Collection[str]) -> AsyncGenerator[Quote | Subscribed, None]:
        async with aclosing(self._line(symbols, self._provider.quotes(symbols))) as quotes:
            async for quote in quotes:
                self.given[quote.symbol] += not isinstance(quote, Subscribed)
                yield quote

    def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade | Subscribed, None]:
        return self._line(symbols, self._provider.trades(symbols))

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncGenerator[Bar | Subscribed, None]:
        return self._line(symbols, self._provider.live_bars(symbols, interval))

    def order_books(self, symbol: str, depth: int) -> AsyncGenerator[OrderBook | Subscribed, None]:
        return self._line((symbol,), self._provider.order_books(symbol, depth))

    async def close(self) -> None:
        await self._provider.close()

    async def _line(self, symbols: Collection[str], items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        self.opened += 1
        self.running += 1
        try:
            if self._hidden.issuperset(symbols):
                await asyncio.Event().wait()
            async with aclosing(items):
                async for item in items:
                    if not self.connected:
                        raise ConnectionError("the line is cut")
                    yield item
        finally:
            self.running -= 1


class FickleQuotes:
    """What of a fickle provider is in memory: the LatestQuotes port."""

    def __init__(self, market: FickleMarketData) -> None:
        self._market = market

    def instrument(self, symbol: str) -> Instrument | None:
        return self._market.known(symbol)

    def latest(self, symbol: str) -> Quote | None:
        return self._market.latest(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        return self._market.price_range(symbol, seconds)

    def wants(self, symbol: str) -> bool:
        return False

    async def ensure(self, symbols: Collection[str]) -> None:
        """Nothing to do."""


def offer(provider: MarketData, capabilities: Capabilities = CAPABILITIES) -> Offer:
    """`provider` as one that can serve; without `capabilities` what the simulated one can."""
    return Offer(provider.name, provider.name.title(), capabilities, lambda: None, lambda: provider)


def market_of(clock: ManualClock, *providers: Offer) -> Market:
    """A market of these providers, of which the first is the default, with nothing kept yet."""
    of_all = Providers(providers, providers[0].name)
    board = QuoteBoard(of_all, MemoryQuoteCache(clock), clock, BoardSettings())
    return Market(of_all, board, BarCatalogue(MemoryBarStore(), clock), InstrumentBook(MemoryInstrumentStore()), clock)


def simulated(
    now: datetime = FRIDAY_NOON, sessions: Sessions = "exchange", hidden: Collection[str] = ()
) -> tuple[ManualClock, FickleMarketData, Market]:
    asyncio.get_running_loop().set_default_executor(AtOnce())
    clock = ManualClock(now)
    provider = FickleMarketData(SimulatedMarketData(clock, SimulationSettings(sessions=sessions)), hidden)
    return clock, provider, market_of(clock, offer(provider))


async def wanted(market: Market, *topics: Topic) -> list[tuple[Source, Topic]]:
    """Each topic with its source, as a hub takes them."""
    return [(await market.source(topic.symbol, topic.provider), topic) for topic in topics]


async def settle() -> None:
    """Let every task go as far as it can, where no thread is waited for."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def advance(clock: ManualClock, seconds: float, step: float = TICK) -> None:
    """Move the clock in steps, and let every task keep up."""
    await settle()
    for _ in range(round(seconds / step)):
        clock.advance(step)
        await settle()
