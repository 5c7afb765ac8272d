"""Where the updates of a topic come from: what the provider pushes, or what it is asked for now and then."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from application.market_data.bar_ranges import BarSeries
from application.market_data.live_bars import bars_as_they_complete
from application.market_data.market import Market
from application.market_data.source import Source
from application.market_data.topics import Channel, Item, Topic
from application.ports.market_data import DataKind, Subscribed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.quote import OrderBook, TopOfBook, Trade

T = TypeVar("T")


async def present(market: Market, source: Source, topic: Topic) -> Item | None:
    """What a conflated topic shows now; None where there is nothing, and for channels of things that happen."""
    read = _PRESENT.get(topic.channel)
    return None if read is None else await read(market, source, topic)


def upstream(market: Market, source: Source, topic: Topic) -> AsyncIterator[Item | Subscribed]:
    """The items of `topic` from now on. What has to be asked for counts as subscribed once that has been answered."""
    return _UPSTREAMS[topic.channel](market, source, topic)


def interval_of(topic: Topic) -> BarInterval:
    if topic.interval is None:
        raise ValueError(f"{topic.channel.name} without an interval")
    return topic.interval


def series_of(market: Market, source: Source, topic: Topic) -> BarSeries:
    """The bars of a topic, as traded."""
    return BarSeries(market, source, interval_of(topic), extended_hours=topic.extended_hours)


async def _quote(market: Market, source: Source, topic: Topic) -> TopOfBook | None:
    return await market.board.newest(source)


async def _order_book(market: Market, source: Source, topic: Topic) -> OrderBook | None:
    if DataKind.ORDER_BOOKS not in source.capabilities.requests:
        return None
    return await source.provider.order_book(topic.symbol, topic.depth)


async def _partial_bar(market: Market, source: Source, topic: Topic) -> Bar | None:
    return await series_of(market, source, topic).running()


def _quotes(market: Market, source: Source, topic: Topic) -> AsyncIterator[Item | Subscribed]:
    if DataKind.QUOTES in source.capabilities.streams:
        return source.provider.quotes((topic.symbol,))
    return _now_and_then(market, source, topic)


def _trades(market: Market, source: Source, topic: Topic) -> AsyncIterator[Trade | Subscribed]:
    return source.provider.trades((topic.symbol,))


def _bars(market: Market, source: Source, topic: Topic) -> AsyncIterator[Bar | Subscribed]:
    interval = interval_of(topic)
    # What sources push is of the regular session.
    if interval in source.capabilities.stream_bars and not topic.extended_hours:
        return source.provider.live_bars((topic.symbol,), interval)
    return bars_as_they_complete(series_of(market, source, topic))


def _order_books(market: Market, source: Source, topic: Topic) -> AsyncIterator[Item | Subscribed]:
    if DataKind.ORDER_BOOKS in source.capabilities.streams:
        return source.provider.order_books(topic.symbol, topic.depth)
    return _now_and_then(market, source, topic)


def _partial_bars(market: Market, source: Source, topic: Topic) -> AsyncIterator[Item | Subscribed]:
    if source.capabilities.local:
        return _with_each_quote(market, source, topic)
    return _now_and_then(market, source, topic)


async def _with_each_quote(market: Market, source: Source, topic: Topic) -> AsyncIterator[Item | Subscribed]:
    """Quotes say when to look again: a reader of quotes that is slower than they are is given the newest."""
    async with closing(_quotes(market, source, topic)) as quotes:
        async for quote in quotes:
            item = quote if isinstance(quote, Subscribed) else await present(market, source, topic)
            if item is not None:
                yield item


async def _now_and_then(market: Market, source: Source, topic: Topic) -> AsyncIterator[Item | Subscribed]:
    """A look costs a request: often enough to watch, seldom enough for the provider's limits. The first was at what
    is `present`: feeds begin with that.
    """
    yield Subscribed(topic.symbol)
    while True:
        await market.clock.sleep(source.capabilities.poll_seconds)
        item = await present(market, source, topic)
        if item is not None:
            yield item


@asynccontextmanager
async def closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """A generator that somebody stops reading is closed by nobody else."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


_PRESENT: dict[Channel, Callable[[Market, Source, Topic], Awaitable[Item | None]]] = {
    Channel.QUOTES: _quote,
    Channel.PARTIAL_BARS: _partial_bar,
    Channel.ORDER_BOOK: _order_book,
}

_UPSTREAMS: dict[Channel, Callable[[Market, Source, Topic], AsyncIterator[Item | Subscribed]]] = {
    Channel.QUOTES: _quotes,
    Channel.TRADES: _trades,
    Channel.BARS: _bars,
    Channel.PARTIAL_BARS: _partial_bars,
    Channel.ORDER_BOOK: _order_books,
}
