"""The subscriptions of one stream to which they are added, and from which they are removed, while it runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.queries.get_order_book_query import DEFAULT_DEPTH
from application.market_data.source import Source
from application.market_data.subscriber import Subscriber
from application.market_data.topics import Channel, Topic, require_live, topic_of
from domain.errors import DomainError, Throttled
from domain.market_data.bar import BarInterval

MOST_SUBSCRIPTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asked to subscribe to, looked up; `failures` are symbols that cannot be."""

    topics: Sequence[tuple[Source, Topic]]
    failures: Sequence[tuple[str, DomainError]]


@dataclass(frozen=True, slots=True)
class SubscriptionsChanged:
    """What a request changed; `failures` are symbols that could not be subscribed to."""

    added: Sequence[Topic]
    removed: Sequence[Topic]
    failures: Sequence[tuple[str, DomainError]]
    active: int


class Subscriptions:
    """Channel, provider, symbol and interval are a subscription's identity: adding one again changes nothing."""

    def __init__(
        self, market: Market, hub: MarketDataHub, subscriber: Subscriber, most: int = MOST_SUBSCRIPTIONS
    ) -> None:
        self._market = market
        self._hub = hub
        self._subscriber = subscriber
        self._most = most
        self._topics: dict[Topic, Topic] = {}

    def topics(self) -> Sequence[Topic]:
        """In the order in which they were made."""
        return tuple(self._topics.values())

    async def look_up(
        self,
        channel: Channel,
        symbols: Collection[str],
        interval: BarInterval | None = None,
        depth: int = 0,
        provider: str = "",
    ) -> Wanted:
        """Find the sources, which may take a provider some time; nothing changes yet.

        `depth` (levels a side of an order book) 0 means 10. Raises NotFound: PROVIDER_NOT_FOUND.
        """
        if provider:
            self._market.providers.offer(provider)
        depth = (depth or DEFAULT_DEPTH) if channel is Channel.ORDER_BOOK else 0
        topics, failures = list[tuple[Source, Topic]](), list[tuple[str, DomainError]]()
        for symbol, source in zip(symbols, await self._market.look_up(symbols, provider), strict=True):
            try:
                if isinstance(source, DomainError):
                    raise source
                require_live(source, channel, interval)
                topics.append((source, topic_of(source, channel, interval, depth)))
            except DomainError as error:
                failures.append((symbol, error))
        return Wanted(topics, failures)

    def add(self, wanted: Wanted) -> SubscriptionsChanged:
        """Raises Throttled: QUOTA_EXCEEDED when they would be too many."""
        fresh = [(source, topic) for source, topic in wanted.topics if _identity(topic) not in self._topics]
        if len(self._topics) + len(fresh) > self._most:
            raise Throttled(
                f"subscribe.symbols: a stream holds at most {self._most} subscriptions, and has {len(self._topics)}",
                0.0,
                reason="QUOTA_EXCEEDED",
            )
        self._topics.update((_identity(topic), topic) for _, topic in fresh)
        self._hub.subscribe(self._subscriber, fresh)
        return SubscriptionsChanged([topic for _, topic in fresh], (), wanted.failures, len(self._topics))

    def remove(
        self,
        channel: Channel | None = None,
        symbols: Collection[str] = (),
        interval: BarInterval | None = None,
        provider: str = "",
    ) -> SubscriptionsChanged:
        """Those that match everything that is given; an empty `symbols` is every symbol."""
        wanted = frozenset(symbols)
        removed = [
            topic
            for topic in self._topics.values()
            if channel in (None, topic.channel)
            and (not wanted or topic.symbol in wanted)
            and interval in (None, topic.interval)
            and provider in ("", topic.provider)
        ]
        for topic in removed:
            del self._topics[_identity(topic)]
        self._hub.unsubscribe(self._subscriber, removed)
        return SubscriptionsChanged((), removed, (), len(self._topics))


def _identity(topic: Topic) -> Topic:
    return topic._replace(depth=0)
