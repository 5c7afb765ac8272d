"""What a subscriber that has stopped reading costs: the others' time, and the server's memory."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration

from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from quantmesh.trading.v1.order_stream_pb2 import StreamOrderEventsRequest, StreamOrderEventsResponse
from quantmesh.type.v1.stream_pb2 import Live
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import STREAM_ORDER_EVENTS, batches, market_order
from tests.benchmarks.processes import create_accounts
from tests.benchmarks.report import Row
from tests.benchmarks.subscribers import stalled, subscribed

_SUBSCRIBERS = 99
_CHANNELS = 5
_HISTORY_BATCHES = 100
_BATCH = 100
_ORDERS = 60
_PAUSE_SECONDS = 0.08
_SILENT = Duration(seconds=300)
_NANOSECONDS_A_MS = 1e6
_MOST_MIB = 8.0


class _Phase(NamedTuple):
    """Nanoseconds since 1970, and by how many MiB the server grew."""

    began: int
    ended: int
    grown: float


def one_of_a_hundred(bench: Bench) -> Iterator[Row]:
    """p99 of the time from an event until each of 99 subscribers has it, without and with a stalled hundredth.

    The stalled one starts at the beginning of a history of 20,000 events, about 15 MiB, of which it reads one:
    what a server that buffers without bound would have to hold for it.
    """
    name = "A stalled subscriber among 100"
    with bench.pair() as pair:
        [account] = create_accounts(pair.channel, 1)
        bench.say(f"{name}: making history")
        orders = OrderServiceStub(pair.channel)
        for request in batches([account], bench.sized(_HISTORY_BATCHES), _BATCH):
            orders.PlaceOrders(request)
        live = StreamOrderEventsRequest(account_id=account, live=Live(), heartbeat_interval=_SILENT)
        shape = {"clients": 1, "streams": _SUBSCRIBERS, "channels": _CHANNELS}
        with subscribed(pair.ours.address, STREAM_ORDER_EVENTS, live, **shape) as others:
            without, beside = bench.take_turns(
                name, lambda: _phase(bench, pair, account, False), lambda: _phase(bench, pair, account, True)
            )
            delays = _delays(others.receipts())
    alone, disturbed = ([_p99(delays, phase) for phase in phases] for phases in (without, beside))
    yield Row(name, "p99 of the other 99", "ms", alone, disturbed, against="none stalled", at_most=1.5)
    grown = [phase.grown for phase in beside]
    yield Row(name, "memory it takes", "MiB", [_MOST_MIB] * len(grown), grown, against="bound", at_most=1)


def _phase(bench: Bench, pair: Pair, account: str, with_stalled: bool) -> _Phase:
    place = OrderServiceStub(pair.channel).PlaceOrder
    from_the_beginning = StreamOrderEventsRequest(account_id=account, after_sequence=0, heartbeat_interval=_SILENT)
    before = pair.ours.memory_mib()
    address = pair.ours.address
    with stalled(address, STREAM_ORDER_EVENTS, from_the_beginning) if with_stalled else nullcontext():
        began = time.time_ns()
        for _ in range(bench.sized(_ORDERS)):
            place(PlaceOrderRequest(account_id=account, order=market_order()))
            time.sleep(_PAUSE_SECONDS)
        return _Phase(began, time.time_ns(), pair.ours.memory_mib() - before)


def _delays(receipts: Mapping[bytes, Sequence[int]]) -> list[tuple[int, int]]:
    """When an event happened, and how long after that a subscriber had it."""
    delays = []
    for message, times in receipts.items():
        happened = StreamOrderEventsResponse.FromString(message).event.event_time.ToNanoseconds()
        delays += [(happened, came - happened) for came in times]
    return delays


def _p99(delays: Sequence[tuple[int, int]], phase: _Phase) -> float:
    """In milliseconds."""
    times = sorted(delay for happened, delay in delays if phase.began <= happened < phase.ended)
    return times[len(times) * 99 // 100] / _NANOSECONDS_A_MS
