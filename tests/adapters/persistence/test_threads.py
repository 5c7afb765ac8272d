import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator

import pytest

from adapters.persistence.threads import ConnectionThreads


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None)


@pytest.fixture
async def threads() -> AsyncIterator[ConnectionThreads]:
    threads = ConnectionThreads("test", 1, connect)
    yield threads
    await threads.close()


def create(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE t (n INTEGER)")


def insert_and_fail(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO nowhere VALUES (1)")


def tables(connection: sqlite3.Connection) -> int:
    [(number,)] = connection.execute("SELECT count(*) FROM sqlite_master")
    return int(number)


async def test_jobs_of_one_thread_run_in_turn_on_one_connection(threads: ConnectionThreads) -> None:
    created, counted = threads.run(create), threads.run(tables)
    await created
    assert await counted == 1


async def test_a_job_that_fails_raises_and_the_next_one_has_a_new_connection(threads: ConnectionThreads) -> None:
    await threads.run(create)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        await threads.run(insert_and_fail)
    assert await threads.run(tables) == 0


async def test_a_connection_that_can_not_be_made_fails_the_job_and_is_tried_again() -> None:
    failures = [sqlite3.OperationalError("not yet")]

    def connect_at_last() -> sqlite3.Connection:
        if failures:
            raise failures.pop()
        return connect()

    threads = ConnectionThreads("test", 1, connect_at_last)
    with pytest.raises(sqlite3.OperationalError, match="not yet"):
        await threads.run(tables)
    assert await threads.run(tables) == 0
    await threads.close()


async def test_a_job_goes_on_when_its_future_is_cancelled(threads: ConnectionThreads) -> None:
    cancelled = threads.run(create)
    cancelled.cancel()
    assert await threads.run(tables) == 1


async def test_several_threads_work_at_once() -> None:
    threads = ConnectionThreads("test", 2, connect)
    met = threading.Barrier(2)
    both = [threads.run(lambda connection: met.wait(timeout=10)) for _ in range(2)]
    assert sorted(await asyncio.gather(*both)) == [0, 1]
    await threads.close()


async def test_closing_waits_for_what_was_asked_and_refuses_what_comes_after() -> None:
    threads = ConnectionThreads("test", 1, connect)
    asked = threads.run(create)
    await threads.close()
    assert asked.done()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        threads.run(tables)
