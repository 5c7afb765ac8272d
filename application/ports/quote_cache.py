"""Newest quotes that outlive a request, and, where servers share the cache, a process.

A cache may forget at any time: whoever asks it must be able to do without. What it cannot reach it does not have.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from domain.market_data.quote import TopOfBook


class ReceivedQuote(NamedTuple):
    """A quote, and when a server of ours received it."""

    quote: TopOfBook
    received_time: datetime

    def is_older_than(self, other: "ReceivedQuote") -> bool:
        """By when the venue made them; of two of one moment, by when they were received."""
        mine, theirs = self.quote.quote_time, other.quote.quote_time
        return mine < theirs or (mine == theirs and self.received_time < other.received_time)


class QuoteCache(Protocol):
    """Keyed by provider and symbol. No call raises or waits long: what fails is a miss."""

    async def get_many(self, provider: str, symbols: Collection[str]) -> Mapping[str, ReceivedQuote]:
        """What is kept, by symbol; those that are not, or no longer, are left out."""
        ...

    async def put_many(self, provider: str, quotes: Collection[ReceivedQuote]) -> None:
        """Keep them for a while. One that is older than what is kept changes nothing."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
