"""A simulated market on a clock that the test moves, and what can go wrong with a provider."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import Sessions, SimulatedMarketData, SimulationSettings
from application.market_data.market import Market
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, Quote, Trade

T = TypeVar("T")

FRIDAY_NOON = datetime(2026, 11, 20, 17, 0, 0, 100, tzinfo=UTC)
"""Noon in New York, just after a minute has begun."""
TICK = 0.25
_TURNS = 20


class FickleMarketData:
    """The simulated provider behind a line that a test can cut: iterations then fail at their next item.

    `opened` counts iterations that began, `running` those that go on, `given` quotes by symbol. `hidden` symbols
    are listed, but have no market.
    """

    def __init__(self, provider: SimulatedMarketData, hidden: Collection[str] = ()) -> None:
        self.name = provider.name
        self.opened = 0
        self.running = 0
        self.given: Counter[str] = Counter()
        self.connected = True
        self._provider = provider
        self._kept: dict[str, Quote] = {}
        self._hidden = frozenset(hidden)

    def instrument(self, symbol: str) -> Instrument | None:
        return self._provider.instrument(symbol)

    def latest(self, symbol: str) -> Quote | None:
        quote = self._provider.latest(symbol)
        if self.connected and quote is not None and symbol not in self._hidden:
            self._kept[symbol] = quote
        return self._kept.get(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        return self._provider.price_range(symbol, seconds)

    async def ensure(self, symbols: Collection[str]) -> None:
        await self._provider.ensure(symbols)

    async def instruments(self) -> Sequence[Instrument]:
        return await self._provider.instruments()

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        return None if symbol in self._hidden else await self._provider.order_book(symbol, depth)

    async def bars(
        self, symbol: str, interval: BarInterval, start: datetime, end: datetime, limit: int
    ) -> Sequence[Bar]:
        return () if symbol in self._hidden else await self._provider.bars(symbol, interval, start, end, limit)

    async def quotes(self, symbols: Collection[str]) -> AsyncGenerator[Quote, None]:
        async with aclosing(self._line(symbols, self._provider.quotes(symbols))) as quotes:
            async for quote in quotes:
                self.given[quote.symbol] += 1
                yield quote

    def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade, None]:
        return self._line(symbols, self._provider.trades(symbols))

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncGenerator[Bar, None]:
        return self._line(symbols, self._provider.live_bars(symbols, interval))

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


def simulated(
    now: datetime = FRIDAY_NOON, sessions: Sessions = "exchange", hidden: Collection[str] = ()
) -> tuple[ManualClock, FickleMarketData, Market]:
    clock = ManualClock(now)
    provider = FickleMarketData(SimulatedMarketData(clock, SimulationSettings(sessions=sessions)), hidden)
    return clock, provider, Market(provider, provider, clock)


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def advance(clock: ManualClock, seconds: float, step: float = TICK) -> None:
    """Move the clock in steps, and let every task keep up."""
    await settle()
    for _ in range(round(seconds / step)):
        clock.advance(step)
        await settle()
