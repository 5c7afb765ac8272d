"""Heartbeats and goodbye around any source, and bytes that are made once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from google.protobuf.duration_pb2 import Duration

from domain.errors import NotFound, Unavailable
from domain.trading.events.order_events import Event, EventType
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamFillsResponse
from quantmesh.type.v1.stream_pb2 import Heartbeat
from server.interceptors.tracking import Lifecycle
from server.streams import Pause, SharedBytes, heartbeat_of, paced, unless_stopping


def test_the_default_heartbeat_is_15_seconds() -> None:
    assert heartbeat_of(StreamFillsRequest()) == 15.0
    assert heartbeat_of(StreamFillsRequest(heartbeat_interval=Duration(nanos=250_000_000))) == 0.25


class Source:
    """Yields what it is given, when it is given it."""

    def __init__(self) -> None:
        self.items: asyncio.Queue[int | Exception | None] = asyncio.Queue()
        self.closed = False

    async def __call__(self) -> AsyncIterator[int]:
        try:
            while (item := await self.items.get()) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed = True


async def test_items_come_through_and_silence_is_filled_with_heartbeats() -> None:
    source, life = Source(), Lifecycle()
    stream = paced(source(), 0.02, life)
    source.items.put_nowait(1)
    assert await anext(stream) == 1
    assert await anext(stream) is Pause.HEARTBEAT
    source.items.put_nowait(2)
    assert await anext(stream) == 2


async def test_it_ends_with_its_source_and_passes_on_how_that_fails() -> None:
    source, life = Source(), Lifecycle()
    source.items.put_nowait(1)
    source.items.put_nowait(None)
    assert [item async for item in paced(source(), 1, life)] == [1]
    source.items.put_nowait(NotFound("gone"))
    with pytest.raises(NotFound):
        await anext(paced(source(), 1, life))


async def test_a_shutdown_is_the_last_thing_said_and_closes_the_source() -> None:
    source, life = Source(), Lifecycle()
    stream = paced(source(), 5, life)
    asyncio.get_running_loop().call_later(0.02, life.stop)
    assert [item async for item in stream] == [Pause.GOODBYE]
    assert source.closed


async def test_a_reader_that_leaves_closes_the_source() -> None:
    source, life = Source(), Lifecycle()
    stream = paced(source(), 0.01, life)
    assert await anext(stream) is Pause.HEARTBEAT
    await stream.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert source.closed


async def test_waiting_gives_way_to_a_shutdown() -> None:
    life = Lifecycle()

    async def answer() -> int:
        return 7

    assert await unless_stopping(answer(), life) == 7
    asyncio.get_running_loop().call_later(0.02, life.stop)
    with pytest.raises(Unavailable) as refused:
        await unless_stopping(asyncio.sleep(5), life)
    assert refused.value.reason == "SERVER_STOPPING"


def test_a_message_is_serialized_once_and_only_the_newest_are_kept() -> None:
    made: list[int] = []

    def message(event: Event) -> StreamFillsResponse:
        made.append(event.sequence)
        return StreamFillsResponse(heartbeat=Heartbeat(sequence=event.sequence))

    def event(sequence: int, account_id: str = "a") -> Event:
        return Event(account_id, sequence, datetime.now(UTC), "system", EventType.ACCOUNT_CREATED)

    shared = SharedBytes(message, most=2)
    assert StreamFillsResponse.FromString(shared(event(1))).heartbeat.sequence == 1
    shared(event(1))
    shared(event(1, "b"))
    assert made == [1, 1]
    shared(event(2))
    shared(event(1))
    assert made == [1, 1, 2, 1]
