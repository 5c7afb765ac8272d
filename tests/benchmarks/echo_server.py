"""The yardstick: what grpc.aio costs by itself, on the loop and with the options that the real server has.

    python -m tests.benchmarks.echo_server PORT

PlaceOrder and PlaceOrders parse their request and serialize it again as the answer: no more than a generated
servicer does. OrderSession answers each message with a ready-made one. StreamFills sends what Publish was called
with to all its readers, the same bytes to each, after one message at once that says that the reader is subscribed.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import grpc
import uvloop

from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from tests.benchmarks.contract import DONE, OPENED, ORDER_SESSION, PUBLISH, STREAM_FILLS, WELCOME, path_of

# As server/transport.py has them: the yardstick must differ in what is done, not in how it is sent.
OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.http2.lookahead_bytes", 65_536),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_receive_message_length", 4 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]


class Echo(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self._published = asyncio.get_running_loop().create_future()
        unary, streaming = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        self._handlers: dict[str, Handler] = {
            path_of(name): unary(self._echo, message.FromString, message.SerializeToString)
            for name, message in (("PlaceOrder", PlaceOrderRequest), ("PlaceOrders", PlaceOrdersRequest))
        }
        self._handlers[ORDER_SESSION] = grpc.stream_stream_rpc_method_handler(self._talk)
        self._handlers[PUBLISH] = unary(self._publish)
        self._handlers[STREAM_FILLS] = streaming(self._stream)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        return self._handlers.get(handler_call_details.method)

    async def _echo(self, request: Any, _: "Context") -> Any:
        return request

    async def _talk(self, requests: AsyncIterator[bytes], context: "Context") -> None:
        await anext(requests)
        await context.write(OPENED)
        async for _ in requests:
            await context.write(DONE)

    async def _publish(self, message: bytes, _: "Context") -> bytes:
        """Answers when it began, as decimal nanoseconds since 1970."""
        began = time.time_ns()
        published, self._published = self._published, asyncio.get_running_loop().create_future()
        published.set_result(message)
        return str(began).encode()

    async def _stream(self, _request: bytes, context: "Context") -> None:
        published = self._published
        await context.write(WELCOME)
        while True:
            message = await asyncio.shield(published)
            published = self._published
            await context.write(message)


async def main(port: str) -> None:
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((Echo(),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
