"""Where the updates of a topic come from: one iteration over the provider a channel."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from application.market_data.bar_ranges import running_bar
from application.market_data.market import Market
from application.market_data.topics import Channel, Item, Topic
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.quote import OrderBook, Quote, Trade

T = TypeVar("T")


async def present(market: Market, topic: Topic) -> Item | None:
    """What a conflated topic shows now; None where there is nothing, and for channels of things that happen."""
    read = _PRESENT.get(topic.channel)
    return None if read is None else await read(market, topic)


def upstream(market: Market, topic: Topic) -> AsyncIterator[Item]:
    """The items of `topic` from now on."""
    return _UPSTREAMS[topic.channel](market, topic)


def interval_of(topic: Topic) -> BarInterval:
    if topic.interval is None:
        raise ValueError(f"{topic.channel.name} without an interval")
    return topic.interval


async def _quote(market: Market, topic: Topic) -> Quote | None:
    await market.quotes.ensure((topic.symbol,))
    return market.quotes.latest(topic.symbol)


async def _order_book(market: Market, topic: Topic) -> OrderBook | None:
    return await market.data.order_book(topic.symbol, topic.depth)


async def _partial_bar(market: Market, topic: Topic) -> Bar | None:
    return await running_bar(market, topic.symbol, interval_of(topic))


def _quotes(market: Market, topic: Topic) -> AsyncIterator[Quote]:
    return market.data.quotes((topic.symbol,))


def _trades(market: Market, topic: Topic) -> AsyncIterator[Trade]:
    return market.data.trades((topic.symbol,))


def _bars(market: Market, topic: Topic) -> AsyncIterator[Bar]:
    return market.data.live_bars((topic.symbol,), interval_of(topic))


async def _with_each_quote(market: Market, topic: Topic) -> AsyncIterator[Item]:
    """Quotes say when to look again: a reader of quotes that is slower than they are is given the newest."""
    async with _closing(_quotes(market, topic)) as quotes:
        async for _ in quotes:
            item = await present(market, topic)
            if item is not None:
                yield item


@asynccontextmanager
async def _closing(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """An inner generator is not closed by the end of the outer one."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()


_PRESENT: dict[Channel, Callable[[Market, Topic], Awaitable[Item | None]]] = {
    Channel.QUOTES: _quote,
    Channel.PARTIAL_BARS: _partial_bar,
    Channel.ORDER_BOOK: _order_book,
}

_UPSTREAMS: dict[Channel, Callable[[Market, Topic], AsyncIterator[Item]]] = {
    Channel.QUOTES: _quotes,
    Channel.TRADES: _trades,
    Channel.BARS: _bars,
    Channel.PARTIAL_BARS: _with_each_quote,
    Channel.ORDER_BOOK: _with_each_quote,
}
