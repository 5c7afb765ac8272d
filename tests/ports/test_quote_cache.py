"""What every quote cache must keep: run against the one in process and against Redis on a real server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TypeAlias

import pytest

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.cache.redis_quote_cache import RedisQuoteCache
from adapters.cache.redis_settings import RedisSettings
from adapters.clock import SystemClock
from application.ports.quote_cache import QuoteCache, ReceivedQuote
from domain.market_data.quote import Quote, TopOfBook
from tests.support.redis import redis_server

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
PRICE = Decimal("187.25")

_numbers = count(1)
Opens: TypeAlias = Callable[[float], QuoteCache]


def seen(symbol: str = "AAPL", at: float = 0, received: float = 0, bid: Decimal = PRICE) -> ReceivedQuote:
    """A quote made `at` seconds after noon, and received then or `received` seconds later."""
    made = NOON + timedelta(seconds=at)
    quote = Quote(symbol, bid, Decimal(100), bid + 1, Decimal("0.5"), made)
    return ReceivedQuote(quote, made + timedelta(seconds=received))


@pytest.fixture(params=["memory", "redis"])
async def opens(request: pytest.FixtureRequest) -> AsyncIterator[Opens]:
    opened: list[QuoteCache] = []
    prefix = f"test-{next(_numbers)}"

    def one(keep_seconds: float) -> QuoteCache:
        if request.param == "redis":
            # Patient: this suite is about what is kept, on a machine that may be busy.
            settings = RedisSettings(redis_server().url, prefix, keep_seconds, timeout_seconds=5)
            opened.append(RedisQuoteCache(settings))
        else:
            opened.append(MemoryQuoteCache(SystemClock(), keep_seconds))
        return opened[-1]

    yield one
    for cache in opened:
        await cache.close()


@pytest.fixture
def cache(opens: Opens) -> QuoteCache:
    return opens(60)


async def test_what_was_put_is_given_back_as_it_was(cache: QuoteCache) -> None:
    quotes = [seen("AAPL"), seen("BTC/USDT", received=0.000_001, bid=Decimal("0.000000012345678901"))]
    await cache.put_many("polygon", quotes)
    found = await cache.get_many("polygon", ["AAPL", "BTC/USDT"])
    assert found == {"AAPL": quotes[0], "BTC/USDT": quotes[1]}
    assert all(type(received.quote) is Quote for received in found.values())


@pytest.mark.parametrize(
    "quote",
    [
        TopOfBook("AAPL", PRICE, Decimal(1), None, None, NOON),
        TopOfBook("AAPL", None, None, PRICE, Decimal(1), NOON),
        TopOfBook("AAPL", PRICE, None, PRICE, None, NOON),
        TopOfBook("AAPL", None, None, None, None, NOON),
    ],
)
async def test_a_side_that_is_missing_stays_missing(cache: QuoteCache, quote: TopOfBook) -> None:
    received = ReceivedQuote(quote, NOON)
    await cache.put_many("polygon", [received])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": received}


async def test_what_was_never_put_is_left_out(cache: QuoteCache) -> None:
    await cache.put_many("polygon", [seen("AAPL")])
    assert list(await cache.get_many("polygon", ["MSFT", "AAPL"])) == ["AAPL"]
    assert await cache.get_many("polygon", []) == {}


async def test_the_quotes_of_one_provider_are_not_those_of_another(cache: QuoteCache) -> None:
    await cache.put_many("polygon", [seen(at=1)])
    await cache.put_many("alpaca", [seen(at=2)])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(at=1)}
    assert await cache.get_many("yfinance", ["AAPL"]) == {}


async def test_a_newer_quote_replaces_an_older_one_and_never_the_other_way(cache: QuoteCache) -> None:
    for at in (1, 3, 2, 0):
        await cache.put_many("polygon", [seen(at=at)])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(at=3)}


async def test_of_two_quotes_of_one_moment_the_one_received_last_is_kept(cache: QuoteCache) -> None:
    for received, bid in ((2, 10), (3, 11), (1, 12)):
        await cache.put_many("polygon", [seen(received=received, bid=Decimal(bid))])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(received=3, bid=Decimal(11))}


async def test_within_one_call_the_newest_wins_too(cache: QuoteCache) -> None:
    await cache.put_many("polygon", [seen(at=1), seen(at=3), seen(at=2)])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(at=3)}


async def test_writers_that_race_leave_the_newest_of_each_symbol(cache: QuoteCache) -> None:
    symbols = [f"S{number}" for number in range(20)]
    writes = [[seen(symbol, at=at) for symbol in symbols] for at in range(50)]
    random.Random(7).shuffle(writes)
    await asyncio.gather(*(cache.put_many("polygon", quotes) for quotes in writes))
    found = await cache.get_many("polygon", symbols)
    assert {received.quote.quote_time for received in found.values()} == {NOON + timedelta(seconds=49)}
    assert found.keys() == set(symbols)


async def test_what_is_too_old_is_forgotten(opens: Opens) -> None:
    cache = opens(0.2)
    await cache.put_many("polygon", [seen(at=5)])
    assert await cache.get_many("polygon", ["AAPL"])
    await asyncio.sleep(0.3)
    assert await cache.get_many("polygon", ["AAPL"]) == {}
    await cache.put_many("polygon", [seen(at=4)])
    assert await cache.get_many("polygon", ["AAPL"]) == {"AAPL": seen(at=4)}


async def test_thousands_of_symbols_go_in_one_call(cache: QuoteCache) -> None:
    quotes = [seen(f"S{number}", at=number) for number in range(2_500)]
    await cache.put_many("polygon", quotes)
    found = await cache.get_many("polygon", [received.quote.symbol for received in quotes])
    assert list(found.values()) == quotes
