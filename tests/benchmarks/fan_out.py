"""A fill on its way to a thousand subscribers."""

import time
from collections.abc import Iterator, Sequence
from statistics import median

import grpc
from google.protobuf.duration_pb2 import Duration

from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamFillsResponse
from quantmesh.type.v1.stream_pb2 import Live
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import PUBLISH, STREAM_FILLS, market_order
from tests.benchmarks.processes import create_accounts
from tests.benchmarks.report import Row
from tests.benchmarks.subscribers import subscribed

_SUBSCRIBERS = 1_000
_CLIENTS = 2
_CHANNELS = 5
_FILLS = 40
_PAUSE_SECONDS = 0.2
_SILENT = Duration(seconds=300)
_NANOSECONDS_A_MS = 1e6


def to_a_thousand(bench: Bench) -> Iterator[Row]:
    """From the time of a fill until its subscribers have it: half of them, and the last.

    The echo sends the same bytes to as many, in turn; its time counts from when it is given them. The readers are
    on the same machine, and reading a message there costs about what sending it does: both figures hold that.
    """
    streams, fills = bench.sized(_SUBSCRIBERS) // _CLIENTS, bench.sized(_FILLS)
    name = f"A fill to {streams * _CLIENTS:,} subscribers"
    with bench.pair() as pair:
        [account] = create_accounts(pair.channel, 1)
        request = StreamFillsRequest(account_id=account, live=Live(), heartbeat_interval=_SILENT)
        shape = {"clients": _CLIENTS, "streams": streams, "channels": _CHANNELS}
        bench.say(f"{name}: subscribing")
        with (
            subscribed(pair.echo.address, STREAM_FILLS, request, **shape) as at_echo,
            subscribed(pair.ours.address, STREAM_FILLS, request, **shape) as at_ours,
        ):
            bench.say(f"{name}: {fills} fills")
            _, *published = _publish_fills(pair, request, fills + 1)  # the first is to warm up
            echoed, received = at_echo.receipts(), at_ours.receipts()
    echo = [_delays(echoed[message], began) for message, _, began in published]
    ours = [_delays(received[message], began) for message, began, _ in published]
    yield Row(name, "the last has it", "ms", [delays[-1] for delays in echo], [delays[-1] for delays in ours])
    yield Row(name, "half have it", "ms", [median(delays) for delays in echo], [median(delays) for delays in ours])


def _publish_fills(pair: Pair, request: StreamFillsRequest, fills: int) -> list[tuple[bytes, int, int]]:
    """Each fill's message, when it happened, and when the echo was given it: in nanoseconds since 1970."""
    place = OrderServiceStub(pair.channel).PlaceOrder
    subscribe: grpc.UnaryStreamMultiCallable[bytes, bytes] = pair.channel.unary_stream(STREAM_FILLS)
    stream = subscribe(request.SerializeToString())
    next(stream)
    published = []
    with grpc.insecure_channel(pair.echo.address) as echo:
        publish: grpc.UnaryUnaryMultiCallable[bytes, bytes] = echo.unary_unary(PUBLISH)
        for _ in range(fills):
            place(PlaceOrderRequest(account_id=request.account_id, order=market_order()))
            message = next(stream)
            happened = StreamFillsResponse.FromString(message).fill.fill_time.ToNanoseconds()
            time.sleep(_PAUSE_SECONDS)
            published.append((message, happened, int(publish(message))))
            time.sleep(_PAUSE_SECONDS)
    stream.cancel()
    return published


def _delays(times: Sequence[int], began: int) -> list[float]:
    """In milliseconds, sorted."""
    return [(came - began) / _NANOSECONDS_A_MS for came in times]
