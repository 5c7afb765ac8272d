"""A market that needs no network: realistic, deterministic, and readable at any moment past or present.

Every price is a pure function of seed, symbol and time. Nothing runs in the background and nothing is
stored, so a restart, another process or a faster clock sees the very same market.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from adapters.market_data.simulation_bars import BarQuery
from adapters.market_data.simulation_quotes import SimulatedQuotes, simulated_listings
from adapters.market_data.simulation_settings import SimulationSettings
from adapters.market_data.simulation_tape import EPOCH
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars, LatestQuotes, Subscribed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, Quote, Trade

_INSTANT = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)


class SimulatedMarketData:
    """The simulated provider. `in_memory` shows the same market without waiting."""

    name = "simulated"

    def __init__(self, clock: Clock, settings: SimulationSettings) -> None:
        self.revision = f"{settings.seed}/{settings.sessions}"
        self._clock = clock
        self._tick = timedelta(seconds=settings.tick_interval)
        self._listings = simulated_listings(settings)
        self.in_memory: LatestQuotes = SimulatedQuotes(clock, self._tick, self._listings)

    async def instruments(self) -> Sequence[Instrument]:
        return [self._listings[symbol].instrument for symbol in sorted(self._listings)]

    async def instrument(self, symbol: str) -> Instrument | None:
        return self.in_memory.instrument(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        return [quote for symbol in symbols if (quote := self.in_memory.latest(symbol)) is not None]

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        quote = self.in_memory.latest(symbol)
        return None if quote is None else self._listings[symbol].tape.order_book(quote, depth)

    async def bars(self, request: BarRequest) -> FetchedBars:
        listing = self._listings.get(request.symbol)
        if listing is None:
            return FetchedBars(())
        query = BarQuery(request.interval, request.start, request.end, request.limit, self._clock.now())
        # On a thread: a thousand long bars take some ten milliseconds, which no other caller should wait for.
        return FetchedBars(await asyncio.to_thread(listing.bars.bars, query))

    async def quotes(self, symbols: Collection[str]) -> AsyncGenerator[Quote | Subscribed, None]:
        known = self._known(symbols)
        sent: dict[str, datetime] = {}
        for symbol in known:
            yield Subscribed(symbol)
        while known:
            for symbol in known:
                quote = self.in_memory.latest(symbol)
                if quote is not None and quote.quote_time != sent.get(symbol):
                    sent[symbol] = quote.quote_time
                    yield quote
            await self._clock.sleep(self._until_next_tick())

    async def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade | Subscribed, None]:
        known = self._known(symbols)
        after = self._clock.now()
        for symbol in known:
            yield Subscribed(symbol)
        while known:
            now = self._clock.now()
            until = min(now, after + _MINUTE)
            prints = [trade for symbol in known for trade in self._listings[symbol].tape.trades(after, until)]
            for trade in sorted(prints, key=lambda trade: trade.trade_time):
                yield trade
            after = until
            await self._clock.sleep(0 if until < now else self._until_next_tick())

    async def live_bars(
        self, symbols: Collection[str], interval: BarInterval
    ) -> AsyncGenerator[Bar | Subscribed, None]:
        started = self._clock.now()
        spans = {symbol: self._listings[symbol].bars.next_span(interval, started) for symbol in self._known(symbols)}
        for symbol in spans:
            yield Subscribed(symbol)
        while spans:
            symbol, (opens, closes) = min(spans.items(), key=lambda item: item[1][1])
            await self._clock.sleep(max(0.0, (closes - self._clock.now()).total_seconds()))
            for bar in self._listings[symbol].bars.bars(BarQuery(interval, opens, opens + _INSTANT, 1, closes)):
                yield bar
            spans[symbol] = self._listings[symbol].bars.next_span(interval, closes)

    async def order_books(self, symbol: str, depth: int) -> AsyncGenerator[OrderBook | Subscribed, None]:
        """One with each quote: it is what the quote is the top of."""
        async with aclosing(self.quotes((symbol,))) as quotes:
            async for quote in quotes:
                book = quote if isinstance(quote, Subscribed) else await self.order_book(symbol, depth)
                if book is not None:
                    yield book

    async def close(self) -> None:
        """Nothing is held."""

    def _known(self, symbols: Collection[str]) -> list[str]:
        return sorted(self._listings.keys() & set(symbols))

    def _until_next_tick(self) -> float:
        return (self._tick - (self._clock.now() - EPOCH) % self._tick).total_seconds()
