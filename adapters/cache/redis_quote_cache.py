"""Quotes kept in Redis, or in a server that speaks its protocol, for all servers that share it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeVar

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from adapters.cache.quote_codec import ORDER_LENGTH, decode, encode
from adapters.cache.redis_settings import RedisSettings
from application.ports.quote_cache import ReceivedQuote

T = TypeVar("T")

_log = logging.getLogger(__name__)

_AT_ONCE = 500
# One step of the server, so of two writers the one with the newer quote wins whoever comes last. Digits alone are
# compared, which sort the same in every locale.
_PUT = f"""
local order = '^' .. string.rep('%d', {ORDER_LENGTH})
for i, key in ipairs(KEYS) do
  local known = string.match(redis.call('GET', key) or '', order)
  if not known or known <= string.match(ARGV[i + 1], order) then
    redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
  end
end
"""


class RedisQuoteCache:
    """What Redis does not answer in time is a miss. Then it is left alone for a while, so that nobody waits for it.

    The client repeats nothing and waits shortly: a quote that comes late is of no use.
    """

    def __init__(self, settings: RedisSettings, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client = redis.asyncio.Redis.from_url(
            settings.url,
            socket_timeout=settings.timeout_seconds,
            socket_connect_timeout=settings.timeout_seconds,
            retry=Retry(NoBackoff(), 0),
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._put = self._client.register_script(_PUT)
        # The client's own bound raises instead of waiting for a free connection.
        self._places = asyncio.Semaphore(settings.most_connections)
        # Apart, because a server may be able to read and not to write: one that is full, or a replica.
        self._reads = _Outage("read", settings.retry_seconds, monotonic)
        self._writes = _Outage("written", settings.retry_seconds, monotonic)

    async def get_many(self, provider: str, symbols: Collection[str]) -> Mapping[str, ReceivedQuote]:
        found: dict[str, ReceivedQuote] = {}
        for names in _chunks(tuple(symbols)):
            keys = [self._key(provider, symbol) for symbol in names]
            values = await self._ask(self._reads, partial(self._client.mget, keys))
            for symbol, value in zip(names, values or (), strict=False):
                received = decode(symbol, value) if isinstance(value, bytes) else None
                if received is not None:
                    found[symbol] = received
        return found

    async def put_many(self, provider: str, quotes: Collection[ReceivedQuote]) -> None:
        keep = max(1, int(self._settings.keep_seconds * 1_000))
        for some in _chunks(tuple(quotes)):
            keys = [self._key(provider, received.quote.symbol) for received in some]
            await self._ask(self._writes, partial(self._put, keys, [keep, *map(encode, some)]))

    async def close(self) -> None:
        await self._client.aclose()

    def _key(self, provider: str, symbol: str) -> str:
        return f"{self._settings.prefix}:quote:1:{provider}:{symbol}"

    async def _ask(self, outage: "_Outage", call: Callable[[], Awaitable[T]]) -> T | None:
        if not outage.may_try():
            return None
        try:
            async with asyncio.timeout(self._settings.timeout_seconds), self._places:
                answer = await call()
        except Exception as error:
            # Whatever the client raises: a cache must not be what a request fails of.
            outage.began(error)
            # Idle connections lead to the same server: each of them would have to fail once.
            await self._client.connection_pool.disconnect(inuse_connections=False)
            return None
        outage.ended()
        return answer


class _Outage:
    """A failure is told once, and Redis then left alone; one caller at a time finds out whether it is back."""

    def __init__(self, what: str, retry_seconds: float, monotonic: Callable[[], float]) -> None:
        self._what = what
        self._retry_seconds = retry_seconds
        self._monotonic = monotonic
        self._lasts = False
        self._rests_until = 0.0

    def may_try(self) -> bool:
        if not self._lasts:
            return True
        now = self._monotonic()
        if now < self._rests_until:
            return False
        self._rests_until = now + self._retry_seconds
        return True

    def began(self, error: Exception) -> None:
        self._rests_until = self._monotonic() + self._retry_seconds
        if not self._lasts:
            self._lasts = True
            reason = str(error) or type(error).__name__
            _log.warning("shared quotes cannot be %s, Redis fails: %s", self._what, reason)

    def ended(self) -> None:
        if self._lasts:
            self._lasts = False
            _log.info("shared quotes can be %s again", self._what)


def _chunks(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
