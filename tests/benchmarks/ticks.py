"""A day of ticks, recorded in files and replayed by a fast clock: what is kept of those that are over?"""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest, StreamTradesRequest
from tests.benchmarks.bench import Bench
from tests.benchmarks.contract import STREAM_QUOTES, STREAM_TRADES
from tests.benchmarks.processes import BenchmarkFailed, ServerProcess, trading_server
from tests.benchmarks.report import Row
from tests.benchmarks.workers import Worker, workers
from tests.support.recordings import write_text

_TICKS: Final = 1_000_000
_SYMBOLS: Final = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
_QUOTES_A_TRADE: Final = 4
_BEGIN: Final = datetime(2025, 6, 2, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_SECONDS: Final = 180
"""The day is over in so many. The server has some more to start in before it begins."""
_LEAD_SECONDS: Final = 10
_PATIENCE: Final = 3
_ARRIVING_SECONDS: Final = 2.0

_WHAT: Final[dict[str, Any]] = {"symbols": _SYMBOLS, "provider": "replay", "heartbeat_interval": Duration(seconds=300)}
_READERS: Final[dict[str, tuple[str, Message]]] = {
    "quotes": (STREAM_QUOTES, StreamQuotesRequest(**_WHAT)),
    "quotes, merged": (STREAM_QUOTES, StreamQuotesRequest(**_WHAT, min_interval=Duration(nanos=100_000_000))),
    "trades": (STREAM_TRADES, StreamTradesRequest(**_WHAT)),
}


def of_a_day(bench: Bench) -> Iterator[Row]:
    """One reads all quotes, one those ten times a second, and one all trades; another looks at a quote a second and
    then at the server's memory. What that is after a tenth of the day is the yardstick: by then everything was in use.

    The readers have to get each tick, be it as one of those that were merged into a later quote.
    """
    ticks, seconds = bench.sized(_TICKS), bench.sized(_SECONDS)
    name = f"A day of {ticks:,} ticks in {seconds} s"
    with bench.empty_folder() as folder:
        bench.say(f"{name}: recording")
        recorded = record(folder / "recordings", ticks)
        with trading_server(folder, config=_config(folder / "recordings", seconds)) as (server, channel):
            bench.say(f"{name}: replaying")
            streams = _READERS.values()
            arguments = [(server.address, path, request.SerializeToString().hex()) for path, request in streams]
            with workers("tick_client", arguments) as readers:
                after_a_tenth, *later = _memory(server, channel, seconds)
                time.sleep(_ARRIVING_SECONDS)
                rates = [_rate(reader, recorded[path]) for reader, (path, _) in zip(readers, streams, strict=True)]
    against = "after a tenth"
    yield Row(name, "memory at the end", "MiB", [after_a_tenth], [later[-1]], against=against, at_most=1.1)
    yield Row(name, "memory at most", "MiB", [after_a_tenth], [max(later)], against=against)
    for (measure, (path, _)), rate in zip(_READERS.items(), rates, strict=True):
        yield Row(name, measure, "ticks/s", [recorded[path] / seconds], [rate], against="as recorded")


def _config(recordings: Path, seconds: float) -> str:
    speed = _DAY.total_seconds() / seconds
    start = _BEGIN - timedelta(seconds=_LEAD_SECONDS * speed)
    return f'clock_start = {start.isoformat()}\nclock_speed = {speed}\n[replay]\nfolder = "{recordings}"\n'


def _memory(server: ServerProcess, channel: grpc.Channel, seconds: float) -> list[float]:
    """In MiB, about once a second from when a tenth of the day is over until its end."""
    request = StreamQuotesRequest(symbols=_SYMBOLS[:1], provider="replay", min_interval=Duration(seconds=1))
    found: list[float] = []
    try:
        for message in MarketDataServiceStub(channel).StreamQuotes(request, timeout=_PATIENCE * seconds + 60):
            at = message.quote.quote_time.ToDatetime(UTC)
            if at >= _BEGIN + _DAY / 10:
                found.append(server.memory_mib())
                if at >= _BEGIN + _DAY * 0.999:
                    return found
    except grpc.RpcError as error:
        raise BenchmarkFailed(f"the replay ended early: {error}") from None
    raise BenchmarkFailed("the replay ended early")


def _rate(reader: Worker, recorded: int) -> float:
    reader.tell()
    count: dict[str, Any] = reader.result()
    if count["ticks"] != recorded or count["said"]:
        raise BenchmarkFailed(f"of {recorded:,} ticks {count['ticks']:,} came; {' '.join(count['said'])}")
    return float(count["ticks"] / (count["last"] - count["first"]))


# -- the recording -----------------------------------------------------------------------------------------


def record(folder: Path, ticks: int) -> dict[str, int]:
    """Files of so many quotes and trades of all symbols; gives the number of each by the stream that has them."""
    chance = random.Random(1)
    recorded = {STREAM_QUOTES: 0, STREAM_TRADES: 0}
    for symbol in _SYMBOLS:
        quotes, trades = ["time,bid,bid_size,ask,ask_size"], ["time,price,size,id"]
        for number, (at, cents) in enumerate(_walk(chance, ticks // len(_SYMBOLS))):
            if number % (_QUOTES_A_TRADE + 1):
                quotes.append(f"{at},{cents / 100:.2f},{chance.random():.4f},{cents / 100 + 0.03:.2f},0.5")
            else:
                trades.append(f"{at},{cents / 100 + 0.01:.2f},{chance.random() + 0.0001:.4f},{number}")
        for path, kind, lines in ((STREAM_QUOTES, "quotes", quotes), (STREAM_TRADES, "trades", trades)):
            write_text(folder / kind / f"{symbol.replace('/', '_')}.csv", "\n".join([*lines, ""]))
            recorded[path] += len(lines) - 1
    return recorded


def _walk(chance: random.Random, steps: int) -> Iterator[tuple[int, int]]:
    """Microseconds since 1970, all through the day, and a price in cents."""
    begin, step = int(_BEGIN.timestamp()) * 1_000_000, _DAY // timedelta(microseconds=steps)
    cents = 6_500_000
    for number in range(steps):
        cents += chance.randint(-50, 50)
        yield begin + int((number + chance.random()) * step), cents
