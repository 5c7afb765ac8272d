"""Subscribers that outlive their server: each time they resume after the last sequence that they were told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_event_pb2 import OrderEvent
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamOrderEventsRequest
from tests.support.server import Client

_HEARTBEAT: Final = Duration(nanos=100_000_000)
_CATCH_UP_SECONDS: Final = 10.0


class Follower:
    """`taken`: all that the stream has brought. `goodbye`: whether its server has ended it."""

    def __init__(self, account_id: str, stream: str, request: type[Any], data: str) -> None:
        self.taken: list[Any] = []
        self.cursor = 0
        self.goodbye = False
        self._account_id = account_id
        self._stream = stream
        self._request = request
        self._data = data
        self._moved = asyncio.Event()

    async def follow(self, client: Client) -> None:
        """Until the server is gone, or says goodbye."""
        request = self._request(account_id=self._account_id, after_sequence=self.cursor, heartbeat_interval=_HEARTBEAT)
        self.goodbye = False
        try:
            async for message in getattr(client.orders, self._stream)(request):
                assert not self.goodbye, "goodbye is the last message"
                self._take(message)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise

    def _take(self, message: Any) -> None:
        kind = message.WhichOneof("message")
        content = getattr(message, kind)
        if kind == self._data:
            assert content.sequence > self.cursor
            self.taken.append(content)
        else:
            assert kind in ("heartbeat", "goodbye")
            assert content.sequence >= self.cursor
            self.goodbye = kind == "goodbye"
        self.cursor = content.sequence
        self._moved.set()

    async def reach(self, sequence: int) -> None:
        """Wait until everything up to `sequence` has come."""
        async with asyncio.timeout(_CATCH_UP_SECONDS):
            while self.cursor < sequence:
                self._moved.clear()
                await self._moved.wait()


class Followers:
    """One subscriber of an account's events and one of its fills."""

    def __init__(self, account_id: str) -> None:
        self._events = Follower(account_id, "StreamOrderEvents", StreamOrderEventsRequest, "event")
        self._fills = Follower(account_id, "StreamFills", StreamFillsRequest, "fill")

    @property
    def events(self) -> list[OrderEvent]:
        return self._events.taken

    @property
    def fills(self) -> list[Fill]:
        return self._fills.taken

    @property
    def both(self) -> tuple[Follower, Follower]:
        return self._events, self._fills

    async def follow(self, client: Client) -> None:
        await asyncio.gather(*(one.follow(client) for one in self.both))

    @asynccontextmanager
    async def following(self, client: Client) -> AsyncIterator[None]:
        """Follow as long as the body runs."""
        task = asyncio.create_task(self.follow(client))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    async def reach(self, sequence: int) -> None:
        await asyncio.gather(*(one.reach(sequence) for one in self.both))
