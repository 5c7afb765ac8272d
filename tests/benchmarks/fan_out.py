"""One message on its way to a thousand subscribers: a fill, and a quote."""

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest, StreamQuotesResponse
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamFillsResponse
from quantmesh.type.v1.stream_pb2 import Live
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import PUBLISH, STREAM_FILLS, STREAM_QUOTES, SYMBOL, market_order
from tests.benchmarks.processes import create_accounts
from tests.benchmarks.report import Row
from tests.benchmarks.subscribers import subscribed

_SUBSCRIBERS = 1_000
_CLIENTS = 2
_CHANNELS = 5
_MESSAGES = 40
# While ours sends nothing the echo sends the same, and the other way around.
_PAUSE_SECONDS = 0.25
# What a reader who comes later is told at once: of quotes that they are live, and the newest.
_OPENING: Final = {STREAM_FILLS: 1, STREAM_QUOTES: 2}
_SLOW_MARKET: Final = f"[simulation]\ntick_interval = {2 * _PAUSE_SECONDS}\n"
_SILENT = Duration(seconds=300)
_NANOSECONDS_A_MS = 1e6
_MS_A_SECOND = 1e3


class _Sent(NamedTuple):
    """When our server had what is in the message, and when the echo was given it: in nanoseconds since 1970."""

    message: bytes
    began: int
    at_echo: int


class _Delays(NamedTuple):
    """How long each message took to its subscribers, in milliseconds, sorted."""

    echo: Sequence[Sequence[float]]
    ours: Sequence[Sequence[float]]


def fills_to_a_thousand(bench: Bench) -> Iterator[Row]:
    """From the time of a fill until its subscribers have it: half of them, and the last.

    The echo sends the same bytes to as many, in turn; its time counts from when it is given them. The readers are
    on the same machine, and reading a message there costs about what sending it does: both figures hold that.
    """
    name = f"A fill to {_subscribers(bench):,} subscribers"
    with bench.pair() as pair:
        [account] = create_accounts(pair.channel, 1)
        request = StreamFillsRequest(account_id=account, live=Live(), heartbeat_interval=_SILENT)
        place = OrderServiceStub(pair.channel).PlaceOrder

        def fill() -> None:
            time.sleep(_PAUSE_SECONDS)
            place(PlaceOrderRequest(account_id=account, order=market_order()))

        echo, ours = _delays(bench, name, pair, STREAM_FILLS, request, _fill_time, fill)
    yield Row(name, "the last has it", "ms", [delays[-1] for delays in echo], [delays[-1] for delays in ours])
    yield Row(name, "half have it", "ms", [median(delays) for delays in echo], [median(delays) for delays in ours])


def quotes_to_a_thousand(bench: Bench) -> Iterator[Row]:
    """From the time of a quote, which its provider takes part of; as a rate: so many subscribers a second."""
    name = f"A quote to {_subscribers(bench):,} subscribers"
    request = StreamQuotesRequest(symbols=[SYMBOL], heartbeat_interval=_SILENT)
    with bench.pair(config=_SLOW_MARKET) as pair:
        echo, ours = _delays(bench, name, pair, STREAM_QUOTES, request, _quote_time)
    base, rates = ([_rate(delays, delays[-1]) for delays in each] for each in (echo, ours))
    yield Row(name, "until the last has it", "subscribers/s", base, rates, at_least=0.7)
    base, rates = ([_rate(delays, median(delays)) / 2 for delays in each] for each in (echo, ours))
    yield Row(name, "until half have it", "subscribers/s", base, rates)


def _delays(
    bench: Bench,
    name: str,
    pair: Pair,
    path: str,
    request: Message,
    began: Callable[[bytes], int],
    trigger: Callable[[], None] = lambda: None,
) -> _Delays:
    """Of what comes on the stream `path`, once it was triggered where it does not come by itself."""
    shape = {"clients": _CLIENTS, "streams": _subscribers(bench) // _CLIENTS, "channels": _CHANNELS}
    bench.say(f"{name}: subscribing")
    with (
        subscribed(pair.echo.address, STREAM_FILLS, request, **shape) as at_echo,
        subscribed(pair.ours.address, path, request, **shape) as at_ours,
    ):
        messages = bench.sized(_MESSAGES)
        bench.say(f"{name}: {messages} of them")
        _, *sent = _send(pair, path, request, began, trigger, messages + 1)  # the first is to warm up
        looked_at = {one.message for one in sent}
        echoed, received = at_echo.receipts(looked_at), at_ours.receipts(looked_at)
    return _Delays(
        [_milliseconds(echoed[one.message], one.at_echo) for one in sent],
        [_milliseconds(received[one.message], one.began) for one in sent],
    )


def _send(
    pair: Pair,
    path: str,
    request: Message,
    began: Callable[[bytes], int],
    trigger: Callable[[], None],
    messages: int,
) -> list[_Sent]:
    subscribe: grpc.UnaryStreamMultiCallable[bytes, bytes] = pair.channel.unary_stream(path)
    stream = subscribe(request.SerializeToString())
    for _ in range(_OPENING[path]):
        next(stream)
    sent = []
    with grpc.insecure_channel(pair.echo.address) as echo:
        publish: grpc.UnaryUnaryMultiCallable[bytes, bytes] = echo.unary_unary(PUBLISH)
        for _ in range(messages):
            trigger()
            message = next(stream)
            time.sleep(_PAUSE_SECONDS)
            sent.append(_Sent(message, began(message), int(publish(message))))
    stream.cancel()
    return sent


def _subscribers(bench: Bench) -> int:
    return bench.sized(_SUBSCRIBERS)


def _fill_time(message: bytes) -> int:
    return StreamFillsResponse.FromString(message).fill.fill_time.ToNanoseconds()


def _quote_time(message: bytes) -> int:
    return StreamQuotesResponse.FromString(message).quote.quote_time.ToNanoseconds()


def _milliseconds(times: Sequence[int], began: int) -> list[float]:
    return [(came - began) / _NANOSECONDS_A_MS for came in times]


def _rate(delays: Sequence[float], milliseconds: float) -> float:
    return len(delays) / milliseconds * _MS_A_SECOND
