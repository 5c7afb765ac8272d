"""Servers that share a Redis share what they hear of quotes; without it they say the same, only slower."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
import pytest_asyncio

from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest
from tests.end_to_end.books import eventually
from tests.end_to_end.vendor_desk import Desk, polygon_settings, polygon_vendor, quote, serving, snapshot, stock
from tests.end_to_end.vendor_streams import later, polygon_quote, reading
from tests.support.redis import RedisServer
from tests.support.server import Site
from tests.support.vendors.polygon import FakePolygon

pytestmark = pytest.mark.timeout(120)


class Pair(NamedTuple):
    first: Desk
    second: Desk
    polygon: FakePolygon
    redis: RedisServer

    @property
    def snapshots(self) -> int:
        """How often the vendor was asked for quotes."""
        return sum(path.startswith("/v3/snapshot") for path in self.polygon.requests)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    """Two servers of one vendor, with a database each, and a Redis that is lost and given back."""
    folder = tmp_path_factory.mktemp("pair")
    async with polygon_vendor() as polygon, AsyncExitStack() as stack:
        redis = RedisServer()
        stack.callback(redis.remove)
        polygon.tickers += [stock("IBM")]
        settings = {
            **polygon_settings(polygon),
            "board_fresh_seconds": 30,
            "board_quiet_seconds": 30,
            "board_share_seconds": 0.05,
            "market_routes": "AAPL=polygon, IBM=polygon",
            "market_cache": redis.url,
        }
        sites = [Site(folder, settings={"data_dir": folder / name}) for name in ("first", "second")]
        first, second = await asyncio.gather(*(stack.enter_async_context(serving(site, **settings)) for site in sites))
        yield Pair(first, second, polygon, redis)


async def test_what_one_server_hears_the_other_knows(pair: Pair) -> None:
    redis = pair.redis
    now = await pair.second.now()
    pair.polygon.snapshots["AAPL"] = snapshot("AAPL", 200, 201, now)
    heard = await quote(pair.first.client, "AAPL")
    assert pair.snapshots == 1

    async def shared() -> bool:
        return b"200" in redis.tell("GET", "quantmesh:quote:1:polygon:AAPL")

    await eventually(shared, "it was not shared")
    known = await quote(pair.second.client, "AAPL")
    assert (known.bid_price, known.ask_price, known.quote_time) == ("200", "201", heard.quote_time)
    assert pair.snapshots == 1, "the vendor was asked again for what the other server knew"

    request = StreamQuotesRequest(symbols=["IBM"])
    async with reading(pair.first.client.market.StreamQuotes(request)) as (reader,):
        await pair.polygon.until_subscribed("stocks", "Q.IBM")
        await pair.polygon.send("stocks", polygon_quote("IBM", 150, later(now, 1)))
        await reader.has("quote", 1)
        asked = pair.snapshots

        async def followed() -> bool:
            return b"150" in redis.tell("GET", "quantmesh:quote:1:polygon:IBM")

        await eventually(followed, "what is streamed was not shared")
        assert (await quote(pair.second.client, "IBM")).bid_price == "150"
        assert pair.snapshots == asked


async def test_losing_the_cache_changes_no_answer(pair: Pair) -> None:
    redis = pair.redis
    for lose, give_back in ((redis.kill, redis.start), (redis.freeze, redis.thaw)):
        old, new, known_to_one = [await _list(pair, f"{name}{lose.__name__.upper()}") for name in "ABC"]
        before = [await quote(desk.client, old, "polygon") for desk in (pair.first, pair.second)]
        await quote(pair.first.client, known_to_one, "polygon")
        lose()

        began = time.monotonic()
        after = [await quote(desk.client, old, "polygon") for desk in (pair.first, pair.second)]
        assert [one.quote_time for one in after] == [one.quote_time for one in before]
        for desk in (pair.first, pair.second):
            for symbol in (old, new, known_to_one):
                assert (await quote(desk.client, symbol, "polygon")).bid_price == "200"
        assert time.monotonic() - began < 2

        give_back()
        await eventually(lambda: _is_shared(pair), "a cache that is back is not used again")


async def _list(pair: Pair, symbol: str) -> str:
    pair.polygon.tickers.append(stock(symbol))
    pair.polygon.snapshots[symbol] = snapshot(symbol, 200, 201, await pair.second.now())
    return symbol


async def _is_shared(pair: Pair) -> bool:
    """Whether what a server hears now comes to the cache."""
    symbol = await _list(pair, f"S{len(pair.polygon.tickers)}")
    await quote(pair.first.client, symbol, "polygon")
    return b"200" in pair.redis.tell("GET", f"quantmesh:quote:1:polygon:{symbol}")
