"""The one rule set for streams: heartbeats in silence, goodbye at the shutdown, and no more held than is being sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar

from google.protobuf.message import Message

from application.trading.event_feed import EventFeed
from domain.trading.events.order_events import Event
from quantmesh.type.v1 import stream_pb2
from server.interceptors.handlers import Context
from server.interceptors.tracking import Lifecycle, server_stopping
from server.mapping.common import seconds_or

HEARTBEAT_SECONDS: Final = 15.0

_SHARED_MESSAGES: Final = 4_096

T = TypeVar("T")


def heartbeat_of(request: Message) -> float:
    """The seconds of silence after which `request` wants a heartbeat."""
    return seconds_or(request, "heartbeat_interval", HEARTBEAT_SECONDS)


# -- streams of an account's journal -----------------------------------------------------------------------


class SharedBytes:
    """The serialized message of each of the newest events: made once, however many subscribers get it."""

    def __init__(self, message: Callable[[Event], Message], most: int = _SHARED_MESSAGES) -> None:
        self._message = message
        self._most = most
        self._known: dict[tuple[str, int], bytes] = {}

    def __call__(self, event: Event) -> bytes:
        key = event.account_id, event.sequence
        data = self._known.get(key)
        if data is None:
            data = self._known[key] = self._message(event).SerializeToString()
            if len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        return data


class JournalView(NamedTuple):
    """What a kind of stream shows of a journal.

    `response`: its message, with heartbeat, snapshot_end and goodbye. `snapshot` gives the present state as
    messages, and the sequence that it is the state after.
    """

    response: type[Any]
    snapshot: Callable[[], Awaitable[tuple[Iterable[Message], int]]]
    wanted: Callable[[Event], bool]
    serialized: Callable[[Event], bytes]


async def journal_stream(
    request: Any, context: Context, feed: EventFeed, lifecycle: Lifecycle, view: JournalView
) -> AsyncIterator[Message | bytes]:
    """The messages of one subscriber, from the start that `request` names on; OutOfRange for a cursor from the future.

    What has been yielded, or was not wanted, is behind the cursor that heartbeats and the goodbye name.
    """
    start = request.WhichOneof("start")
    if start == "after_sequence":
        cursor = request.after_sequence
        feed.require_reached(cursor)
        await context.send_initial_metadata(())
    elif start == "snapshot_then_live":
        snapshot, cursor = await view.snapshot()
        for message in snapshot:
            yield message
        yield view.response(snapshot_end=stream_pb2.SnapshotEnd(sequence=cursor))
    else:
        cursor = feed.last_sequence
        yield view.response(heartbeat=stream_pb2.Heartbeat(sequence=cursor))

    now = asyncio.get_running_loop().time
    interval = heartbeat_of(request)
    due = now() + interval
    while not lifecycle.stopping.is_set():
        for event in await feed.after(cursor):
            if lifecycle.stopping.is_set():
                break
            cursor = event.sequence
            if view.wanted(event):
                yield view.serialized(event)
                due = now() + interval
        if now() >= due:
            yield view.response(heartbeat=stream_pb2.Heartbeat(sequence=cursor))
            due = now() + interval
        # Looked at right before the wait: a stop that came while something was sent has woken nobody.
        if not lifecycle.stopping.is_set():
            await feed.wait_beyond(cursor, due - now())
    yield view.response(goodbye=stream_pb2.Goodbye(sequence=cursor))


# -- any other stream --------------------------------------------------------------------------------------


class Pause(Enum):
    """What a stream says when its source says nothing."""

    HEARTBEAT = "HEARTBEAT"
    GOODBYE = "GOODBYE"


async def paced(source: AsyncIterator[T], heartbeat: float, lifecycle: Lifecycle) -> AsyncIterator[T | Pause]:
    """What `source` yields, HEARTBEAT after each `heartbeat` seconds without, and at the shutdown GOODBYE, the last.

    It ends when `source` does, and closes it. One item is asked for at a time, once the one before is taken.
    """
    stopping = asyncio.ensure_future(lifecycle.stopping.wait())
    item: asyncio.Future[Any] = asyncio.ensure_future(anext(source))
    try:
        while True:
            done, _ = await asyncio.wait((item, stopping), timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED)
            if stopping in done:
                yield Pause.GOODBYE
                return
            if item in done:
                try:
                    value = item.result()
                except StopAsyncIteration:
                    return
                yield value
                item = asyncio.ensure_future(anext(source))
            else:
                yield Pause.HEARTBEAT
    finally:
        await _end(source, item, stopping)


async def unless_stopping(awaited: Awaitable[T], lifecycle: Lifecycle) -> T:
    """What `awaited` gives; Unavailable when the server stops before that."""
    stopping = asyncio.ensure_future(lifecycle.stopping.wait())
    coming = asyncio.ensure_future(awaited)
    try:
        await asyncio.wait((coming, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not coming.done():
            raise server_stopping()
        return coming.result()
    finally:
        await _end(None, coming, stopping)


async def _end(source: Any, *tasks: asyncio.Future[Any]) -> None:
    for task in tasks:
        task.cancel()
    # gather, so that what went wrong in a source that nobody reads any more is not reported as overlooked
    await asyncio.gather(*tasks, return_exceptions=True)
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
