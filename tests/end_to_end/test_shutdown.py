"""SIGTERM in the middle of everything: nothing that was decided goes unanswered, and everybody is told goodbye."""

import asyncio
import signal
import time
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest, StreamTradesRequest
from quantmesh.marketdata.v1.subscription_pb2 import CHANNEL_ORDER_BOOK, AddSubscriptions, SubscribeRequest
from quantmesh.trading.v1.account_service_pb2 import StreamPortfolioRequest
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest
from quantmesh.trading.v1.order_session_pb2 import OpenSession, OrderSessionRequest
from tests.end_to_end.audit import restart_and_audit
from tests.end_to_end.followers import Followers
from tests.end_to_end.refusals import refusal
from tests.end_to_end.traders import Sent, Traders, orders_of
from tests.support.server import Client, Site

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)

_LOAD_SECONDS: Final = 1.0
_LONGEST_SECONDS: Final = 10.0
_AT_ONCE_SECONDS: Final = 4.0


async def test_a_server_that_is_asked_to_stop_answers_what_it_took_and_says_goodbye(tmp_path: Path) -> None:
    site, traders = Site(tmp_path), Traders()
    followers = Followers(traders.account_id)
    with site.start() as server:
        async with server.client() as client:
            await traders.open_account(client)
            health = asyncio.create_task(_all_of(client.health.Watch(HealthCheckRequest())))
            streams = [asyncio.create_task(_all_of(stream)) for stream in _streams(client, traders.account_id)]
            trading = asyncio.gather(traders.trade(client), followers.follow(client))
            await asyncio.sleep(_LOAD_SECONDS)

            asked = time.monotonic()
            server.signal(signal.SIGTERM)
            await trading
            for stream in streams:
                assert _kind((await stream)[-1]) == "goodbye"
            assert [answer.status for answer in await health] == [
                HealthCheckResponse.SERVING,
                HealthCheckResponse.NOT_SERVING,
            ]
        assert await asyncio.to_thread(server.exit_status) == 0
        assert time.monotonic() - asked < _LONGEST_SECONDS
        assert server.log == ""
    assert all(one.goodbye for one in followers.both)
    await _nothing_was_decided_and_left_unanswered(site, [one for one in traders.sent if one.cut_off])
    await restart_and_audit(site, traders, followers)


async def test_a_server_on_which_nobody_calls_stops_at_once(tmp_path: Path) -> None:
    with Site(tmp_path).start() as server:
        asked = time.monotonic()
        server.signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.exit_status) == 0
        assert time.monotonic() - asked < _AT_ONCE_SECONDS


async def _nothing_was_decided_and_left_unanswered(site: Site, unanswered: list[Sent]) -> None:
    with site.start() as server:
        async with server.client() as client:
            for sent in unanswered:
                for order in orders_of(sent.request):
                    request = GetOrderRequest(account_id=sent.request.account_id, client_order_id=order.client_order_id)
                    with pytest.raises(grpc.aio.AioRpcError) as failure:
                        await client.orders.GetOrder(request)
                    assert refusal(failure.value).reason == "ORDER_NOT_FOUND"


def _streams(client: Client, account_id: str) -> list[Any]:
    """One of each kind that the followers do not hold."""
    symbols = ["AAPL", "BTC/USD"]
    subscription = SubscribeRequest(subscribe=AddSubscriptions(channel=CHANNEL_ORDER_BOOK, symbols=symbols))
    opening = OrderSessionRequest(command_id="open", open=OpenSession(account_id=account_id))
    return [
        client.accounts.StreamPortfolio(StreamPortfolioRequest(account_id=account_id)),
        client.market.StreamQuotes(StreamQuotesRequest(symbols=symbols)),
        client.market.StreamTrades(StreamTradesRequest(symbols=symbols)),
        client.market.Subscribe(iter([subscription])),
        client.orders.OrderSession(iter([opening])),
    ]


async def _all_of(stream: Any) -> list[Any]:
    """Everything until the end, which is to be OK."""
    return [message async for message in stream]


def _kind(message: Any) -> str:
    [oneof] = message.DESCRIPTOR.oneofs
    return str(message.WhichOneof(oneof.name))
