"""One iteration over the provider for one topic, shared by all of its subscribers."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from application.market_data.bar_ranges import EARLIEST, longest
from application.market_data.market import Market
from application.market_data.source import Source
from application.market_data.subscriber import Subscriber
from application.market_data.topics import (
    CONFLATED,
    Channel,
    Item,
    Topic,
    Update,
    UpstreamNews,
    UpstreamState,
)
from application.market_data.upstreams import closing, interval_of, present, series_of, upstream
from domain.errors import DomainError
from domain.market_data.bar import Bar
from domain.market_data.quote import TopOfBook

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 30.0
_MOST_MISSED_BARS = 10_000

_log = logging.getLogger(__name__)


class Feed:
    """Runs while it has subscribers. An upstream that breaks or ends is opened again, and subscribers are told."""

    def __init__(self, market: Market, source: Source, topic: Topic, on_overflow: Callable[[Subscriber], None]) -> None:
        self._market = market
        self._source = source
        self._topic = topic
        self._on_overflow = on_overflow
        self._slot = _slot(topic) if topic.channel in CONFLATED else None
        self._supersedes = (
            _slot(topic._replace(channel=Channel.PARTIAL_BARS)) if topic.channel is Channel.BARS else None
        )
        self._subscribers: dict[Subscriber, None] = {}
        self._newest = self._known()
        self._broke: datetime | None = None
        self._complete_until = market.clock.now()
        self._given_until = EARLIEST
        self.task = asyncio.create_task(self._run(), name=f"feed {_slot(topic)}")

    # -- subscribers ---------------------------------------------------------------------------------

    def join(self, subscriber: Subscriber) -> None:
        """From now on; of a conflated channel, the present item at once where it is known."""
        self._subscribers[subscriber] = None
        if self._newest is not None and not self._is_over(self._newest.item):
            subscriber.offer(self._newest)
        if self._broke is not None:
            subscriber.offer(self._news(UpstreamState.RECONNECTING, self._broke))

    def leave(self, subscriber: Subscriber) -> bool:
        """True when that was the last one: then the iteration has been told to end."""
        self._subscribers.pop(subscriber, None)
        if not self._subscribers:
            self.task.cancel()
        return not self._subscribers

    def _known(self) -> Update | None:
        quote = self._market.board.known(self._source) if self._topic.channel is Channel.QUOTES else None
        return None if quote is None else self._update(quote)

    def _is_over(self, item: Item) -> bool:
        """A bar was the running one when it was read: by now it may be complete, with other values."""
        return isinstance(item, Bar) and item.close_time <= self._market.clock.now()

    def _publish(self, item: Item) -> None:
        if self._slot is not None:
            if self._newest is not None and self._newest.item == item:
                return
            self._newest = update = self._update(item)
        else:
            update = self._update(item)
        self._offer(update)

    def _offer(self, update: Update) -> None:
        behind = [subscriber for subscriber in self._subscribers if not subscriber.offer(update)]
        for subscriber in behind:
            self._on_overflow(subscriber)

    def _update(self, item: Item) -> Update:
        return Update(self._topic, item, self._market.clock.now(), self._slot, self._supersedes)

    # -- the upstream --------------------------------------------------------------------------------

    async def _run(self) -> None:
        wait = _FIRST_RETRY_SECONDS
        while True:
            cause = ""
            try:
                item = await present(self._market, self._source, self._topic)
                if item is not None:
                    self._publish(item)
                opened = False
                async with closing(upstream(self._market, self._source, self._topic)) as items:
                    async for item in items:
                        if self._was_given(item):
                            continue
                        if not opened:
                            await self._catch_up(item)
                            opened, wait = True, _FIRST_RETRY_SECONDS
                        self._take(item)
            except DomainError as error:
                cause = error.message
                _log.warning("the upstream of %s broke: %s", _slot(self._topic), cause)
            except Exception as error:
                # Whatever a provider raises, its subscribers are better served by the next attempt.
                _log.warning("the upstream of %s broke: %s", _slot(self._topic), error, exc_info=self._broke is None)
            if self._broke is None:
                self._broke = self._market.clock.now()
                self._offer(self._news(UpstreamState.RECONNECTING, self._broke, cause))
            await self._market.clock.sleep(wait)
            wait = min(2 * wait, _LONGEST_RETRY_SECONDS)

    def _was_given(self, item: Item) -> bool:
        """A new connection may begin with bars of the old one, which tell nothing of what came in between."""
        return isinstance(item, Bar) and not item.partial and item.close_time <= self._given_until

    def _take(self, item: Item) -> None:
        if isinstance(item, Bar) and not item.partial:
            self._complete_until = self._given_until = item.close_time
        elif isinstance(item, TopOfBook):
            self._market.board.offer(self._source.provider.name, item)
        self._publish(item)

    async def _catch_up(self, first: Item) -> None:
        """Give what came before the `first` item of an upstream, where the provider keeps it, and tell of a break.

        Also at the beginning: a subscription takes its time, and a bar may have been completed meanwhile.
        """
        state = UpstreamState.RESUBSCRIBED
        if self._topic.channel is Channel.BARS and isinstance(first, Bar):
            state = UpstreamState.BACKFILLED
            if first.open_time > self._complete_until:
                for bar in await self._missed(first):
                    self._take(bar)
        broke, self._broke = self._broke, None
        if broke is not None:
            self._offer(self._news(state, broke))

    async def _missed(self, first: Bar) -> list[Bar]:
        start = self._complete_until - longest(interval_of(self._topic)) - timedelta(days=1)
        series = series_of(self._market, self._source, self._topic)
        found = await series.between(start, first.open_time, _MOST_MISSED_BARS)
        return [bar for bar in found.bars if bar.close_time > self._complete_until and not bar.partial]

    def _news(self, state: UpstreamState, since: datetime, cause: str = "") -> Update:
        now = self._market.clock.now()
        news = UpstreamNews(self._topic.symbol, state, since, now, cause)
        return Update(self._topic, news, now, f"news {_slot(self._topic)}")


def _slot(topic: Topic) -> str:
    interval = topic.interval.value + " extended" * topic.extended_hours if topic.interval else ""
    return f"{topic.channel.name} {topic.provider} {topic.symbol} {interval}{topic.depth or ''}".strip()
