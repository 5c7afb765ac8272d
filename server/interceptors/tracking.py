"""Which calls are under way, and whether new ones are still taken: what a clean shutdown needs to know."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from domain.errors import Throttled, Unavailable

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


def server_stopping() -> Unavailable:
    return Unavailable("the server is shutting down: repeat the request", reason="SERVER_STOPPING")


class Lifecycle:
    """The server's turn from serving to stopping.

    `stopping` is set once: from then on new calls are refused, and streams say goodbye. `most_streams` is what one
    address may have open.
    """

    def __init__(self, most_streams: int = 10_000) -> None:
        self._most_streams = most_streams
        self._streams: Counter[str] = Counter()
        self.stopping = asyncio.Event()
        self.under_way = 0
        self._idle = asyncio.Event()
        self._listeners: dict[object, Callable[[], None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def stop(self) -> None:
        self.stopping.set()
        for listener in list(self._listeners.values()):
            listener()
        if not self.under_way:
            self._idle.set()

    @contextmanager
    def at_stop(self, listener: Callable[[], None]) -> Iterator[None]:
        """Within it, `listener` is called when the stopping begins."""
        key = object()
        self._listeners[key] = listener
        try:
            yield
        finally:
            del self._listeners[key]

    def enter(self) -> None:
        """A call begins; raises Unavailable when no more are taken."""
        if self.stopping.is_set():
            raise server_stopping()
        self.under_way += 1

    def leave(self) -> None:
        self.under_way -= 1
        if not self.under_way and self.stopping.is_set():
            self._idle.set()

    @contextmanager
    def stream_of(self, peer: str) -> Iterator[None]:
        """Within it, one more stream of a caller is open; raises Throttled: QUOTA_EXCEEDED when it has too many.

        Callers are told apart by their address, since who they say they are proves nothing.
        """
        address = peer.rpartition(":")[0]
        if self._streams[address] >= self._most_streams:
            raise Throttled(
                f"a caller has at most {self._most_streams} streams open: end one first",
                _RETRY_SECONDS,
                reason="QUOTA_EXCEEDED",
            )
        self._streams[address] += 1
        try:
            yield
        finally:
            self._streams[address] -= 1
            if not self._streams[address]:
                del self._streams[address]

    def finish(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Carry on with `work` when its call has ended; the shutdown waits for it as for a call."""
        self.under_way += 1
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.leave()
        if not task.cancelled() and (fault := task.exception()) is not None:
            _log.error("%s failed", task.get_name(), exc_info=fault)

    async def drained(self, seconds: float) -> bool:
        """Wait, after `stop`, for the calls under way; False when some still are after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
