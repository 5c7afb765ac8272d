"""Putting what one provider's quotes are into the cache, without anybody waiting for it."""

import asyncio

from application.ports.clock import Clock
from application.ports.quote_cache import QuoteCache, ReceivedQuote


class QuoteSharing:
    """The first quote goes at once, those that follow in bundles: of each symbol the newest."""

    def __init__(self, provider: str, cache: QuoteCache, clock: Clock, seconds: float) -> None:
        self._provider = provider
        self._cache = cache
        self._clock = clock
        self._seconds = seconds
        self._waiting: dict[str, ReceivedQuote] = {}
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def put(self, received: ReceivedQuote) -> None:
        if self._closed:
            return
        self._waiting[received.quote.symbol] = received
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"sharing quotes of {self._provider}")

    def close(self) -> list[asyncio.Task[None]]:
        """Gives the task that has been told to end."""
        self._closed = True
        if self._task is None:
            return []
        self._task.cancel()
        return [self._task]

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            await self._cache.put_many(self._provider, waiting.values())
            await self._clock.sleep(self._seconds)
