"""Alpaca as a provider of market data: stocks and funds of the United States, and crypto."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace

from adapters.market_data.alpaca_bars import BarFetch
from adapters.market_data.alpaca_channels import AlpacaChannels
from adapters.market_data.alpaca_instruments import AlpacaInstruments
from adapters.market_data.alpaca_quotes import book_now, quotes_now
from adapters.market_data.alpaca_rest import AlpacaRest
from adapters.market_data.alpaca_rows import is_crypto
from adapters.market_data.alpaca_settings import MOST_LEVELS, NAME, AlpacaSettings
from adapters.market_data.provider_errors import not_capable
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars, Subscribed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade


class AlpacaMarketData:
    """The Alpaca provider. Its requests run on threads of its own, its streams on the event loop."""

    name = NAME

    def __init__(self, clock: Clock, settings: AlpacaSettings) -> None:
        self.revision = f"1/{settings.feed}"  # what one feed has is not what another has
        self._clock = clock
        self._settings = settings
        self._rest = AlpacaRest(clock, settings)
        self._instruments = AlpacaInstruments(clock, settings, self._rest)
        self._live = AlpacaChannels(clock, settings)

    async def instruments(self) -> Sequence[Instrument]:
        return await self._instruments.all()

    async def instrument(self, symbol: str) -> Instrument | None:
        return await self._instruments.one(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        return await self._rest.call(lambda rest: quotes_now(rest, self._settings, symbols))

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        _require_crypto(symbol)
        return await self._rest.call(lambda rest: book_now(rest, symbol, min(depth, MOST_LEVELS)))

    async def bars(self, request: BarRequest) -> FetchedBars:
        return await self._rest.call(BarFetch(self._settings, request, self._clock.now()).fetch)

    def quotes(self, symbols: Collection[str]) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        return self._live.quotes(symbols)

    def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade | Subscribed, None]:
        return self._live.trades(symbols)

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncGenerator[Bar | Subscribed, None]:
        if interval is not BarInterval.MINUTE_1:
            raise not_capable(NAME, f"it streams bars of {BarInterval.MINUTE_1.value} only")
        return self._live.bars(symbols)

    async def order_books(self, symbol: str, depth: int) -> AsyncGenerator[OrderBook | Subscribed, None]:
        _require_crypto(symbol)
        async with aclosing(self._live.order_books(symbol)) as books:
            async for book in books:
                if isinstance(book, Subscribed):
                    yield book
                else:
                    yield replace(book, bids=book.bids[:depth], asks=book.asks[:depth])

    async def close(self) -> None:
        await self._live.close()
        self._rest.close()


def _require_crypto(symbol: str) -> None:
    if not is_crypto(symbol):
        raise not_capable(NAME, "it has order books of crypto only")
