"""One iteration over the provider for one topic, shared by all of its subscribers."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from application.market_data.bar_ranges import EARLIEST, longest
from application.market_data.market import Market
from application.market_data.market_hours import expected_close
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
from application.ports.market_data import Subscribed
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
        # The running bar comes beside the complete ones, whose feed tells it.
        self._tells_live = topic.channel is not Channel.PARTIAL_BARS
        self._subscribers: dict[Subscriber, None] = {}
        self._newest = self._known()
        self._live: Update | None = None
        self._broke: datetime | None = None
        self._complete_until = market.clock.now()
        self._given_until = EARLIEST
        self._wait = _FIRST_RETRY_SECONDS
        self.task = asyncio.create_task(self._run(), name=f"feed {_slot(topic)}")

    # -- subscribers ---------------------------------------------------------------------------------

    def join(self, subscriber: Subscriber) -> None:
        """From now on: of a conflated channel the present item at once, and then what is known of the upstream."""
        self._subscribers[subscriber] = None
        if self._newest is not None and not self._is_over(self._newest.item):
            subscriber.offer(self._newest)
        if self._live is not None and self._tells_live:
            subscriber.offer(self._live)
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
        while True:
            cause = ""
            try:
                await self._follow()
            except DomainError as error:
                cause = error.message
                _log.warning("the upstream of %s broke: %s", _slot(self._topic), cause)
            except Exception as error:
                # Whatever a provider raises, its subscribers are better served by the next attempt.
                _log.warning("the upstream of %s broke: %s", _slot(self._topic), error, exc_info=self._broke is None)
            self._tell_broke(cause)
            await self._market.clock.sleep(self._wait)
            self._wait = min(2 * self._wait, _LONGEST_RETRY_SECONDS)

    async def _follow(self) -> None:
        """One iteration over the provider, from its beginning until it breaks or ends."""
        now = await present(self._market, self._source, self._topic)
        if now is not None:
            self._publish(now)
        begun = False
        async with closing(upstream(self._market, self._source, self._topic)) as items:
            async for item in items:
                if isinstance(item, Subscribed):
                    await self._subscribed()
                elif not self._was_given(item):
                    if not begun:
                        await self._begin(item)
                        begun = True
                    self._take(item)

    def _was_given(self, item: Item) -> bool:
        """A new connection may begin with bars of the old one, which tell nothing of what came in between."""
        return isinstance(item, Bar) and not item.partial and item.close_time <= self._given_until

    def _take(self, item: Item) -> None:
        if isinstance(item, Bar) and not item.partial:
            self._complete_until = self._given_until = item.close_time
        elif isinstance(item, TopOfBook):
            self._market.board.offer(self._source.provider.name, item)
        self._publish(item)

    async def _subscribed(self) -> None:
        """The source says so, which of a quiet instrument may be long before its first item."""
        if self._broke is not None and self._topic.channel is Channel.BARS and self._may_have_missed():
            await self._catch_up(self._market.clock.now())
        self._tell_live()

    async def _begin(self, first: Item) -> None:
        """The `first` item of an upstream proves it as well.

        Bars may have been completed before it that nobody sent: a subscription takes its time.
        """
        if isinstance(first, Bar) and self._topic.channel is Channel.BARS and first.open_time > self._complete_until:
            await self._catch_up(first.open_time)
        self._wait = _FIRST_RETRY_SECONDS
        self._tell_live()

    def _tell_live(self) -> None:
        """Once for each upstream, after all that came before it."""
        if self._live is not None:
            return
        now, broke = self._market.clock.now(), self._broke
        self._live, self._broke = self._news(UpstreamState.LIVE, now), None
        if broke is not None:
            back = UpstreamState.BACKFILLED if self._topic.channel is Channel.BARS else UpstreamState.RESUBSCRIBED
            self._offer(self._news(back, broke))
        elif self._tells_live:
            self._offer(self._live)

    def _tell_broke(self, cause: str) -> None:
        now, live = self._market.clock.now(), self._live
        if live is not None and now - live.received_time >= timedelta(seconds=_LONGEST_RETRY_SECONDS):
            self._wait = _FIRST_RETRY_SECONDS
        self._live = None
        if self._broke is None:
            self._broke = now
            self._offer(self._news(UpstreamState.RECONNECTING, now, cause))

    def _may_have_missed(self) -> bool:
        """Whether a bar should have been completed meanwhile."""
        series = series_of(self._market, self._source, self._topic)
        closes = expected_close(series.hours, series.interval, self._complete_until)
        return closes is not None and closes <= self._market.clock.now()

    async def _catch_up(self, end: datetime) -> None:
        """Give the bars that opened before `end` and are complete, where the provider keeps them."""
        start = self._complete_until - longest(interval_of(self._topic)) - timedelta(days=1)
        series = series_of(self._market, self._source, self._topic)
        found = await series.between(start, end, _MOST_MISSED_BARS)
        for bar in found.bars:
            if bar.close_time > self._complete_until and not bar.partial:
                self._take(bar)

    def _news(self, state: UpstreamState, since: datetime, cause: str = "") -> Update:
        now = self._market.clock.now()
        news = UpstreamNews(self._topic.symbol, state, since, now, cause)
        return Update(self._topic, news, now, f"news {_slot(self._topic)}")


def _slot(topic: Topic) -> str:
    interval = topic.interval.value + " extended" * topic.extended_hours if topic.interval else ""
    return f"{topic.channel.name} {topic.provider} {topic.symbol} {interval}{topic.depth or ''}".strip()
