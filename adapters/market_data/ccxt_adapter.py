"""Market data of one crypto exchange, any that ccxt knows: requests by REST, streams by its sockets."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from adapters.market_data.ccxt_candles import CcxtCandles, timeframe
from adapters.market_data.ccxt_instruments import instrument_of
from adapters.market_data.ccxt_line import CcxtLine
from adapters.market_data.ccxt_live_candles import LiveCandles
from adapters.market_data.ccxt_settings import NAME, CcxtSettings
from adapters.market_data.ccxt_streams import CcxtStreams, Read, Watch, merged
from adapters.market_data.ccxt_values import (
    RawBook,
    book_of,
    event_time,
    is_news,
    quote_of,
    raw_book,
    top_of,
    trade_of,
)
from adapters.market_data.provider_errors import not_capable
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars, Subscribed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade

T = TypeVar("T")

_MOST_NAMED = 50
_BOOK_LIMITS = (100, 500, 1000)


class CcxtMarketData:
    """The ccxt provider. May be built on any thread; everything else runs on the event loop."""

    name = NAME

    def __init__(self, clock: Clock, settings: CcxtSettings) -> None:
        # What one exchange has, or its test network, is not what another has.
        self.revision = f"1/{settings.exchange}{'/sandbox' * settings.sandbox}"
        self._clock = clock
        self._settings = settings
        self._line = CcxtLine(clock, settings)
        self._candles = CcxtCandles(self._line)
        self._streams = CcxtStreams(self._line, settings)
        self._converted_from: object = None
        self._instruments: dict[str, Instrument] = {}
        self._depths: dict[str, list[int]] = {}

    # -- requests ------------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        return list((await self._catalogue()).values())

    async def instrument(self, symbol: str) -> Instrument | None:
        return (await self._catalogue()).get(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        wanted = await self._known(symbols)
        exchange = await self._line.exchange()
        quotes: dict[str, TopOfBook | None] = {}
        for feature, method in (("fetchBidsAsks", "fetch_bids_asks"), ("fetchTickers", "fetch_tickers")):
            if wanted and exchange.has.get(feature) is True:
                quotes = await self._ticked(method, wanted)
                break
        for symbol in wanted:
            if symbol not in quotes:
                book = await self.order_book(symbol, 1)
                quotes[symbol] = None if book is None else top_of(book)
        return [quote for quote in quotes.values() if quote is not None]

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        if symbol not in await self._catalogue():
            return None
        exchange = await self._line.require("fetchOrderBook", "order books")
        limit = next((limit for limit in _BOOK_LIMITS if limit >= depth), _BOOK_LIMITS[-1])
        most = exchange.feature_value(symbol, "fetchOrderBook", "limit")
        return await self._line.ask(
            lambda book: book_of(symbol, raw_book(book, depth, self._clock.now()), depth),
            "fetch_order_book",
            symbol,
            min(limit, most) if isinstance(most, int) else limit,
        )

    async def bars(self, request: BarRequest) -> FetchedBars:
        if request.symbol not in await self._catalogue():
            return FetchedBars(())
        return await self._candles.bars(request)

    async def close(self) -> None:
        await asyncio.gather(self._streams.close(), self._line.close())

    async def _catalogue(self) -> Mapping[str, Instrument]:
        exchange = await self._line.exchange()
        if exchange.markets is not self._converted_from:
            found = (instrument_of(one, exchange.precisionMode, exchange.name) for one in exchange.markets.values())
            self._instruments = {one.symbol: one for one in sorted(filter(None, found), key=lambda one: one.symbol)}
            self._converted_from = exchange.markets
        return self._instruments

    async def _known(self, symbols: Collection[str]) -> list[str]:
        catalogue = await self._catalogue()
        return [symbol for symbol in dict.fromkeys(symbols) if symbol in catalogue]

    async def _ticked(self, method: str, symbols: list[str]) -> dict[str, TopOfBook | None]:
        """By symbol, those that the exchange gave; many are asked for as all, for an address has an end."""

        def read(tickers: Mapping[str, Any]) -> dict[str, TopOfBook | None]:
            now = self._clock.now()
            return {
                symbol: quote_of(symbol, one, event_time(one.get("timestamp") if stamped else None, now))
                for symbol in symbols
                if (one := tickers.get(symbol)) is not None
            }

        # The time of a ticker is that of its last trade.
        stamped = method == "fetch_bids_asks"
        return await self._line.ask(read, method, symbols if len(symbols) <= _MOST_NAMED else None)

    # -- streams -------------------------------------------------------------------------------------

    async def quotes(self, symbols: Collection[str]) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        if (await self._line.exchange()).has.get("watchBidsAsks") is True:
            items = self._each(await self._known(symbols), self._bids_asks)
        else:
            await self._line.require("watchOrderBook", "streams of quotes")
            items = self._each(await self._known(symbols), self._tops)
        async with aclosing(items):
            async for quote in items:
                yield quote

    async def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade | Subscribed, None]:
        await self._line.require("watchTrades", "streams of trades")
        async with aclosing(self._each(await self._known(symbols), self._trades)) as trades:
            async for trade in trades:
                yield trade

    async def live_bars(
        self, symbols: Collection[str], interval: BarInterval
    ) -> AsyncGenerator[Bar | Subscribed, None]:
        exchange = await self._line.require("watchOHLCV", "streams of bars")
        if timeframe(interval) not in exchange.timeframes or interval in (BarInterval.WEEK_1, BarInterval.MONTH_1):
            raise not_capable(NAME, f"{exchange.id} has no stream of bars of {interval.value}")
        known = await self._known(symbols)
        async with aclosing(self._each(known, lambda symbol: self._bars(symbol, interval))) as bars:
            async for bar in bars:
                yield bar

    async def order_books(self, symbol: str, depth: int) -> AsyncGenerator[OrderBook | Subscribed, None]:
        await self._line.require("watchOrderBook", "streams of order books")
        if not await self._known((symbol,)):
            return
        depths = self._depths.setdefault(symbol, [])
        depths.append(depth)
        try:
            async with aclosing(self._books(symbol)) as books:
                async for raw in books:
                    book = raw if isinstance(raw, Subscribed) else book_of(symbol, raw, depth)
                    if book is not None:
                        yield book
        finally:
            depths.remove(depth)

    def _each(
        self, symbols: Sequence[str], one: Callable[[str], AsyncGenerator[T | Subscribed, None]]
    ) -> AsyncGenerator[T | Subscribed, None]:
        return one(symbols[0]) if len(symbols) == 1 else merged([one(symbol) for symbol in symbols])

    # -- one subscription each -----------------------------------------------------------------------

    def _bids_asks(self, symbol: str) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        async def read(exchange: Any) -> Sequence[TopOfBook]:
            tickers = await exchange.watch_bids_asks([symbol])
            # Of several messages in one packet, ccxt gives the first and keeps the last.
            ticker = exchange.bidsasks.get(symbol) or tickers[symbol]
            quote = quote_of(symbol, ticker, event_time(ticker.get("timestamp"), self._clock.now()))
            return () if quote is None else (quote,)

        return self._streams.open(
            "quotes",
            symbol,
            lambda: Watch(lambda: read, lambda exchange: exchange.un_watch_bids_asks([symbol]), conflate=True),
        )

    async def _tops(self, symbol: str) -> AsyncGenerator[TopOfBook | Subscribed, None]:
        async with aclosing(self.order_books(symbol, 1)) as books:
            async for book in books:
                yield book if isinstance(book, Subscribed) else top_of(book)

    def _trades(self, symbol: str) -> AsyncGenerator[Trade | Subscribed, None]:
        def begin() -> Read[Trade]:
            begun = False

            async def read(exchange: Any) -> Sequence[Trade]:
                nonlocal begun
                given = list(await exchange.watch_trades(symbol))
                # What is read need not be kept: a thousand of each symbol would be gigabytes.
                if (kept := exchange.trades.get(symbol)) is not None:
                    kept.clear()
                now = self._clock.now()
                trades = [trade for one in given if (trade := trade_of(symbol, one, now)) is not None]
                news = trades if begun else [trade for trade in trades if is_news(trade, now)]
                begun = True
                return sorted(news, key=lambda trade: trade.trade_time)

            return read

        return self._streams.open(
            "trades", symbol, lambda: Watch(begin, lambda exchange: exchange.un_watch_trades(symbol), conflate=False)
        )

    def _bars(self, symbol: str, interval: BarInterval) -> AsyncGenerator[Bar | Subscribed, None]:
        def unsubscribe(exchange: Any) -> Awaitable[object]:
            ended: Awaitable[object] = exchange.un_watch_ohlcv(symbol, timeframe(interval))
            return ended

        return self._streams.open(
            ("bars", interval),
            symbol,
            lambda: Watch(
                lambda: LiveCandles(self._clock, self._candles, symbol, interval).read, unsubscribe, conflate=False
            ),
        )

    def _books(self, symbol: str) -> AsyncGenerator[RawBook | Subscribed, None]:
        async def read(exchange: Any) -> Sequence[RawBook]:
            book = await exchange.watch_order_book(symbol)
            return (raw_book(book, max(self._depths[symbol], default=1), self._clock.now()),)

        return self._streams.open(
            "book",
            symbol,
            lambda: Watch(lambda: read, lambda exchange: exchange.un_watch_order_book(symbol), conflate=True),
        )
