"""The channels of both streams: what comes in on them, and who may read how much of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, TypeVar

from alpaca.data.live import CryptoDataStream, StockDataStream

from adapters.market_data.alpaca_books import AlpacaBooks
from adapters.market_data.alpaca_rows import is_crypto, live_bar, quote_of, trade_of
from adapters.market_data.alpaca_settings import MOST_LEVELS, AlpacaSettings
from adapters.market_data.alpaca_stream import AlpacaStream, Message, StreamChannel
from adapters.market_data.conventions import CRYPTO_HOURS, US_EQUITY_HOURS
from adapters.market_data.upstream_channels import Upstream
from application.ports.clock import Clock
from application.ports.market_data import Subscribed
from domain.market_data.bar import Bar
from domain.market_data.quote import OrderBook, TopOfBook, Trade
from domain.market_data.trading_hours import TradingHours

T = TypeVar("T")


class _Kind:
    """The channels of one stream: of stocks, or of crypto."""

    def __init__(self, clock: Clock, settings: AlpacaSettings, hours: TradingHours) -> None:
        self._clock = clock
        self._hours = hours
        self._lot = settings.shares_per_lot
        self._books = AlpacaBooks(MOST_LEVELS)
        self.quotes = Upstream[TopOfBook](conflate=True)
        self.trades = Upstream[Trade](conflate=False)
        self.bars = Upstream[Bar](conflate=False)
        self.order_books = Upstream[OrderBook](conflate=True)

    def channels(self) -> dict[str, StreamChannel]:
        """By the SDK's names."""
        return {
            "quotes": StreamChannel(self.quotes, partial(_give, self.quotes, self._quote)),
            "trades": StreamChannel(self.trades, partial(_give, self.trades, trade_of)),
            "bars": StreamChannel(self.bars, partial(_give, self.bars, self._bar)),
        }

    def book_channels(self) -> dict[str, StreamChannel]:
        take = partial(_give, self.order_books, self._books.take)
        return {"orderbooks": StreamChannel(self.order_books, take, self._books.forget)}

    def _quote(self, symbol: str, message: Message) -> TopOfBook | None:
        return quote_of(symbol, message, self._lot)

    def _bar(self, symbol: str, message: Message) -> Bar | None:
        return live_bar(symbol, self._hours, message, self._clock.now())


def _give(upstream: Upstream[T], read: Callable[[str, Message], T | None], symbol: str, message: Message) -> None:
    item = read(symbol, message)
    if item is not None:
        upstream.publish(symbol, item)


class AlpacaChannels:
    """Iterators over one or both streams; those of several symbols may need both."""

    def __init__(self, clock: Clock, settings: AlpacaSettings) -> None:
        self._stocks = _Kind(clock, settings, US_EQUITY_HOURS)
        self._crypto = _Kind(clock, settings, CRYPTO_HOURS)
        key, secret, base = settings.key_id, settings.secret_key, settings.stream_url

        def stocks(params: dict[str, Any]) -> StockDataStream:
            # The URL says which feed: the SDK's own list of them lacks some.
            url = f"{base}/v2/{settings.feed}"
            return StockDataStream(key, secret, raw_data=True, url_override=url, websocket_params=params)

        def crypto(params: dict[str, Any]) -> CryptoDataStream:
            url = f"{base}/v1beta3/crypto/us"
            return CryptoDataStream(key, secret, raw_data=True, url_override=url, websocket_params=params)

        most = settings.most_stream_symbols
        crypto_channels = self._crypto.channels() | self._crypto.book_channels()
        self._stock_stream = AlpacaStream(clock, settings, stocks, self._stocks.channels(), most)
        self._crypto_stream = AlpacaStream(clock, settings, crypto, crypto_channels)

    def quotes(self, symbols: Collection[str]) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        return self._open(self._stocks.quotes, self._crypto.quotes, symbols, limited=True)

    def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade | Subscribed, None]:
        return self._open(self._stocks.trades, self._crypto.trades, symbols, limited=True)

    def bars(self, symbols: Collection[str]) -> AsyncGenerator[Bar | Subscribed, None]:
        return self._open(self._stocks.bars, self._crypto.bars, symbols)

    def order_books(self, symbol: str) -> AsyncGenerator[OrderBook | Subscribed, None]:
        return self._crypto.order_books.open((symbol,))

    async def close(self) -> None:
        await asyncio.gather(self._stock_stream.close(), self._crypto_stream.close())

    async def _open(
        self, stocks: Upstream[T], crypto: Upstream[T], symbols: Collection[str], *, limited: bool = False
    ) -> AsyncGenerator[T | Subscribed, None]:
        of_crypto = {symbol for symbol in symbols if is_crypto(symbol)}
        of_stocks = set(symbols) - of_crypto
        if limited:
            self._stock_stream.require_room(of_stocks)
            self._crypto_stream.require_room(of_crypto)
        wanted = [one.open(keys) for one, keys in ((stocks, of_stocks), (crypto, of_crypto)) if keys]
        async with aclosing(wanted[0] if len(wanted) == 1 else merged(wanted)) as items:
            async for item in items:
                yield item


async def merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """The items of all, as they come; ends with the first that ends."""
    steps = {asyncio.ensure_future(anext(source)): source for source in sources}
    try:
        while steps:
            done, _ = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
            for step in done:
                source = steps.pop(step)
                try:
                    item = step.result()
                except StopAsyncIteration:
                    return
                steps[asyncio.ensure_future(anext(source))] = source
                yield item
    finally:
        for step in steps:
            step.cancel()
        if steps:
            await asyncio.wait(steps)
        for source in sources:
            await source.aclose()
