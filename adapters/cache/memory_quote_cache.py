"""Quotes kept in this process."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from application.ports.clock import Clock
from application.ports.quote_cache import ReceivedQuote


class _Kept(NamedTuple):
    received: ReceivedQuote
    until: datetime


class MemoryQuoteCache:
    """Keeps each quote for `keep_seconds`, and `most` of them: those that were put longest ago go first."""

    def __init__(self, clock: Clock, keep_seconds: float = 300.0, most: int = 50_000) -> None:
        if keep_seconds <= 0:
            raise ValueError(f"keep_seconds: must be above 0, not {keep_seconds}")
        if most < 1:
            raise ValueError(f"most: must be at least 1, not {most}")
        self._clock = clock
        self._keep = timedelta(seconds=keep_seconds)
        self._most = most
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def get_many(self, provider: str, symbols: Collection[str]) -> Mapping[str, ReceivedQuote]:
        found = ((symbol, self._find((provider, symbol))) for symbol in symbols)
        return {symbol: received for symbol, received in found if received is not None}

    async def put_many(self, provider: str, quotes: Collection[ReceivedQuote]) -> None:
        until = self._clock.now() + self._keep
        for received in quotes:
            key = provider, received.quote.symbol
            known = self._find(key)
            if known is not None and received.is_older_than(known):
                continue
            self._kept[key] = _Kept(received, until)
            self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    async def close(self) -> None:
        self._kept.clear()

    def _find(self, key: tuple[str, str]) -> ReceivedQuote | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock.now():
            del self._kept[key]
            return None
        return kept.received
