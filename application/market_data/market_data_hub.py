"""All live subscriptions of the process: however many readers, the provider is asked once a topic."""

import asyncio
from collections.abc import Iterable

from application.market_data.feed import Feed
from application.market_data.market import Market
from application.market_data.source import Source
from application.market_data.subscriber import Subscriber
from application.market_data.topics import Topic


class MarketDataHub:
    """Feeds by topic. One begins with the first subscriber of its topic and ends with the last."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._feeds: dict[Topic, Feed] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def open_topics(self) -> int:
        return len(self._feeds)

    def subscribe(self, subscriber: Subscriber, wanted: Iterable[tuple[Source, Topic]]) -> None:
        """Add those topics that the subscriber does not have."""
        for source, topic in wanted:
            if topic not in subscriber.topics:
                subscriber.topics[topic] = None
                self._feed(source, topic).join(subscriber)

    def unsubscribe(self, subscriber: Subscriber, topics: Iterable[Topic]) -> None:
        """Drop `topics`, and what the subscriber has not taken of them."""
        for topic in topics:
            if topic in subscriber.topics:
                del subscriber.topics[topic]
                self._leave(subscriber, topic)
                subscriber.forget(topic)

    def close(self, subscriber: Subscriber) -> None:
        """The reader is gone."""
        self._drop(subscriber)
        subscriber.close()

    def _feed(self, source: Source, topic: Topic) -> Feed:
        feed = self._feeds.get(topic)
        if feed is None:
            feed = self._feeds[topic] = Feed(self._market, source, topic, self._drop)
        return feed

    def _drop(self, subscriber: Subscriber) -> None:
        for topic in subscriber.topics:
            self._leave(subscriber, topic)
        subscriber.topics.clear()

    def _leave(self, subscriber: Subscriber, topic: Topic) -> None:
        feed = self._feeds[topic]
        if feed.leave(subscriber):
            del self._feeds[topic]
            self._ending.add(feed.task)
            feed.task.add_done_callback(self._ending.discard)
