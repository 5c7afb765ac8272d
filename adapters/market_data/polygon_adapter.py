"""Polygon (now called Massive): shares, funds, indices, currencies and crypto, by the vendor's own SDK."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from typing import Any, TypeVar

from adapters.market_data.polygon_bars import PolygonBars
from adapters.market_data.polygon_instruments import PolygonInstruments
from adapters.market_data.polygon_quotes import snapshot_quote
from adapters.market_data.polygon_rest import MOST_SNAPSHOTS, NAME, PolygonRest
from adapters.market_data.polygon_settings import PolygonSettings
from adapters.market_data.polygon_stream import BAR_INTERVALS, EVENTS, Channel, PolygonStream
from adapters.market_data.polygon_symbols import Cluster, polygon_name
from adapters.market_data.provider_errors import not_capable
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars, Subscribed
from domain.errors import DomainError
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade

T = TypeVar("T")

_BAR_CHANNELS = {interval: channel for channel, interval in BAR_INTERVALS.items()}
_NO_BOOKS = "it has no order books"


class PolygonMarketData:
    """The provider "polygon"."""

    name = NAME
    revision = "1"

    def __init__(self, clock: Clock, settings: PolygonSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._rest = PolygonRest(settings)
        self._bars = PolygonBars(self._rest, settings.delay)
        self._instruments = PolygonInstruments(self._rest, clock)
        self._streams: dict[Cluster, PolygonStream] = {}

    # -- on request ----------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        return await self._instruments.all()

    async def instrument(self, symbol: str) -> Instrument | None:
        return await self._instruments.one(symbol)

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        tickers = {name.ticker: symbol for symbol in symbols if (name := polygon_name(symbol)) is not None}
        asked, found = sorted(tickers), dict[str, TopOfBook]()
        for first in range(0, len(asked), MOST_SNAPSHOTS):
            for row in await self._rest.snapshots(asked[first : first + MOST_SNAPSHOTS]):
                symbol = tickers.get(row.ticker) if isinstance(row.ticker, str) else None
                quote = None if symbol is None else snapshot_quote(symbol, row.last_quote, self._clock.now())
                if quote is not None:
                    found[quote.symbol] = quote
        return tuple(found.values())

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        raise not_capable(NAME, _NO_BOOKS)

    async def bars(self, request: BarRequest) -> FetchedBars:
        name = polygon_name(request.symbol)
        return FetchedBars(()) if name is None else await self._bars.fetch(name, request, self._clock.now())

    # -- live ----------------------------------------------------------------------------------------

    def quotes(self, symbols: Collection[str]) -> AsyncIterator[TopOfBook | Subscribed]:
        return self._open(Channel.QUOTES, symbols)

    def trades(self, symbols: Collection[str]) -> AsyncIterator[Trade | Subscribed]:
        return self._open(Channel.TRADES, symbols)

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncIterator[Bar | Subscribed]:
        channel = _BAR_CHANNELS.get(interval)
        if channel is None:
            return _refused(not_capable(NAME, f"it does not stream bars of {interval.value}"))
        return self._open(channel, symbols)

    def order_books(self, symbol: str, depth: int) -> AsyncIterator[OrderBook | Subscribed]:
        return _refused(not_capable(NAME, _NO_BOOKS))

    async def close(self) -> None:
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))
        await self._instruments.close()
        await self._rest.close()

    def _open(self, channel: Channel, symbols: Collection[str]) -> AsyncGenerator[Any, None]:
        """Of the socket of each market that the symbols are of."""
        by_cluster: dict[Cluster, list[str]] = {}
        for symbol in symbols:
            if name := polygon_name(symbol):
                by_cluster.setdefault(name.cluster, []).append(symbol)
        for cluster in by_cluster:
            if channel not in EVENTS[cluster]:
                what = channel.value.lower().replace("_", " ")
                return _refused(not_capable(NAME, f"it has no {what} of {cluster.value}"))
        return _merged([self._stream(cluster).upstreams[channel].open(keys) for cluster, keys in by_cluster.items()])

    def _stream(self, cluster: Cluster) -> PolygonStream:
        stream = self._streams.get(cluster)
        if stream is None:
            stream = self._streams[cluster] = PolygonStream(cluster, self._settings, self._clock)
        return stream


async def _refused(error: DomainError) -> AsyncGenerator[Any, None]:
    """An iterator that fails when it is read."""
    nothing: tuple[Any, ...] = ()
    for one in nothing:
        yield one
    raise error


async def _merged(sources: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """The items of all, each as it comes; the failure of one ends it."""
    waiting = {asyncio.ensure_future(anext(source)): source for source in sources}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                source = waiting.pop(task)
                try:
                    item = task.result()
                except StopAsyncIteration:
                    continue
                waiting[asyncio.ensure_future(anext(source))] = source
                yield item
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for source in sources:
            await source.aclose()
