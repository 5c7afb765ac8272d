"""What can be subscribed to, and what subscribers get."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from application.market_data.source import Source
from application.ports.market_data import DataKind
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.quote import OrderBook, TopOfBook, Trade


class Channel(Enum):
    """BARS are the complete ones, each; PARTIAL_BARS is the one that is running, as it changes."""

    QUOTES = "QUOTES"
    TRADES = "TRADES"
    BARS = "BARS"
    PARTIAL_BARS = "PARTIAL_BARS"
    ORDER_BOOK = "ORDER_BOOK"


CONFLATED = frozenset({Channel.QUOTES, Channel.PARTIAL_BARS, Channel.ORDER_BOOK})


class Topic(NamedTuple):
    """One channel of one instrument at a provider. `interval` and `extended_hours` are for bars, `depth` (levels a
    side) for order books.
    """

    channel: Channel
    provider: str
    symbol: str
    interval: BarInterval | None = None
    depth: int = 0
    extended_hours: bool = False


_KINDS = {
    Channel.QUOTES: DataKind.QUOTES,
    Channel.TRADES: DataKind.TRADES,
    Channel.BARS: DataKind.BARS,
    Channel.PARTIAL_BARS: DataKind.BARS,
    Channel.ORDER_BOOK: DataKind.ORDER_BOOKS,
}


def require_live(source: Source, channel: Channel, interval: BarInterval | None = None) -> None:
    """Raise PreconditionFailed, PROVIDER_NOT_CAPABLE, when the provider cannot be watched so."""
    source.require_live(_KINDS[channel])
    if interval is not None:
        source.require_bars(interval, PriceAdjustment.RAW, False)


def topic_of(
    source: Source,
    channel: Channel,
    interval: BarInterval | None = None,
    depth: int = 0,
    extended_hours: bool = False,
) -> Topic:
    return Topic(channel, source.provider.name, source.symbol, interval, depth, extended_hours)


class UpstreamState(Enum):
    """LIVE is the first word of an upstream that is subscribed; of one that was lost it is one of the last two."""

    LIVE = "LIVE"
    RECONNECTING = "RECONNECTING"
    RESUBSCRIBED = "RESUBSCRIBED"
    BACKFILLED = "BACKFILLED"


@dataclass(frozen=True, slots=True)
class UpstreamNews:
    """A topic's upstream is live, broke, or is back; data may be missing from `gap_start` to `at`, when it is back.

    `cause` is why it broke, as its provider tells it; empty where that is for the log alone.
    """

    symbol: str
    state: UpstreamState
    gap_start: datetime
    at: datetime
    cause: str = ""

    def after(self, earlier: "UpstreamNews") -> "UpstreamNews":
        """It for a reader who has not been told of `earlier`: its gap is then a part of this one's."""
        is_known = earlier.state is UpstreamState.LIVE or earlier.gap_start >= self.gap_start
        return self if is_known else replace(self, gap_start=earlier.gap_start)


Item = TopOfBook | Trade | Bar | OrderBook | UpstreamNews


class Update:
    """One item for all subscribers of a topic.

    `slot`: an update replaces an earlier one of its slot that a subscriber has not taken; None for one that
    is never replaced. `supersedes`: the slot that it empties. `forms` is for the transport, which keeps here
    what it makes of the update, so that it does so once for all subscribers.
    """

    __slots__ = ("forms", "item", "received_time", "slot", "supersedes", "topic")

    def __init__(
        self, topic: Topic, item: Item, received_time: datetime, slot: str | None, supersedes: str | None = None
    ) -> None:
        self.topic = topic
        self.item = item
        self.received_time = received_time
        self.slot = slot
        self.supersedes = supersedes
        self.forms: dict[object, bytes] = {}
