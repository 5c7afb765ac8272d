"""The connection to another quantmesh: one channel, calls that answer once, and streams that must not fall silent."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
from google.protobuf.message import Message

from adapters.market_data.provider_errors import unavailable
from adapters.market_data.remote_failures import failure, nonsense, status_of
from adapters.market_data.remote_settings import NAME, RemoteSettings
from domain.errors import DomainError
from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from quantmesh.marketdata.v1.subscription_pb2 import SubscribeRequest, SubscribeResponse

if TYPE_CHECKING:  # the stub's types alone have it
    from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceAsyncStub

AnswerT = TypeVar("AnswerT", bound=Message)

# A thousand refusals with their details are more than the 4 MiB that gRPC takes by default.
_LARGEST_ANSWER: Final = 16 * 1024 * 1024

_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _LARGEST_ANSWER),
    ("grpc.http2.lookahead_bytes", 65_536),  # with the next: what a slow reader has not read waits there, conflated
    ("grpc.http2.bdp_probe", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),  # a server that is back is found within seconds, not minutes
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 10_000),  # else requests wait for the answers of a machine that is gone
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
)


class RemoteServer:
    """Connects when it is first asked, on the loop that asks."""

    def __init__(self, settings: RemoteSettings) -> None:
        self._settings = settings
        self._channel: grpc.aio.Channel | None = None
        self._stub: MarketDataServiceAsyncStub | None = None
        self._lines: set[Line] = set()
        self.closed = False

    @property
    def stub(self) -> "MarketDataServiceAsyncStub":
        if self.closed:
            raise _closed()
        if self._stub is None:
            self._channel = grpc.aio.insecure_channel(self._settings.address, options=_OPTIONS)
            self._stub = MarketDataServiceStub(self._channel)
        return self._stub

    async def ask(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Any, AnswerT], request: Message, seconds: float
    ) -> AnswerT | None:
        """The answer; None when there is no such instrument, quote or book. Raises as the port says."""
        try:
            answer = await method(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            refused = failure(status_of(error))
            if refused is None:
                return None
            raise refused from error
        except asyncio.CancelledError:
            if not self.closed:
                raise
            raise _closed() from None  # the call was cancelled, not the caller
        if not isinstance(answer, Message):  # gRPC gives None for bytes that are no message
            raise nonsense()
        return answer

    def subscribe(self, requests: Sequence[SubscribeRequest]) -> "Line":
        line = Line(self.stub.Subscribe(iter(requests)))
        self._lines.add(line)
        return line

    async def hang_up(self, line: "Line") -> None:
        self._lines.discard(line)
        await line.close()

    async def close(self) -> None:
        self.closed = True
        await asyncio.gather(*(line.close() for line in self._lines))
        if self._channel is not None:
            await self._channel.close()


class Line:
    """The messages of one Subscribe stream."""

    def __init__(self, call: grpc.aio.StreamStreamCall[Any, SubscribeResponse]) -> None:
        self._call = call
        self._reading: asyncio.Task[Any] | None = None

    async def next(self, seconds: float) -> SubscribeResponse | None:
        """The next message; None when none comes for so long. Raises what the stream ends with."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read(), name=f"{NAME} stream")
        # Not wait_for: gRPC ends a call of which a read is cancelled.
        await asyncio.wait((self._reading,), timeout=seconds)
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        if reading.cancelled():
            raise _closed()
        message = reading.result()
        if message is grpc.aio.EOF:
            raise unavailable(NAME, "its server ended the stream")
        if not isinstance(message, SubscribeResponse):
            raise nonsense()
        return message

    async def _read(self) -> object:
        try:
            return await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise _ended(error) from error

    async def close(self) -> None:
        self._call.cancel()
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


def _ended(error: grpc.aio.AioRpcError) -> DomainError:
    return failure(status_of(error)) or unavailable(NAME, "its server ended the stream")


def _closed() -> DomainError:
    return unavailable(NAME, "it is closed")
