"""Redis that goes away, hangs, comes back empty or holds what is not ours: a miss, soon, and never an error."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.cache.quote_codec import encode
from adapters.cache.redis_quote_cache import RedisQuoteCache
from adapters.cache.redis_settings import RedisSettings
from application.ports.quote_cache import ReceivedQuote
from domain.market_data.quote import Quote
from tests.support.redis import RedisServer

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
TIMEOUT, RETRY = 0.25, 5.0


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def seen(at: float = 0, symbol: str = "AAPL") -> ReceivedQuote:
    made = NOON + timedelta(seconds=at)
    return ReceivedQuote(Quote(symbol, Decimal(10), Decimal(1), Decimal(11), Decimal(1), made), made)


@pytest.fixture(scope="module")
def shared() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.remove()


@pytest.fixture
def server(shared: RedisServer) -> Iterator[RedisServer]:
    """Up and empty at the start of each test, whatever the one before did to it."""
    shared.kill()
    shared.start()
    yield shared
    shared.thaw_if_running()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def cache(server: RedisServer, seconds: Seconds) -> AsyncIterator[RedisQuoteCache]:
    settings = RedisSettings(server.url, timeout_seconds=TIMEOUT, retry_seconds=RETRY)
    cache = RedisQuoteCache(settings, seconds)
    yield cache
    await cache.close()


async def test_a_server_that_is_killed_is_a_miss_and_one_that_is_back_is_used_again(
    server: RedisServer, cache: RedisQuoteCache, seconds: Seconds
) -> None:
    await cache.put_many("polygon", [seen(1)])
    server.kill()
    assert await cache.get_many("polygon", ["AAPL"]) == {}
    await cache.put_many("polygon", [seen(2)])
    server.start()
    seconds.now += RETRY
    assert await cache.get_many("polygon", ["AAPL"]) == {}, "it came back empty"
    await cache.put_many("polygon", [seen(3)])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(3)}


async def test_every_idle_connection_to_a_dead_server_is_given_up_at_once(
    server: RedisServer, cache: RedisQuoteCache, seconds: Seconds
) -> None:
    await asyncio.gather(*(cache.get_many("polygon", ["AAPL"]) for _ in range(8)))
    server.freeze()
    assert await cache.get_many("polygon", ["AAPL"]) == {}
    server.kill()
    server.start()
    seconds.now += RETRY
    await cache.put_many("polygon", [seen(1)])
    for _ in range(8):
        assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(1)}


async def test_a_server_that_hangs_delays_one_call_by_the_time_out_and_then_none(
    server: RedisServer, cache: RedisQuoteCache
) -> None:
    await cache.put_many("polygon", [seen(1)])
    server.freeze()
    began = time.monotonic()
    assert await cache.get_many("polygon", ["AAPL"]) == {}
    assert TIMEOUT * 0.8 < time.monotonic() - began < TIMEOUT * 4
    began = time.monotonic()
    for _ in range(100):
        assert await cache.get_many("polygon", ["AAPL"]) == {}
    assert time.monotonic() - began < TIMEOUT * 0.8


async def test_while_it_hangs_one_caller_tries_again_and_the_others_go_on_without_it(
    server: RedisServer, cache: RedisQuoteCache, seconds: Seconds
) -> None:
    server.freeze()
    await cache.get_many("polygon", ["AAPL"])
    seconds.now += RETRY
    trying = asyncio.create_task(cache.get_many("polygon", ["AAPL"]))
    await asyncio.sleep(0)
    began = time.monotonic()
    await asyncio.gather(*(cache.get_many("polygon", ["AAPL"]) for _ in range(50)))
    assert time.monotonic() - began < TIMEOUT * 0.8
    assert await trying == {}


async def test_an_answer_that_comes_too_late_is_not_taken_for_that_of_the_next_call(
    server: RedisServer, cache: RedisQuoteCache, seconds: Seconds
) -> None:
    await cache.put_many("polygon", [seen(1, "AAPL"), seen(2, "MSFT")])
    server.freeze()
    assert await cache.get_many("polygon", ["AAPL"]) == {}
    server.thaw()
    seconds.now += RETRY
    for symbol, at in (("MSFT", 2), ("AAPL", 1), ("MSFT", 2)):
        assert await cache.get_many("polygon", [symbol]) == {symbol: seen(at, symbol)}


async def test_a_caller_that_is_cancelled_leaves_no_answer_behind(cache: RedisQuoteCache) -> None:
    await cache.put_many("polygon", [seen(1, "AAPL"), seen(2, "MSFT")])
    for turns in range(12):
        asking = asyncio.create_task(cache.get_many("polygon", ["AAPL"]))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking])
        assert await cache.get_many("polygon", ["MSFT"]) == {"MSFT": seen(2, "MSFT")}


async def test_an_outage_is_told_once_and_so_is_its_end(
    server: RedisServer, cache: RedisQuoteCache, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "adapters.cache.redis_quote_cache")
    server.kill()
    for _ in range(5):
        await cache.get_many("polygon", ["AAPL"])
        seconds.now += RETRY
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    server.start()
    for _ in range(3):
        await cache.get_many("polygon", ["AAPL"])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_server_that_takes_no_writes_can_still_be_read(
    server: RedisServer, cache: RedisQuoteCache, seconds: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    await cache.put_many("polygon", [seen(1)])
    server.tell("REPLICAOF", "127.0.0.1", "1")
    for at in range(2, 6):
        await cache.put_many("polygon", [seen(at)])
        assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(1)}
        seconds.now += RETRY
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    "value",
    ["", "nonsense", "9", "0" * 40, "0" * 40 + "\x96", "0" * 40 + "\x93\x01\x02\x03"],
)
async def test_what_is_no_quote_of_ours_is_a_miss_and_is_replaced(
    server: RedisServer, cache: RedisQuoteCache, value: str
) -> None:
    server.tell("SET", "quantmesh:quote:1:polygon:AAPL", value)
    assert await cache.get_many("polygon", ["AAPL"]) == {}
    await cache.put_many("polygon", [seen(1)])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(1)}


async def test_a_key_of_another_kind_is_a_miss(server: RedisServer, cache: RedisQuoteCache) -> None:
    server.tell("LPUSH", "quantmesh:quote:1:polygon:AAPL", "x")
    assert await cache.get_many("polygon", ["AAPL"]) == {}


async def test_keys_expire_by_themselves(server: RedisServer, cache: RedisQuoteCache) -> None:
    await cache.put_many("polygon", [seen(1)])
    left = int(server.tell("PTTL", "quantmesh:quote:1:polygon:AAPL").strip(b":\r\n"))
    assert 0 < left <= 300_000


async def test_racing_servers_leave_the_newest_quote_in_the_one_they_share(
    server: RedisServer, cache: RedisQuoteCache
) -> None:
    patient = RedisSettings(server.url, timeout_seconds=10)
    others = [RedisQuoteCache(patient) for _ in range(4)]

    async def write(other: RedisQuoteCache, first: int) -> None:
        for at in range(first, 100, 4):
            await other.put_many("polygon", [seen(at)])

    await asyncio.gather(*(write(other, first) for first, other in enumerate(others)))
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(99)}
    for other in others:
        await other.close()


def test_a_password_in_the_url_is_not_shown() -> None:
    assert "hush" not in repr(RedisSettings("redis://user:hush@localhost"))


def test_the_bytes_of_a_newer_quote_sort_behind_those_of_an_older_one() -> None:
    quotes = [seen(at) for at in (-90_000, -1, 0, 0.000_001, 1, 59, 3_600, 10**8)]
    assert sorted(quotes, key=lambda received: encode(received)[:40]) == quotes


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": "http://localhost"}, "url"),
        ({"prefix": ""}, "prefix"),
        ({"keep_seconds": 0}, "keep_seconds"),
        ({"keep_seconds": 86_401}, "keep_seconds"),
        ({"timeout_seconds": -1}, "timeout_seconds"),
        ({"retry_seconds": 0}, "retry_seconds"),
        ({"most_connections": 0}, "most_connections"),
    ],
)
def test_settings_that_break_a_rule_name_their_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: must"):
        RedisSettings(**({"url": "redis://localhost"} | changes))  # type: ignore[arg-type]  # values of each field's type
