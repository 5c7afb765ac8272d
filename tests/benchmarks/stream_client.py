"""Many readers of one stream, which do as little as can be: they note when which bytes came.

    python -m tests.benchmarks.stream_client ADDRESS PATH REQUEST STREAMS CHANNELS [stalled]

PATH is the method's, REQUEST its request in hexadecimal. Ready when each reader has had its first message, which
does not count. With `stalled` they read that one and never again. At the end it says for each different message,
in hexadecimal, when the readers had it: a list of nanoseconds since 1970.
"""

import asyncio
import json
import sys
import time
from collections import defaultdict

import grpc
import uvloop

from tests.benchmarks.workers import told

# One connection each, where gRPC would share one among channels to the same address.
_OPTIONS = (("grpc.use_local_subchannel_pool", 1),)


async def main(address: str, path: str, request: str, streams: str, channels: str, *stalled: str) -> None:
    opened = [grpc.aio.insecure_channel(address, options=_OPTIONS) for _ in range(int(channels))]
    methods: list[grpc.aio.UnaryStreamMultiCallable[bytes, bytes]] = [channel.unary_stream(path) for channel in opened]
    calls = [methods[n % len(methods)](bytes.fromhex(request)) for n in range(int(streams))]
    for call in calls:
        if await call.read() is grpc.aio.EOF:
            raise SystemExit(f"a stream ended: {await call.code()}, {await call.details()}")
    received: defaultdict[bytes, list[int]] = defaultdict(list)
    readers = [asyncio.create_task(_follow(call, received)) for call in calls if not stalled]
    await asyncio.to_thread(told)
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    print(json.dumps({message.hex(): times for message, times in received.items()}))


async def _follow(call: grpc.aio.UnaryStreamCall[bytes, bytes], received: defaultdict[bytes, list[int]]) -> None:
    while isinstance(message := await call.read(), bytes):
        received[message].append(time.time_ns())


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
