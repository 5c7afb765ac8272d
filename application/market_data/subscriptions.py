"""The subscriptions of one stream to which they are added, and from which they are removed, while it runs."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.queries.get_order_book_query import DEFAULT_DEPTH
from application.market_data.subscriber import Subscriber
from application.market_data.topics import Channel, Topic
from domain.errors import DomainError, NotFound, Throttled
from domain.market_data.bar import BarInterval

MOST_SUBSCRIPTIONS = 10_000


@dataclass(frozen=True, slots=True)
class SubscriptionsChanged:
    """What a request changed; `failures` are symbols that could not be subscribed to."""

    added: Sequence[Topic]
    removed: Sequence[Topic]
    failures: Sequence[tuple[str, DomainError]]
    active: int


class Subscriptions:
    """Channel, symbol and interval are a subscription's identity: adding one again changes nothing."""

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

    def add(
        self,
        channel: Channel,
        symbols: Collection[str],
        interval: BarInterval | None = None,
        depth: int = 0,
        provider: str = "",
    ) -> SubscriptionsChanged:
        """`depth` (levels a side of an order book) 0 means 10.

        Raises NotFound: PROVIDER_NOT_FOUND; Throttled: QUOTA_EXCEEDED when they would be too many.
        """
        self._market.require_provider(provider)
        depth = (depth or DEFAULT_DEPTH) if channel is Channel.ORDER_BOOK else 0
        added, failures = list[Topic](), list[tuple[str, DomainError]]()
        for symbol in symbols:
            try:
                self._market.instrument(symbol)
                added.append(Topic(channel, symbol, interval, depth))
            except NotFound as error:
                failures.append((symbol, error))
        added = [topic for topic in added if _identity(topic) not in self._topics]
        if len(self._topics) + len(added) > self._most:
            raise Throttled(
                f"subscribe.symbols: a stream holds at most {self._most} subscriptions, and has {len(self._topics)}",
                0.0,
                reason="QUOTA_EXCEEDED",
            )
        self._topics.update((_identity(topic), topic) for topic in added)
        self._hub.subscribe(self._subscriber, added)
        return SubscriptionsChanged(added, (), failures, len(self._topics))

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
            and provider in ("", self._market.data.name)
        ]
        for topic in removed:
            del self._topics[_identity(topic)]
        self._hub.unsubscribe(self._subscriber, removed)
        return SubscriptionsChanged((), removed, (), len(self._topics))


def _identity(topic: Topic) -> Topic:
    return topic._replace(depth=0)
