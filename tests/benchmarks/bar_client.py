"""One reader of bars, who reads each message and keeps the last bar alone.

    python -m tests.benchmarks.bar_client ADDRESS PATH REQUEST

REQUEST is a ListBarsRequest in hexadecimal. PATH is that of ListBars, which is called page by page, or of a stream.
At the end it says when it began and ended, in seconds since 1970, how many bars it read, and the last one in
hexadecimal.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator

import grpc
import uvloop

from quantmesh.marketdata.v1.bar_pb2 import Bar
from quantmesh.marketdata.v1.market_data_query_pb2 import ListBarsRequest, ListBarsResponse
from tests.benchmarks.contract import BARS, BLOCKS, LIST_BARS
from tests.benchmarks.workers import told


async def main(address: str, path: str, request: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        await asyncio.to_thread(told)
        read, last = 0, Bar()
        began = time.time()
        async for bars in _READ[path](channel, ListBarsRequest.FromString(bytes.fromhex(request))):
            read += len(bars)
            last = bars[-1]
        ended = time.time()
    print(json.dumps({"began": began, "ended": ended, "bars": read, "last": last.SerializeToString().hex()}))


async def _pages(channel: grpc.aio.Channel, request: ListBarsRequest) -> AsyncIterator[list[Bar]]:
    call: grpc.aio.UnaryUnaryMultiCallable[ListBarsRequest, ListBarsResponse] = channel.unary_unary(
        LIST_BARS, ListBarsRequest.SerializeToString, ListBarsResponse.FromString
    )
    while True:
        page = await call(request)
        yield list(page.bars)
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


async def _blocks(channel: grpc.aio.Channel, request: ListBarsRequest) -> AsyncIterator[list[Bar]]:
    stream: grpc.aio.UnaryStreamMultiCallable[bytes, ListBarsResponse] = channel.unary_stream(
        BLOCKS, None, ListBarsResponse.FromString
    )
    async for block in stream(b""):
        yield list(block.bars)


async def _each(channel: grpc.aio.Channel, request: ListBarsRequest) -> AsyncIterator[list[Bar]]:
    stream: grpc.aio.UnaryStreamMultiCallable[bytes, Bar] = channel.unary_stream(BARS, None, Bar.FromString)
    async for bar in stream(b""):
        yield [bar]


_READ = {LIST_BARS: _pages, BLOCKS: _blocks, BARS: _each}


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
