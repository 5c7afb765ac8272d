"""The harness itself, on the echo: that it loads, counts and reports. Nothing here asserts a speed."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
from rich.console import Console

from adapters.persistence.market_store import open_market_store
from application.ports.bar_store import SeriesKey, Stretch
from domain.market_data.bar import Bar as KeptBar
from domain.market_data.bar import BarInterval, PriceAdjustment
from quantmesh.marketdata.v1.bar_pb2 import Bar
from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesResponse
from quantmesh.marketdata.v1.quote_pb2 import Quote
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamFillsResponse
from quantmesh.type.v1.stream_pb2 import Heartbeat
from tests.benchmarks import ticks
from tests.benchmarks.contract import (
    BARS,
    BLOCKS,
    PUBLISH,
    STREAM_FILLS,
    STREAM_QUOTES,
    STREAM_TRADES,
    WELCOME,
    batches,
    placements,
    read_messages,
    write_messages,
)
from tests.benchmarks.ghz import Ghz
from tests.benchmarks.processes import BenchmarkFailed, ServerProcess, bare_server, echo_server
from tests.benchmarks.report import Row, table, write
from tests.benchmarks.subscribers import subscribed
from tests.benchmarks.workers import workers
from tests.support.parts import program

CALLS = 200
START = datetime(2025, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


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


def test_only_the_messages_that_are_looked_at_must_have_come_to_all(echo: ServerProcess) -> None:
    late = StreamFillsResponse(heartbeat=Heartbeat(sequence=2)).SerializeToString()
    shape = {"clients": 1, "streams": 1, "channels": 1}
    with grpc.insecure_channel(echo.address) as channel:
        publish: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PUBLISH)
        with subscribed(echo.address, STREAM_FILLS, StreamFillsRequest(), **shape) as subscribers:
            for message in (late, late, WELCOME):
                publish(message)
                time.sleep(0.1)
            receipts = subscribers.receipts(of={WELCOME})
    assert list(receipts) == [WELCOME]


def test_the_bare_server_streams_the_bars_that_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "marketdata.db"
    asyncio.run(_keep(file, 700))
    with bare_server("bare_bars", tmp_path, str(file)) as server:
        for path in (BARS, BLOCKS):
            with workers("bar_client", [(server.address, path, "")]) as [client]:
                client.tell()
                ran = client.result()
            last = Bar.FromString(bytes.fromhex(ran["last"]))
            assert ran["bars"] == 700
            assert (last.symbol, last.close, last.provider) == ("BTC/USD", "799", "simulated")
            assert last.close_time.ToDatetime(UTC) == START + 700 * MINUTE


def test_the_server_that_decides_nothing_answers_what_it_has_committed_and_commits_a_second_record(
    tmp_path: Path,
) -> None:
    file = tmp_path / "bare.db"
    with bare_server("bare_orders", tmp_path, f"sqlite:///{file}") as server:
        with grpc.insecure_channel(server.address) as channel:
            orders = OrderServiceStub(channel)
            [single] = placements(["demo"], 1)
            placed = orders.PlaceOrder(single, timeout=10)
            [batch] = batches(["demo"], 1, 3)
            results = orders.PlaceOrders(batch, timeout=10).results
        sent = [single.order.client_order_id, *(order.client_order_id for order in batch.orders)]
        answered = [placed.order.client_order_id, *(result.placed.order.client_order_id for result in results)]
        assert answered == sent
        while _counted(file, "journal") < 2 * len(sent):
            time.sleep(0.01)
    assert _counted(file, "orders WHERE status = 'NEW'") == len(sent)
    assert _counted(file, "audit_records") == 2


def _counted(file: Path, rows: str) -> int:
    with closing(sqlite3.connect(file)) as connection:
        [(count,)] = connection.execute(f"SELECT count(*) FROM {rows}")  # noqa: S608 nobody else writes it
        return int(count)


async def _keep(file: Path, count: int) -> None:
    store = await open_market_store(f"sqlite:///{file}")
    bars = [_bar(START + number * MINUTE, Decimal(100 + number)) for number in range(count)]
    series = SeriesKey("simulated", "1", "BTC/USD", BarInterval.MINUTE_1, PriceAdjustment.RAW, False, "")
    await store.bars.keep(series, [Stretch(START, START + count * MINUTE, bars)])
    await store.close()


def _bar(at: datetime, price: Decimal) -> KeptBar:
    return KeptBar(
        symbol="BTC/USD",
        interval=BarInterval.MINUTE_1,
        open_time=at,
        close_time=at + MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=Decimal(1),
        trade_count=7,
    )


def test_the_recorded_day_is_in_order_and_whole(tmp_path: Path) -> None:
    assert ticks.record(tmp_path, 400) == {STREAM_QUOTES: 320, STREAM_TRADES: 80}
    for folder, rows in (("quotes", 80), ("trades", 20)):
        files = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert files == ["BTC_USDT.csv", "ETH_USDT.csv", "SOL_USDT.csv", "XRP_USDT.csv"]
        lines = (tmp_path / folder / files[0]).read_text().splitlines()
        times = [int(line.partition(",")[0]) for line in lines[1:]]
        assert len(times) == rows
        assert times == sorted(times)
        assert times[-1] - times[0] < 86_400_000_000


def test_a_reader_of_ticks_counts_those_that_were_merged() -> None:
    def quotes(_request: bytes, _context: grpc.ServicerContext) -> Iterator[bytes]:
        yield StreamQuotesResponse(heartbeat=Heartbeat()).SerializeToString()
        for merged in (0, 2):
            yield StreamQuotesResponse(quote=Quote(merged_count=merged)).SerializeToString()

    _, service, method = STREAM_QUOTES.split("/")
    server = grpc.server(ThreadPoolExecutor())
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(quotes)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with workers("tick_client", [(f"127.0.0.1:{port}", STREAM_QUOTES, "")]) as [reader]:
        time.sleep(0.5)
        reader.tell()
        count = reader.result()
    server.stop(None)
    assert count["ticks"] == 4
    assert 0 < count["first"] <= count["last"]
    assert "StatusCode.OK" in count["said"][0]


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
