"""One reader of quotes or trades, who counts them.

    python -m tests.benchmarks.tick_client ADDRESS PATH REQUEST

PATH is that of StreamQuotes or StreamTrades, REQUEST its request in hexadecimal. Ready when the first message has come.
At the end it says how many came, those that were merged into others included, when the first and the last did, in
seconds since 1970, and what its stream said beside them.
"""

import asyncio
import json
import sys
import time
from contextlib import suppress
from typing import Any

import grpc
import uvloop

from quantmesh.marketdata.v1.market_data_stream_pb2 import (
    STREAM_STATE_LIVE,
    StreamQuotesResponse,
    StreamTradesResponse,
)
from tests.benchmarks.contract import STREAM_QUOTES, STREAM_TRADES
from tests.benchmarks.workers import told

_RESPONSES: dict[str, Any] = {STREAM_QUOTES: StreamQuotesResponse, STREAM_TRADES: StreamTradesResponse}


class _Count:
    def __init__(self) -> None:
        self.ticks = 0
        self.first = self.last = 0.0
        self.said: list[str] = []

    async def follow(self, call: Any) -> None:
        with suppress(grpc.aio.AioRpcError):
            while (message := await call.read()) is not grpc.aio.EOF:
                self._look_at(message)
        self.said.append(f"the stream ended: {await call.code()}, {await call.details()}")

    def _look_at(self, message: Any) -> None:
        match message.WhichOneof("message"):
            case "quote":
                self._take(1 + message.quote.merged_count)
            case "trade":
                self._take(1)
            case "status" if message.status.state != STREAM_STATE_LIVE:
                self.said.append(str(message.status))

    def _take(self, ticks: int) -> None:
        self.last = time.time()
        self.first = self.first or self.last
        self.ticks += ticks


async def main(address: str, path: str, request: str) -> None:
    count = _Count()
    async with grpc.aio.insecure_channel(address) as channel:
        stream: Any = channel.unary_stream(path, None, _RESPONSES[path].FromString)
        call = stream(bytes.fromhex(request))
        await call.read()
        reader = asyncio.create_task(count.follow(call))
        await asyncio.to_thread(told)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
    print(json.dumps(vars(count)))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
