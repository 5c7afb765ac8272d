"""The server on its socket: peers that break off or send garbage, sizes, unknown calls, health and reflection."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest
from quantmesh.trading.v1.account_service_pb2 import ListAccountsRequest
from quantmesh.trading.v1.broker_pb2 import ListBrokersRequest
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from server.settings import SettingsError
from server.transport import Transport
from tests.server.rig import ACCOUNT, Rig, application, details_of, limit, refusal, scripted, until, within
from tests.support.server import Client

CODE = grpc.StatusCode
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


async def works(rig: Rig) -> None:
    """The server still answers, also on a connection of its own."""
    async with grpc.aio.insecure_channel(rig.transport.address) as channel:
        answer = await within(Client(channel).accounts.ListAccounts(ListAccountsRequest()))
    assert [account.account_id for account in answer.accounts] == [ACCOUNT]


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """An HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x00" * 1_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        PREFACE[:10],
        PREFACE,
        PREFACE + frame(4, 0, 0, b"")[:5],
        PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, b"\xff" * 50),
        PREFACE + frame(4, 0, 0, b"") + frame(0, 1, 99, b"\x00" * 10),
        PREFACE + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ],
    ids=["nothing", "zeros", "http1", "half a preface", "preface", "half a frame", "bad headers", "lost data", "ones"],
)
@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_broken_peer_leaves_the_server_up(sent: bytes, end: str) -> None:
    async with scripted() as rig:
        host, port = rig.transport.address.split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        await writer.drain()
        if end == "reset":
            writer.transport.abort()
        else:
            writer.close()
        await works(rig)


async def test_a_caller_that_leaves_in_the_middle_of_a_call_leaves_the_server_up() -> None:
    async with scripted() as rig:
        for _ in range(20):
            call = rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=limit()))
            await asyncio.sleep(0)
            call.cancel()
        await works(rig)
        await until(lambda: rig.lifecycle.under_way == 0)


async def test_an_order_whose_caller_gave_up_is_placed_all_the_same() -> None:
    async with scripted() as rig:
        call = rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=limit()))
        await until(lambda: rig.engine.writer(ACCOUNT).book.orders)
        call.cancel()
        again = await rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=limit()))
        assert again.replayed
        assert again.sequence == 2


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x0a\x05ab", b"\x0a\x02\xff\xfe"], ids=repr)
async def test_bytes_that_are_no_message_are_an_invalid_argument(garbage: bytes) -> None:
    async with scripted() as rig:
        for rpc in ("PlaceOrder", "ListOrders"):
            call: Any = rig.client.channel.unary_unary(f"/quantmesh.trading.v1.OrderService/{rpc}")
            refused = await refusal(call(garbage))
            assert (refused.code, refused.reason) == (CODE.INVALID_ARGUMENT, "INVALID_REQUEST")
            assert refused.detail(BadRequest).field_violations[0].field == "request"
        stream: Any = rig.client.channel.unary_stream("/quantmesh.trading.v1.OrderService/StreamFills")
        assert (await refusal(stream(garbage))).code is CODE.INVALID_ARGUMENT
        await works(rig)


async def test_an_oversized_message_is_refused_and_changes_nothing() -> None:
    async with scripted() as rig:
        big = PlaceOrderRequest(account_id=ACCOUNT, order=limit(tags={"k": "v" * 5_000_000}))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await rig.client.orders.PlaceOrder(big)
        assert refused.value.code() is CODE.RESOURCE_EXHAUSTED
        assert "4194304 at most" in (refused.value.details() or "")
        await works(rig)
        assert not rig.engine.writer(ACCOUNT).book.orders


async def test_a_big_request_of_nonsense_is_refused_quickly_and_within_the_trailers_limit() -> None:
    async with scripted() as rig:
        empty = PlaceOrdersRequest(account_id=ACCOUNT)
        for _ in range(200_000):
            empty.orders.add()
        refused = await within(refusal(rig.client.orders.PlaceOrders(empty)))
        assert refused.code is CODE.INVALID_ARGUMENT
        many = PlaceOrdersRequest(account_id=ACCOUNT)
        for _ in range(400):
            many.orders.add()
        refused = await refusal(rig.client.orders.PlaceOrders(many))
        assert len(refused.detail(BadRequest).field_violations) > 20


async def test_the_largest_refusal_there_is_fits_into_the_trailers() -> None:
    async with scripted() as rig:
        emojis = PlaceOrderRequest(account_id=ACCOUNT, order=limit(tags={chr(0x1F600 + i) * 60: "" for i in range(16)}))
        refused = await refusal(rig.client.orders.PlaceOrder(emojis))
        assert refused.code is CODE.INVALID_ARGUMENT
        assert refused.status.message.isascii()


@pytest.mark.parametrize(
    "method",
    [
        "/quantmesh.strategy.v1.StrategyService/CreateStrategy",
        "/quantmesh.strategy.v1.StrategyService/StreamBacktest",
        "/quantmesh.trading.v1.OrderService/NoSuchCall",
        "/quantmesh.marketdata.v1.MarketDataService/GetQuote",
        "/nobody.Knows/This",
    ],
)
async def test_a_call_that_is_not_offered_says_so(method: str) -> None:
    async with scripted() as rig:
        unary: Any = rig.client.channel.unary_unary(method)
        stream: Any = rig.client.channel.unary_stream(method)
        for call in (unary(b""), stream(b"")):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (CODE.UNIMPLEMENTED, "NOT_IMPLEMENTED")


async def test_a_defect_is_told_by_an_id_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with scripted() as rig:
        rig.broker.capabilities = None  # type: ignore[assignment]  # to make ListBrokers fail
        refused = await refusal(rig.client.orders.ListBrokers(ListBrokersRequest()))
        assert (refused.code, refused.reason) == (CODE.INTERNAL, "INTERNAL")
        error_id = refused.metadata["error_id"]
        assert "attribute" not in refused.status.message
        assert error_id in caplog.text
        assert "AttributeError" in caplog.text


async def test_brokers_are_listed_with_what_they_can_do() -> None:
    async with scripted() as rig:
        [broker] = (await rig.client.orders.ListBrokers(ListBrokersRequest())).brokers
        assert (broker.broker, broker.display_name, broker.connected) == ("scripted", "A script", True)
        assert len(broker.order_types) == 5
        assert broker.client_order_ids


async def test_health_tells_each_service_and_turns_at_a_shutdown() -> None:
    async with scripted() as rig:
        service = "quantmesh.trading.v1.OrderService"
        for name in ("", service, "quantmesh.risk.v1.RiskService"):
            answer = await rig.client.health.Check(HealthCheckRequest(service=name))
            assert answer.status == HealthCheckResponse.SERVING
        missing = await refusal(rig.client.health.Check(HealthCheckRequest(service="nobody")))
        assert missing.code is CODE.NOT_FOUND
        watch = rig.client.health.Watch(HealthCheckRequest(service=service))
        unknown = rig.client.health.Watch(HealthCheckRequest(service="nobody"))
        assert (await within(watch.read())).status == HealthCheckResponse.SERVING
        assert (await within(unknown.read())).status == HealthCheckResponse.SERVICE_UNKNOWN
        await rig.stop()
        assert (await within(watch.read())).status == HealthCheckResponse.NOT_SERVING
        assert await within(watch.read()) is grpc.aio.EOF
        answer = await rig.client.health.Check(HealthCheckRequest(service=service))
        assert answer.status == HealthCheckResponse.NOT_SERVING


async def test_while_stopping_new_calls_are_unavailable() -> None:
    async with scripted() as rig:
        await rig.stop()
        refused = await refusal(rig.client.accounts.ListAccounts(ListAccountsRequest()))
        assert (refused.code, refused.reason) == (CODE.UNAVAILABLE, "SERVER_STOPPING")
        assert refused.retry_seconds > 0


async def test_a_caller_with_too_many_streams_is_told_to_end_one(tmp_path: Path) -> None:
    async with application(tmp_path, max_streams=1) as (_, client):
        request = StreamQuotesRequest(symbols=["BTC/USD"])
        first = client.market.StreamQuotes(request)
        await first.read()
        refused = await refusal(client.market.StreamQuotes(request))
        assert (refused.code, refused.reason) == (CODE.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED")
        assert refused.retry_seconds > 0
        first.cancel()
        await _soon_taken(lambda: client.market.StreamQuotes(request))


async def _soon_taken(ask: Callable[[], Any]) -> None:
    """The server hears of the end of a stream only after its caller has left it."""
    for _ in range(500):
        try:
            await ask().read()
            return
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)
    raise AssertionError("no stream was taken any more")


async def test_reflection_shows_the_contract_on_loopback() -> None:
    async with scripted() as rig:

        def look() -> tuple[list[str], str]:
            with grpc.insecure_channel(rig.transport.address) as channel:
                database = ProtoReflectionDescriptorDatabase(channel)
                file = database.FindFileContainingSymbol("google.rpc.ErrorInfo")
                return list(database.get_services()), file.name

        services, file = await asyncio.to_thread(look)
        assert "quantmesh.trading.v1.OrderService" in services
        assert "grpc.health.v1.Health" in services
        assert file == "google/rpc/error_details.proto"


async def test_a_status_says_in_its_details_what_the_call_says() -> None:
    async with scripted() as rig:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await rig.client.orders.PlaceOrder(PlaceOrderRequest())
        status = details_of(failed.value)
        assert (status.code, status.message) == (failed.value.code().value[0], failed.value.details())


async def test_a_port_in_use_is_refused_with_its_address() -> None:
    async with scripted() as rig:
        host, port = rig.transport.address.split(":")
        with pytest.raises(SettingsError, match=f"listen: {rig.transport.address} cannot be had"):
            Transport((host, int(port)), {}, rig.lifecycle, rig.health, None)
