"""One OrderSession that is pumped as fast as the server takes it.

    python -m tests.benchmarks.session_client ADDRESS MESSAGES

MESSAGES is a file of OrderSessionRequests, each with its length before it, the first of them `open`. At the end
it says when it began and ended, in seconds since 1970; it fails unless every order was placed.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

import grpc
import uvloop

from quantmesh.trading.v1.order_session_pb2 import OrderSessionRequest, OrderSessionResponse
from tests.benchmarks.contract import ORDER_SESSION, read_messages
from tests.benchmarks.workers import told


async def main(address: str, path: str) -> None:
    opening, *commands = (message.SerializeToString() for message in read_messages(Path(path), OrderSessionRequest))
    async with grpc.aio.insecure_channel(address) as channel:
        talk: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream(ORDER_SESSION)
        call = talk()
        await call.write(opening)
        _expect(await call.read(), "opened")
        told()
        began = time.time()
        sending = asyncio.create_task(_send(call, commands))
        answers = [await call.read() for _ in commands]
        ended = time.time()
        await sending
        call.cancel()
    for answer in answers:
        _expect(answer, "done")
    print(json.dumps({"began": began, "ended": ended}))


async def _send(call: grpc.aio.StreamStreamCall[bytes, bytes], commands: list[bytes]) -> None:
    for command in commands:
        await call.write(command)


def _expect(answer: object, kind: str) -> None:
    if not isinstance(answer, bytes):
        raise SystemExit("the session ended early")
    response = OrderSessionResponse.FromString(answer)
    if response.WhichOneof("answer") != kind:
        raise SystemExit(f"instead of {kind}: {response}")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
