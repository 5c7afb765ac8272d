"""Alpaca's live data on bad days: streams that break, vendors that refuse, and the end of it all."""

import asyncio
import time
from collections.abc import AsyncIterator

import msgpack
import pytest

from domain.errors import DomainError, PreconditionFailed, Throttled, Unavailable
from tests.support.vendors.alpaca_provider import Alpaca, alpaca
from tests.support.vendors.alpaca_stream import Reader, quote, trade

ODD_ERROR = msgpack.packb([{"T": "error", "code": [402], "msg": 5}])


@pytest.fixture
async def market() -> AsyncIterator[Alpaca]:
    async with alpaca() as market:
        yield market


async def test_a_dropped_socket_ends_the_readers_after_what_had_come_and_the_next_ones_reconnect(
    market: Alpaca,
) -> None:
    quotes, trades = Reader(market.provider.quotes(["AAPL"])), Reader(market.provider.trades(["AAPL"]))
    crypto = Reader(market.provider.quotes(["BTC/USD"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    await market.server.until_subscribed("stocks", "trades", "AAPL")
    await market.server.until_subscribed("crypto", "quotes", "BTC/USD")
    await market.server.push("stocks", *(trade("AAPL", number) for number in range(100)))
    await market.server.until(lambda: len(trades.items) == 100)

    market.server.sessions["stocks"][0].drop()
    await market.server.until(lambda: quotes.task.done() and trades.task.done())

    for reader in (quotes, trades):
        assert isinstance(reader.error, Unavailable)
        assert "cut off" in str(reader.error)
    assert not crypto.task.done()
    again = Reader(market.provider.trades(["AAPL"]))
    await market.server.until_subscribed("stocks", "trades", "AAPL")
    await market.server.push("stocks", trade("AAPL", 100))
    await market.server.until(lambda: len(again.items) == 1)
    assert len(market.server.sessions["stocks"]) == 1
    await again.stop()
    await crypto.stop()


@pytest.mark.parametrize("at_login", [True, False])
async def test_nobody_redials_when_nobody_reads_any_more(market: Alpaca, at_login: bool) -> None:
    market.server.auth_error = (402, "auth failed") if at_login else None
    reader = Reader(market.provider.quotes(["AAPL"]))
    if not at_login:
        await market.server.until_subscribed("stocks", "quotes", "AAPL")
        market.server.sessions["stocks"][0].drop()

    await market.server.until(reader.task.done)
    await asyncio.sleep(1.1)

    assert market.server.connections == 1


async def test_a_mute_socket_is_taken_for_a_broken_one() -> None:
    async with alpaca(stream_silence_seconds=0.4) as market:
        reader = Reader(market.provider.quotes(["AAPL"]))
        await market.server.until_subscribed("stocks", "quotes", "AAPL")
        await asyncio.sleep(0.6)
        assert not reader.task.done(), "a quiet market whose vendor answers pings is no break"

        market.server.sessions["stocks"][0].mute = True
        began = time.monotonic()
        await market.server.until(reader.task.done)

        assert isinstance(reader.error, Unavailable)
        assert "silent" in str(reader.error)
        assert time.monotonic() - began < 1.5


async def test_a_vendor_that_takes_the_call_and_says_nothing_is_waited_for_only_so_long() -> None:
    async with alpaca(timeout_seconds=0.3) as market:
        market.server.says_hello = False
        reader = Reader(market.provider.quotes(["AAPL"]))
        await market.server.until(reader.task.done)

        assert isinstance(reader.error, Unavailable)
        assert "in time" in str(reader.error)


async def test_a_vendor_that_is_not_there_is_unavailable() -> None:
    async with alpaca(timeout_seconds=0.3, stream_url="ws://127.0.0.1:9") as market:
        reader = Reader(market.provider.quotes(["AAPL"]))
        await market.server.until(reader.task.done)

        assert isinstance(reader.error, Unavailable)


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (402, "auth failed", "PROVIDER_NOT_CONFIGURED"),
        (404, "auth timeout", "MARKET_DATA_UNAVAILABLE"),
        (406, "connection limit exceeded", "MARKET_DATA_UNAVAILABLE"),
        (409, "insufficient subscription", "PROVIDER_NOT_CAPABLE"),
        (500, "internal error", "MARKET_DATA_UNAVAILABLE"),
    ],
)
async def test_a_refused_login_is_told_at_once(market: Alpaca, code: int, text: str, reason: str) -> None:
    market.server.auth_error = (code, text)
    reader = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until(reader.task.done)

    assert reader.error is not None
    assert reader.error.reason == reason
    await market.server.until(lambda: not market.server.sessions["stocks"])


@pytest.mark.parametrize(
    ("code", "kind"), [(401, PreconditionFailed), (403, PreconditionFailed), (429, Throttled), (503, Unavailable)]
)
async def test_a_refused_handshake_is_told_by_its_status(market: Alpaca, code: int, kind: type[DomainError]) -> None:
    market.server.handshake_status = code
    reader = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until(reader.task.done)

    assert isinstance(reader.error, kind)
    if isinstance(reader.error, Throttled):
        assert reader.error.retry_after_seconds == 7


async def test_a_client_that_is_too_slow_for_the_vendor_opens_again(market: Alpaca) -> None:
    reader = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")

    await market.server.sessions["stocks"][0].send({"T": "error", "code": 407, "msg": "slow client"})
    await market.server.until(reader.task.done)

    assert isinstance(reader.error, Unavailable)
    assert "slow client" in str(reader.error)


async def test_a_plan_that_turns_out_smaller_is_filled_and_the_rest_refused(market: Alpaca) -> None:
    market.server.symbol_limit = 2
    first = [Reader(market.provider.quotes([symbol])) for symbol in ("AAPL", "MSFT")]
    await market.server.until_subscribed("stocks", "quotes", "AAPL", "MSFT")
    third = Reader(market.provider.quotes(["IBM"]))
    await market.server.until(lambda: all(reader.task.done() for reader in (*first, third)))
    assert all(isinstance(reader.error, Unavailable) for reader in (*first, third))

    again = [Reader(market.provider.quotes([symbol])) for symbol in ("AAPL", "MSFT", "IBM")]
    await market.server.until_subscribed("stocks", "quotes", "AAPL", "MSFT")
    await market.server.until(again[2].task.done)

    assert isinstance(again[2].error, PreconditionFailed)
    assert not again[0].task.done()
    await again[0].stop()
    await again[1].stop()


@pytest.mark.parametrize("frame", [b"\xc1", b"not a frame", b"\x05", b"\x91\x05", b"", ODD_ERROR])
async def test_a_frame_that_makes_no_sense_ends_the_stream(market: Alpaca, frame: bytes) -> None:
    reader = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")

    await market.server.sessions["stocks"][0].send_raw(frame)
    await market.server.until(reader.task.done)

    assert isinstance(reader.error, Unavailable)


async def test_one_symbol_too_many_is_refused_and_leaves_the_others_alone() -> None:
    async with alpaca(stream_symbols=2) as market:
        reader = Reader(market.provider.quotes(["AAPL", "MSFT"]))
        await market.server.until_subscribed("stocks", "quotes", "AAPL", "MSFT")
        more, crypto = Reader(market.provider.quotes(["IBM"])), Reader(market.provider.quotes(["BTC/USD"]))
        await market.server.until(more.task.done)
        await market.server.until_subscribed("crypto", "quotes", "BTC/USD")

        assert isinstance(more.error, PreconditionFailed)
        assert more.error.reason == "PROVIDER_NOT_CAPABLE"
        await market.server.push("stocks", quote("AAPL"))
        await market.server.until(lambda: len(reader.items) == 1)
        await reader.stop()
        await crypto.stop()


async def test_close_ends_the_readers_and_the_connections(market: Alpaca) -> None:
    readers = [Reader(market.provider.quotes(["AAPL"])), Reader(market.provider.trades(["BTC/USD"]))]
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    await market.server.until_subscribed("crypto", "trades", "BTC/USD")

    await market.provider.close()
    await market.server.until(lambda: all(reader.task.done() for reader in readers))

    assert all(reader.error is None for reader in readers)
    await market.server.until(lambda: not any(market.server.sessions.values()))
    late = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until(late.task.done)
    assert late.error is None


async def test_close_in_the_middle_of_connecting_hangs_nobody(market: Alpaca) -> None:
    market.server.says_hello = False
    reader = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until(lambda: market.server.connections == 1)
    began = time.monotonic()

    await market.provider.close()

    await market.server.until(reader.task.done)
    assert time.monotonic() - began < 3.5
