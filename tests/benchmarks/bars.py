"""ListBars of many bars that are kept, against reading their rows with a bare query and a bare stream."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import grpc

from quantmesh.marketdata.v1.backfill_job_pb2 import StartBackfillRequest, StreamBackfillRequest
from quantmesh.marketdata.v1.backfill_pb2 import BACKFILL_STATE_SUCCEEDED
from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE, Bar
from quantmesh.marketdata.v1.market_data_query_pb2 import ListBarsRequest
from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from tests.benchmarks.bench import Bench
from tests.benchmarks.contract import BARS, BLOCKS, LIST_BARS, SYMBOL
from tests.benchmarks.ghz import Load
from tests.benchmarks.placements import cpu, rates
from tests.benchmarks.processes import BenchmarkFailed, ServerProcess, bare_server, trading_server
from tests.benchmarks.report import Row
from tests.benchmarks.workers import workers

_BARS = 100_000
_PAGE = 10_000
_START = datetime(2025, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
_STORE = "marketdata.db"
_YARDSTICKS = {"bare stream of rows": BLOCKS, "bare stream of bars": BARS}


def of_many_minutes(bench: Bench) -> Iterator[Row]:
    """Page by page, by one reader who waits for each.

    The yardsticks send what they read as it comes, without a word on what is missing in it: the bars of a row as one
    message, which no contract of ours would, or each bar as a message.
    """
    bars, pages = bench.sized(_BARS), bench.sized(_PAGE)
    name = f"ListBars, {bars:,} bars in pages of {pages:,}"
    request = ListBarsRequest(symbol=SYMBOL, interval=BAR_INTERVAL_ONE_MINUTE, page_size=pages)
    request.start_time.FromDatetime(_START)
    request.end_time.FromDatetime(_START + bars * _MINUTE)
    with bench.empty_folder() as folder, trading_server(folder) as (server, channel):
        bench.say(f"{name}: keeping them")
        _keep(channel, request, bars)
        with bare_server("bare_bars", folder, str(folder / _STORE)) as bare:
            ours = partial(_read, server, LIST_BARS, request, bars)
            for against, path in _YARDSTICKS.items():
                bases, loads = bench.take_turns(f"{name}, {against}", partial(_read, bare, path, request, bars), ours)
                yield Row(name, "rate", "bars/s", rates(bases), rates(loads), against)
                yield Row(name, "server's CPU", "us/bar", cpu(bases), cpu(loads), against)


def _keep(channel: grpc.Channel, request: ListBarsRequest, bars: int) -> None:
    """Have the server fetch and keep what will be asked for."""
    stub = MarketDataServiceStub(channel)
    wanted = StartBackfillRequest(
        symbols=[request.symbol], interval=request.interval, start_time=request.start_time, end_time=request.end_time
    )
    backfill = stub.StartBackfill(wanted).backfill
    for message in stub.StreamBackfill(StreamBackfillRequest(backfill_id=backfill.backfill_id)):
        if message.HasField("backfill"):
            backfill = message.backfill
    if backfill.state != BACKFILL_STATE_SUCCEEDED or backfill.stored_bars != bars:
        raise BenchmarkFailed(f"{bars} bars were to be kept: {backfill}")


def _read(server: ServerProcess, path: str, request: ListBarsRequest, bars: int) -> Load:
    with workers("bar_client", [(server.address, path, request.SerializeToString().hex())]) as [client]:
        before = server.cpu_seconds()
        client.tell()
        ran = client.result()
        spent = server.cpu_seconds() - before
    last = Bar.FromString(bytes.fromhex(ran["last"])).close_time.ToDatetime(UTC)
    if ran["bars"] != bars or last != _START + bars * _MINUTE:
        raise BenchmarkFailed(f"instead of {bars} bars came {ran['bars']}, the last one until {last}")
    return Load(bars, ran["ended"] - ran["began"], spent, [])
