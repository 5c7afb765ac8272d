"""The yardstick of ListBars: the rows that the server keeps, by one query and one stream, and nothing else done.

    python -m tests.benchmarks.bare_bars PORT FILE

FILE is the SQLite file with the rows. Bars streams each as a message, Blocks all of a row as one.
"""

import sqlite3
import sys
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import grpc
import msgspec
import uvloop
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE, PRICE_ADJUSTMENT_RAW, Bar
from quantmesh.marketdata.v1.market_data_query_pb2 import ListBarsResponse
from tests.benchmarks.contract import BARS, BLOCKS
from tests.benchmarks.echo_server import OPTIONS

_INTERVALS: Final = {"1m": BAR_INTERVAL_ONE_MINUTE}
_ADJUSTMENTS: Final = {"RAW": PRICE_ADJUSTMENT_RAW}
_ROWS: Final = "SELECT provider, body FROM bar_blocks JOIN bar_series USING (series_id) ORDER BY start_time"


class _Bar(msgspec.Struct):
    """As it is kept: decimals stay texts."""

    symbol: str
    interval: str
    open_time: datetime
    close_time: datetime
    open: str
    high: str
    low: str
    close: str
    volume: str
    trade_count: int | None
    partial: bool
    vwap: str | None
    adjustment: str


_decode = msgspec.json.Decoder(list[_Bar]).decode


async def main(port: str, file: str) -> None:
    connection = sqlite3.connect(file)

    def blocks() -> Iterator[list[Bar]]:
        for provider, body in connection.execute(_ROWS):
            yield [_message(bar, provider) for bar in _decode(zlib.decompress(body))]

    async def each(_request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        for bars in blocks():
            for bar in bars:
                await context.write(bar)

    async def whole(_request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        for bars in blocks():
            await context.write(ListBarsResponse(bars=bars))

    server = grpc.aio.server(options=OPTIONS)
    for path, behaviour, kind in ((BARS, each, Bar), (BLOCKS, whole, ListBarsResponse)):
        _, service, method = path.split("/")
        handler: Any = grpc.unary_stream_rpc_method_handler(behaviour, None, kind.SerializeToString)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def _message(bar: _Bar, provider: str) -> Bar:
    return Bar(
        symbol=bar.symbol,
        interval=_INTERVALS[bar.interval],
        open_time=_timestamp(bar.open_time),
        close_time=_timestamp(bar.close_time),
        open=bar.open,
        high=bar.high,
        low=bar.low,
        close=bar.close,
        volume=bar.volume,
        partial=bar.partial,
        trade_count=bar.trade_count,
        vwap=bar.vwap,
        adjustment=_ADJUSTMENTS[bar.adjustment],
        provider=provider,
    )


def _timestamp(at: datetime) -> Timestamp:
    return Timestamp(seconds=int(at.timestamp()))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
