"""Two servers whose boards share Redis: what one received the other need not ask for; losing Redis costs no answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from adapters.cache.redis_quote_cache import RedisQuoteCache
from adapters.cache.redis_settings import RedisSettings
from adapters.clock import ManualClock
from application.market_data.providers import Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from tests.support.market import FRIDAY_NOON
from tests.support.provider import SpokenMarketData
from tests.support.redis import RedisServer

_MOST_LOOKS = 300


class Servers:
    """Two boards on one provider, each with a cache of its own on the same Redis server."""

    def __init__(self) -> None:
        self.redis = RedisServer()
        self.clock = ManualClock(FRIDAY_NOON)
        self.live = SpokenMarketData(self.clock)
        self.live.list("AAPL")
        settings = RedisSettings(self.redis.url, timeout_seconds=0.25, retry_seconds=0.05)
        self.caches = [RedisQuoteCache(settings), RedisQuoteCache(settings)]
        self.boards = [self._board(cache) for cache in self.caches]

    def _board(self, cache: RedisQuoteCache) -> QuoteBoard:
        providers = Providers([self.live.offer()], self.live.name)
        return QuoteBoard(providers, cache, self.clock, BoardSettings(share_seconds=0.001))

    async def close(self) -> None:
        for board in self.boards:
            await board.close()
        for cache in self.caches:
            await cache.close()
        self.redis.remove()

    async def is_shared(self, bid: str) -> None:
        """Return once Redis has this price."""
        for _ in range(_MOST_LOOKS):
            if await self._has(bid):
                return
            await asyncio.sleep(0.01)
            self.clock.advance(0.001)
        raise AssertionError(f"{bid} is not shared")

    async def _has(self, bid: str) -> bool:
        found = await self.caches[1].get_many("live", ["AAPL"])
        return "AAPL" in found and str(found["AAPL"].quote.bid_price) == bid


@pytest.fixture
async def servers() -> AsyncIterator[Servers]:
    servers = Servers()
    yield servers
    await servers.close()


async def test_what_one_server_has_just_received_the_other_does_not_ask_for(servers: Servers) -> None:
    quote = servers.live.quote("AAPL", "187")
    await servers.boards[0].ensure(["AAPL"])
    await servers.is_shared("187")
    await servers.boards[1].ensure(["AAPL"])
    assert servers.boards[1].latest("AAPL") == quote
    assert servers.live.asked == [["AAPL"]]


async def _kill(servers: Servers) -> None:
    servers.redis.kill()


async def _freeze(servers: Servers) -> None:
    servers.redis.freeze()


@pytest.mark.parametrize("lose", [_kill, _freeze])
async def test_losing_redis_changes_no_answer(servers: Servers, lose: Callable[[Servers], Awaitable[None]]) -> None:
    servers.live.quote("AAPL", "187")
    await servers.boards[0].ensure(["AAPL"])
    await servers.is_shared("187")
    await lose(servers)
    for bid in ("188", "189"):
        servers.clock.advance(1)
        quote = servers.live.quote("AAPL", bid)
        await asyncio.gather(*(board.ensure(["AAPL"]) for board in servers.boards))
        assert [board.latest("AAPL") for board in servers.boards] == [quote, quote]
    servers.redis.kill()
    servers.redis.start()
    await asyncio.sleep(0.06)
    servers.clock.advance(1)
    servers.live.quote("AAPL", "190")
    await servers.boards[0].ensure(["AAPL"])
    await servers.is_shared("190")
