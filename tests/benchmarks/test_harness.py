"""The harness itself, on the echo: that it loads, counts and reports. Nothing here asserts a speed."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from rich.console import Console

from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest
from tests.benchmarks.contract import PUBLISH, STREAM_FILLS, WELCOME, placements, read_messages, write_messages
from tests.benchmarks.ghz import Ghz
from tests.benchmarks.processes import BenchmarkFailed, ServerProcess, echo_server
from tests.benchmarks.report import Row, table, write
from tests.benchmarks.subscribers import subscribed
from tests.support.parts import program

CALLS = 200


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with echo_server(tmp_path_factory.mktemp("echo")) as server:
        yield server


@pytest.mark.requires("ghz")
def test_a_load_counts_each_call_with_its_latency(echo: ServerProcess, tmp_path: Path) -> None:
    messages = tmp_path / "messages.bin"
    write_messages(messages, placements(["demo"], CALLS))
    load = Ghz(program("ghz"), tmp_path).load(echo, "PlaceOrder", messages, CALLS, callers=8, connections=2)
    assert load.calls == len(load.latencies) == CALLS
    assert load.calls_a_second > 0
    assert 0 < load.percentile(50) <= load.percentile(99)


@pytest.mark.requires("ghz")
def test_a_load_with_calls_that_fail_is_no_result(echo: ServerProcess, tmp_path: Path) -> None:
    messages = tmp_path / "messages.bin"
    messages.write_bytes(b"\x02\x0a\xff")
    with pytest.raises(BenchmarkFailed):
        Ghz(program("ghz"), tmp_path).load(echo, "PlaceOrder", messages, 1, callers=1, connections=1)


def test_every_order_has_an_id_of_its_own_and_survives_the_file(tmp_path: Path) -> None:
    written = list(placements(["a", "b"], CALLS))
    write_messages(tmp_path / "messages.bin", written)
    assert read_messages(tmp_path / "messages.bin", PlaceOrderRequest) == written
    assert len({request.order.client_order_id for request in written}) == CALLS
    assert [request.account_id for request in written[:3]] == ["a", "b", "a"]


def test_each_subscriber_notes_when_it_had_what_was_published(echo: ServerProcess) -> None:
    shape = {"clients": 2, "streams": 3, "channels": 1}
    with subscribed(echo.address, STREAM_FILLS, StreamFillsRequest(), **shape) as subscribers:
        with grpc.insecure_channel(echo.address) as channel:
            publish: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PUBLISH)
            began = int(publish(WELCOME))
        receipts = subscribers.receipts()
    [(message, times)] = receipts.items()
    assert message == WELCOME
    assert len(times) == 6
    assert began < times[0] <= times[-1]


def test_a_row_compares_each_round_with_its_own_yardstick(tmp_path: Path) -> None:
    row = Row("PlaceOrder", "rate", "calls/s", [100, 50, 400], [60, 40, 100], at_least=0.5)
    assert row.ratio == 0.6
    assert row.passed
    assert Row("a start", "until SERVING", "s", [1], [2], at_most=1.5).passed is False
    assert Row("a start", "memory", "MiB", [1], [2]).passed is None
    write([row], ["postgresql, for lack of it"], [], tmp_path / "bench.json")
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["rows"][0]["ours"] == [60, 40, 100]
    assert written["skipped"] == ["postgresql, for lack of it"]
    console = Console(width=120, record=True)
    console.print(table([row]))
    assert "pass" in console.export_text()
