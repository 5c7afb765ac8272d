"""Where the updates of a topic come from: one iteration over the provider a channel."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from application.market_data.bar_ranges import running_bar
from application.market_data.market import Market
from application.market_data.topics import Channel, Item, Topic
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.quote import OrderBook, Quote, Trade

T = TypeVar("T")


def upstream(market: Market, topic: Topic) -> AsyncIterator[Item]:
    """The items of `topic` from now on; conflated channels begin with the present one."""
    return _UPSTREAMS[topic.channel](market, topic)


def interval_of(topic: Topic) -> BarInterval:
    if topic.interval is None:
        raise ValueError(f"{topic.channel.name} without an interval")
    return topic.interval


async def _quotes(market: Market, topic: Topic) -> AsyncIterator[Quote]:
    await market.quotes.ensure((topic.symbol,))
    latest = market.quotes.latest(topic.symbol)
    if latest is not None:
        yield latest
    async with _closing(market.data.quotes((topic.symbol,))) as quotes:
        async for quote in quotes:
            yield quote


async def _order_books(market: Market, topic: Topic) -> AsyncIterator[OrderBook]:
    """A book as often as its best prices or their sizes change."""
    async with _closing(_quotes(market, topic)) as quotes:
        async for _ in quotes:
            book = await market.data.order_book(topic.symbol, topic.depth)
            if book is not None:
                yield book


def _trades(market: Market, topic: Topic) -> AsyncIterator[Trade]:
    return market.data.trades((topic.symbol,))


def _bars(market: Market, topic: Topic) -> AsyncIterator[Bar]:
    return market.data.live_bars((topic.symbol,), interval_of(topic))


async def _partial_bars(market: Market, topic: Topic) -> AsyncIterator[Bar]:
    """Quotes say when to look: unlike trades, a reader that is slower than they are is given the newest."""
    async with _closing(_quotes(market, topic)) as quotes:
        async for _ in quotes:
            bar = await running_bar(market, topic.symbol, interval_of(topic))
            if bar is not None:
                yield bar


@asynccontextmanager
async def _closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """An inner generator is not closed by the end of the outer one."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


_UPSTREAMS: dict[Channel, Callable[[Market, Topic], AsyncIterator[Item]]] = {
    Channel.QUOTES: _quotes,
    Channel.TRADES: _trades,
    Channel.BARS: _bars,
    Channel.PARTIAL_BARS: _partial_bars,
    Channel.ORDER_BOOK: _order_books,
}
