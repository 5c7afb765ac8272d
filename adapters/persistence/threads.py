"""Threads that each own one SQLite connection, and the way of the event loop to them and back.

A job is one hop: handed over by a queue, answered by the loop's own wake-up. (An executor would do the same
through two futures and a work item, at about twice the cost.)
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Job: TypeAlias = tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]]


class ConnectionThreads:
    """`count` threads that take jobs in turn. A connection on which a job failed is closed, which rolls back
    whatever it had begun, and the next job gets a new one.
    """

    def __init__(self, name: str, count: int, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._closed = False
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True) for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, job: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """The job's outcome. Cancelling the future does not stop the job."""
        if self._closed:
            raise sqlite3.ProgrammingError("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, future))
        return future

    async def close(self) -> None:
        """Return once all jobs are done and the connections are closed."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        while (item := self._jobs.get()) is not None:
            job, future = item
            result, error = None, None
            try:
                connection = connection or self._connect()
                result = job(connection)
            except Exception as failed:
                error = failed
                _discard(connection)
                connection = None
            _answer(future, result, error)
        _discard(connection)


def _discard(connection: sqlite3.Connection | None) -> None:
    if connection is not None:
        with suppress(sqlite3.Error):
            connection.close()


def _answer(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    with suppress(RuntimeError):  # when the loop is closed, nobody waits any more
        future.get_loop().call_soon_threadsafe(_settle, future, result, error)


def _settle(future: "asyncio.Future[Any]", result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
