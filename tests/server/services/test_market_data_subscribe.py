"""Subscribe over the wire: one stream to which subscriptions come and from which they go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from quantmesh.marketdata.v1 import bar_pb2
from quantmesh.marketdata.v1 import subscription_pb2 as pb
from tests.server.market_rig import SERVICE, MarketRig, data, market, rest_of_data
from tests.server.rig import Refusal, kinds, refusal, within
from tests.support.market import FRIDAY_NOON

SOON = Duration(nanos=100_000_000)
MINUTES = bar_pb2.BAR_INTERVAL_ONE_MINUTE
QUOTES, TRADES, BARS, BOOKS = pb.CHANNEL_QUOTES, pb.CHANNEL_TRADES, pb.CHANNEL_BARS, pb.CHANNEL_ORDER_BOOK


def adding(request_id: str, channel: Any, *symbols: str, **more: Any) -> pb.SubscribeRequest:
    subscribe = pb.AddSubscriptions(channel=channel, symbols=symbols, **more)
    return pb.SubscribeRequest(request_id=request_id, subscribe=subscribe)


def removing(request_id: str, *symbols: str, **more: Any) -> pb.SubscribeRequest:
    unsubscribe = pb.RemoveSubscriptions(symbols=symbols, **more)
    return pb.SubscribeRequest(request_id=request_id, unsubscribe=unsubscribe)


def listing(request_id: str) -> pb.SubscribeRequest:
    return pb.SubscribeRequest(request_id=request_id, list=pb.ListSubscriptions())


@asynccontextmanager
async def subscribing(rig: MarketRig) -> AsyncIterator[Any]:
    stream = rig.stub.Subscribe()
    try:
        yield stream
    finally:
        stream.cancel()


async def answer(stream: Any, request: pb.SubscribeRequest) -> Any:
    """What `request` is answered with; data that comes before is passed over."""
    await stream.write(request)
    while True:
        (message,) = await data(stream, 1)
        if message.WhichOneof("message") in {"ack", "subscriptions", "error"}:
            assert message.request_id == request.request_id
            return message


async def silence(stream: Any) -> list[Any]:
    """The data up to the next heartbeat."""
    messages = []
    while (message := (await data(stream, 1))[0]).WhichOneof("message") != "heartbeat":
        messages.append(message)
    return messages


async def test_the_stream_is_up_before_anything_was_asked_for() -> None:
    async with market() as rig, subscribing(rig) as stream:
        assert await within(stream.initial_metadata()) is not None


async def test_an_ack_comes_first_then_the_present_quote_and_then_every_change() -> None:
    async with market() as rig, subscribing(rig) as stream:
        await stream.write(adding("r-1", QUOTES, "AAPL", "MSFT"))
        first = await data(stream, 3)
        assert kinds(first) == ["ack", "quote", "quote"]
        assert [message.request_id for message in first] == ["r-1", "", ""]
        ack = first[0].ack
        assert [(one.channel, one.symbol, one.provider) for one in ack.added] == [
            (QUOTES, "AAPL", "simulated"),
            (QUOTES, "MSFT", "simulated"),
        ]
        assert (ack.active_count, len(ack.failures), len(ack.removed)) == (2, 0, 0)
        await rig.tick()
        assert {message.quote.symbol for message in await data(stream, 2)} == {"AAPL", "MSFT"}


async def test_all_four_channels_share_one_stream() -> None:
    async with market() as rig, subscribing(rig) as stream:
        for channel, more in ((QUOTES, {}), (TRADES, {}), (BARS, {"interval": MINUTES}), (BOOKS, {"depth": 3})):
            await answer(stream, adding("r", channel, "AAPL", **more))
        rig.clock.advance(30)
        seen: set[str | None] = set()
        while not {"quote", "trade", "order_book"} <= seen:
            (message,) = await data(stream, 1)
            seen.add(message.WhichOneof("message"))
            if message.HasField("order_book"):
                assert (len(message.order_book.bids), len(message.order_book.asks)) == (3, 3)
        rig.clock.advance(30)
        while "bar" not in seen:
            (message,) = await data(stream, 1)
            seen.add(message.WhichOneof("message"))
        assert message.bar.open_time.ToDatetime() == FRIDAY_NOON.replace(tzinfo=None, microsecond=0)
        assert not message.bar.partial


async def test_requests_are_answered_one_each_and_in_their_order() -> None:
    async with market() as rig, subscribing(rig) as stream:
        requests = [listing(f"r-{number}") for number in range(50)]
        for request in requests:
            await stream.write(request)
        answers = await data(stream, 50)
        assert [message.request_id for message in answers] == [request.request_id for request in requests]


async def test_subscriptions_are_listed_as_they_were_made() -> None:
    async with market() as rig, subscribing(rig) as stream:
        await answer(stream, adding("a", BOOKS, "MSFT", depth=7))
        await answer(stream, adding("b", BARS, "AAPL", interval=MINUTES))
        await answer(stream, adding("c", BOOKS, "MSFT", depth=9))
        listed = (await answer(stream, listing("d"))).subscriptions.subscriptions
        assert [(one.channel, one.symbol, one.interval, one.depth) for one in listed] == [
            (BOOKS, "MSFT", 0, 7),
            (BARS, "AAPL", MINUTES, 0),
        ]


async def test_unknown_symbols_are_failures_of_the_ack_and_the_others_are_added() -> None:
    async with market() as rig, subscribing(rig) as stream:
        ack = (await answer(stream, adding("r", QUOTES, "NOPE", "AAPL"))).ack
        assert [one.symbol for one in ack.added] == ["AAPL"]
        (failure,) = ack.failures
        assert (failure.symbol, Refusal(failure.status).reason) == ("NOPE", "INSTRUMENT_NOT_FOUND")
        assert Refusal(failure.status).metadata == {"symbol": "NOPE", "provider": "simulated"}


async def test_after_the_ack_of_a_removal_no_data_of_it_comes() -> None:
    async with market() as rig, subscribing(rig) as stream:
        await answer(stream, adding("a", QUOTES, "AAPL", "MSFT"))
        await answer(stream, adding("b", TRADES, "AAPL"))
        rig.clock.advance(60)
        ack = (await answer(stream, removing("c", "AAPL"))).ack
        assert [(one.channel, one.symbol) for one in ack.removed] == [(QUOTES, "AAPL"), (TRADES, "AAPL")]
        assert ack.active_count == 1
        await stream.write(pb.SubscribeRequest(request_id="d", list=pb.ListSubscriptions(), heartbeat_interval=SOON))
        await rig.tick(5)
        messages = [message for message in await silence(stream) if not message.request_id]
        assert {message.quote.symbol for message in messages} == {"MSFT"}
        assert rig.provider.running == 1


async def test_removing_what_is_not_there_is_no_error_and_removing_all_leaves_the_stream_open() -> None:
    async with market() as rig, subscribing(rig) as stream:
        assert not (await answer(stream, removing("a", "MSFT"))).ack.removed
        await answer(stream, adding("b", QUOTES, "AAPL"))
        assert not (await answer(stream, removing("c", channel=TRADES))).ack.removed
        ack = (await answer(stream, removing("d"))).ack
        assert (len(ack.removed), ack.active_count) == (1, 0)
        assert (await answer(stream, adding("e", QUOTES, "AAPL"))).ack.active_count == 1


async def test_half_closing_leaves_the_subscriptions_as_they_are() -> None:
    async with market() as rig, subscribing(rig) as stream:
        await stream.write(adding("r", QUOTES, "AAPL"))
        await stream.done_writing()
        assert kinds(await data(stream, 2)) == ["ack", "quote"]
        for _ in range(3):
            await rig.tick()
            assert kinds(await data(stream, 1)) == ["quote"]


async def test_half_closing_at_once_leaves_a_stream_with_heartbeats_until_it_is_cancelled() -> None:
    async with market() as rig, subscribing(rig) as stream:
        await stream.write(pb.SubscribeRequest(list=pb.ListSubscriptions(), heartbeat_interval=SOON))
        await stream.done_writing()
        assert kinds(await data(stream, 3)) == ["subscriptions", "heartbeat", "heartbeat"]
        stream.cancel()
        await rig.until(lambda: rig.lifecycle.under_way == 0)


async def test_heartbeats_come_as_often_as_the_last_request_asked_and_count_the_data() -> None:
    async with market() as rig, subscribing(rig) as stream:
        request = adding("r", QUOTES, "AAPL")
        request.heartbeat_interval.CopyFrom(SOON)
        await stream.write(request)
        assert kinds(await data(stream, 2)) == ["ack", "quote"]
        began = asyncio.get_running_loop().time()
        assert [message.heartbeat.sequence for message in await data(stream, 2)] == [1, 1]
        assert asyncio.get_running_loop().time() - began < 1


async def test_a_shutdown_says_goodbye_with_the_count_and_ends_with_ok() -> None:
    async with market() as rig, subscribing(rig) as stream:
        await stream.write(adding("r", QUOTES, "AAPL", "MSFT"))
        await data(stream, 3)
        await rig.stop()
        (goodbye,) = await rest_of_data(stream)
        assert goodbye.goodbye.sequence == 2
        assert await within(stream.code()) is grpc.StatusCode.OK
        assert (await refusal(rig.stub.Subscribe())).reason == "SERVER_STOPPING"


# -- requests that are refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.SubscribeRequest(request_id="r"), "action"),
        (adding("r", 0, "AAPL"), "subscribe.channel"),
        (adding("r", QUOTES), "subscribe.symbols"),
        (adding("r", QUOTES, "AAPL", "AAPL"), "subscribe.symbols"),
        (adding("r", QUOTES, "aapl"), "subscribe.symbols[0]"),
        (adding("r", BARS, "AAPL"), "subscribe"),
        (adding("r", QUOTES, "AAPL", interval=MINUTES), "subscribe"),
        (adding("r", QUOTES, "AAPL", depth=5), "subscribe"),
        (adding("r", BOOKS, "AAPL", depth=1_001), "subscribe.depth"),
        (removing("r", "bad symbol"), "unsubscribe.symbols[0]"),
        (
            pb.SubscribeRequest(request_id="r", list=pb.ListSubscriptions(), heartbeat_interval=Duration(nanos=1)),
            "heartbeat_interval",
        ),
        (pb.SubscribeRequest(request_id="has space", list=pb.ListSubscriptions()), "request_id"),
    ],
    ids=str,
)
async def test_a_malformed_request_is_answered_by_an_error_and_the_stream_goes_on(
    request_: pb.SubscribeRequest, field: str
) -> None:
    async with market() as rig, subscribing(rig) as stream:
        await answer(stream, adding("first", QUOTES, "AAPL"))
        error = Refusal((await answer(stream, request_)).error)
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert list(error.fields) == [field]
        listed = (await answer(stream, listing("last"))).subscriptions.subscriptions
        assert [one.symbol for one in listed] == ["AAPL"]


async def test_another_provider_is_not_found_and_nothing_is_added() -> None:
    async with market() as rig, subscribing(rig) as stream:
        error = Refusal((await answer(stream, adding("r", QUOTES, "AAPL", provider="other"))).error)
        assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND")
        assert not (await answer(stream, listing("l"))).subscriptions.subscriptions


async def test_bytes_that_are_no_request_are_answered_and_the_stream_goes_on() -> None:
    async with market() as rig, grpc.aio.insecure_channel(rig.transport.address) as channel:
        raw: Any = channel.stream_stream(f"/{SERVICE.full_name}/Subscribe")()
        await raw.write(b"\xff\xff\xff")
        error = Refusal(pb.SubscribeResponse.FromString(await within(raw.read())).error)
        assert (error.reason, list(error.fields)) == ("INVALID_REQUEST", ["request"])
        await raw.write(listing("r").SerializeToString())
        assert pb.SubscribeResponse.FromString(await within(raw.read())).request_id == "r"
        raw.cancel()


async def test_a_stalled_reader_of_quotes_keeps_its_stream_and_a_caller_that_is_gone_leaves_nothing() -> None:
    async with market(sessions="always_open") as rig, rig.narrow() as stub:
        symbols = [instrument.symbol for instrument in await rig.provider.instruments()]
        stream = stub.Subscribe()
        await stream.write(adding("r", QUOTES, *symbols))
        await data(stream, 1)
        await rig.tick(150)
        merged = 0
        while not merged:
            (message,) = await data(stream, 1)
            merged = message.quote.merged_count
        stream.cancel()
        await rig.until(lambda: rig.provider.running == 0)
        assert rig.lifecycle.under_way == 0
