"""What the remote provider makes of a server that refuses, raves, falls silent, is gone or is let go of."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.message import Message

from adapters.clock import ManualClock
from adapters.market_data.provider_errors import not_capable, not_configured, rate_limited, unavailable
from adapters.market_data.remote_adapter import RemoteMarketData
from application.ports.market_data import BarRequest
from domain.errors import DomainError, PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval
from quantmesh.marketdata.v1.instrument_query_pb2 import GetInstrumentRequest, ListInstrumentsResponse
from quantmesh.marketdata.v1.market_data_query_pb2 import BatchGetQuotesResponse, ListBarsResponse
from quantmesh.marketdata.v1.quote_pb2 import Quote
from tests.support.market import FRIDAY_NOON, simulated
from tests.support.remote_rig import FarServer, Relay, far_server, remote, spoken

Ask = Callable[[RemoteMarketData], Coroutine[Any, Any, Any]]
EACH: dict[str, Ask] = {
    "instruments": lambda near: near.instruments(),
    "instrument": lambda near: near.instrument("ACME"),
    "latest_quotes": lambda near: near.latest_quotes(["ACME"]),
    "order_book": lambda near: near.order_book("ACME", 5),
    "bars": lambda near: near.bars(
        BarRequest("ACME", BarInterval.MINUTE_1, FRIDAY_NOON - timedelta(hours=1), FRIDAY_NOON, 100)
    ),
}


class Refusing:
    """A server that refuses everything in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        async def refuse(request: Message, context: object) -> Message:
            raise self._error

        return refuse


REFUSALS: list[tuple[Exception, type[DomainError], str, str]] = [
    (unavailable("far", "its answer is no JSON"), Unavailable, "MARKET_DATA_UNAVAILABLE", "its answer is no JSON"),
    (Unavailable("stopping", reason="SERVER_STOPPING"), Unavailable, "MARKET_DATA_UNAVAILABLE", "stopping"),
    (RuntimeError("oops"), Unavailable, "MARKET_DATA_UNAVAILABLE", "internal error"),
    (rate_limited("far", 7.5), Throttled, "RATE_LIMITED", ""),
    (Throttled("slow", 0.0, reason="SLOW_READER"), Unavailable, "MARKET_DATA_UNAVAILABLE", "slow"),
    (not_capable("far", "has no such thing"), PreconditionFailed, "PROVIDER_NOT_CAPABLE", "far: has no such thing"),
    (not_configured("far", "no key", "SET=..."), PreconditionFailed, "PROVIDER_NOT_CONFIGURED", "SET=..."),
]


@pytest.mark.parametrize("method", EACH)
@pytest.mark.parametrize(("error", "kind", "reason", "says"), REFUSALS)
async def test_each_request_fails_as_the_port_says(
    method: str, error: Exception, kind: type[DomainError], reason: str, says: str
) -> None:
    async with far_server(ManualClock(FRIDAY_NOON), servicer=Refusing(error)) as server, remote(server) as near:
        with pytest.raises(kind) as failed:
            await EACH[method](near)
        assert (type(failed.value), failed.value.reason) == (kind, reason)
        assert failed.value.message.startswith("remote: ")
        assert says in failed.value.message
        assert "oops" not in failed.value.message
        if isinstance(failed.value, Throttled):
            assert failed.value.retry_after_seconds == 7.5


async def test_a_server_without_market_data_is_not_capable() -> None:
    async with far_server(ManualClock(FRIDAY_NOON), servicer=object()) as server, remote(server) as near:
        for ask in EACH.values():
            with pytest.raises(PreconditionFailed) as failed:
                await ask(near)
            assert failed.value.reason == "PROVIDER_NOT_CAPABLE"


async def test_a_server_that_is_gone_is_unavailable_at_once_and_asked_again_when_it_is_back() -> None:
    clock, _, market = simulated()
    server = FarServer(clock, market)
    await server.start()
    async with remote(server, timeout_seconds=5) as near:
        assert await near.latest_quotes(["AAPL"])
        await server.vanish()
        for ask in EACH.values():
            async with asyncio.timeout(1):
                with pytest.raises(Unavailable, match="remote: its server cannot be reached"):
                    await ask(near)
        await server.start()
        async with asyncio.timeout(5):
            while not await _quotes_or_none(near):  # noqa: ASYNC110 - nobody tells when a server is back
                await asyncio.sleep(0.02)
        await server.stop()


async def _quotes_or_none(near: RemoteMarketData) -> object:
    try:
        return await near.latest_quotes(["AAPL"])
    except Unavailable:
        return None


async def test_a_mute_server_is_given_up_in_time() -> None:
    clock, _, market = simulated()
    async with far_server(clock, market) as server, Relay(server.address) as relay:
        times = {"timeout_seconds": 0.2, "bars_timeout_seconds": 0.2}
        async with remote(server, relay.address, **times) as near:
            assert await near.latest_quotes(["AAPL"])
            relay.mute()
            for ask in EACH.values():
                async with asyncio.timeout(1):
                    with pytest.raises(Unavailable, match="did not answer in time"):
                        await ask(near)


async def test_a_caller_that_is_cancelled_is_not_told_of_an_error() -> None:
    async with spoken("ACME") as (provider, near):
        provider.hangs = True
        asking = asyncio.create_task(near.latest_quotes(["ACME"]))
        await asyncio.sleep(0.05)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        provider.hangs = False
        provider.quote("ACME", "10")
        assert await near.latest_quotes(["ACME"])


async def test_closing_ends_what_is_under_way_and_what_comes_later() -> None:
    async with spoken("ACME") as (provider, near):
        provider.hangs = True
        asking = asyncio.create_task(near.latest_quotes(["ACME"]))
        await asyncio.sleep(0.05)
        await near.close()
        with pytest.raises(Unavailable, match="it is closed"):
            await asking
        with pytest.raises(Unavailable, match="it is closed"):
            await near.instrument("ACME")


class Raving:
    """A server whose answers are messages of the contract, and make no sense."""

    async def ListInstruments(self, request: Message, context: object) -> Message:
        return ListInstrumentsResponse(next_page_token="again")  # noqa: S106 - a page's

    async def GetInstrument(self, request: GetInstrumentRequest, context: object) -> bytes:
        return b"\xff\xff"

    async def BatchGetQuotes(self, request: Message, context: object) -> Message:
        return BatchGetQuotesResponse(quotes=[Quote(symbol="ELSE")])

    async def GetOrderBook(self, request: Message, context: object) -> bytes:
        return b"\x0a\x05\x0a\x03ACM"

    async def ListBars(self, request: Message, context: object) -> Message:
        answer = ListBarsResponse()
        answer.bars.add(symbol="ACME", open="1")
        return answer


@pytest.mark.parametrize("method", EACH)
async def test_an_answer_that_makes_no_sense_is_no_answer(method: str) -> None:
    async with far_server(ManualClock(FRIDAY_NOON), servicer=Raving()) as server, remote(server) as near:
        with pytest.raises(Unavailable, match="makes no sense"):
            await EACH[method](near)
