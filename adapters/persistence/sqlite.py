"""SQLite: WAL, synchronous=FULL, one writing connection, and readers beside it that never wait for it."""

import sqlite3
from collections.abc import Collection, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table

from adapters.persistence.codec import encode
from adapters.persistence.database import CrashPoints
from adapters.persistence.queries import LookUp
from adapters.persistence.rows import Row
from adapters.persistence.sql import SQLITE, Query, Texts
from adapters.persistence.threads import ConnectionThreads
from adapters.persistence.writes import OTHER_EPOCH, RAISE_EPOCH, values_insert
from application.ports.journal import Fenced

_ROWS_AT_ONCE: Final = 64
LOCK_SECONDS: Final = 5.0

# FULL is what makes a commit survive a power cut. The journal is never deleted from, so overwriting what is
# freed buys nothing. A longer log before each checkpoint means that fewer pages are copied twice.
WRITING: Final = {
    "journal_mode": "WAL",
    "synchronous": "FULL",
    "secure_delete": "OFF",
    "wal_autocheckpoint": "4000",
    "cache_size": "-16384",
}
READING: Final = {"query_only": "ON", "cache_size": "-4096"}


def connect(path: Path, mode: str, pragmas: dict[str, str]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=LOCK_SECONDS,
        isolation_level=None,  # transactions are begun and ended in so many words
        cached_statements=512,
    )
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name}={value}")
    return connection


class SqliteDatabase:
    def __init__(self, path: Path, reached: CrashPoints) -> None:
        self._path = path
        self.writer = SqliteWriter(path, reached)

    def reader(self, connections: int) -> "SqliteReader":
        return SqliteReader(self._path, connections)


class SqliteWriter:
    """Runs each transaction whole on its thread: one hop, whatever it writes."""

    def __init__(self, path: Path, reached: CrashPoints) -> None:
        self._reached = reached
        self._threads = ConnectionThreads("journal", 1, partial(connect, path, "rw", WRITING))

    async def take_over(self) -> int:
        return await self._threads.run(_raise_epoch)

    async def write(self, epoch: int, written: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        statements = [statement for table, rows in written for statement in _inserts(table, rows)]
        await self._threads.run(partial(self._transaction, epoch, statements))

    async def settled(self) -> None:
        """A transaction that failed here is rolled back with its connection, so there is never one in doubt."""

    async def close(self) -> None:
        await self._threads.close()

    def _transaction(self, epoch: int, statements: list[tuple[str, list[Any]]], connection: sqlite3.Connection) -> None:
        reached, execute = self._reached, connection.cursor().execute
        reached("journal_begin")
        execute("BEGIN IMMEDIATE")
        reached("journal_begin_done")
        if execute(OTHER_EPOCH, (epoch,)).fetchone():
            raise Fenced
        reached("journal_insert")
        for sql, values in statements:
            execute(sql, values)
        reached("journal_insert_done")
        reached("journal_commit")
        execute("COMMIT")
        reached("journal_commit_done")


def _raise_epoch(connection: sqlite3.Connection) -> int:
    connection.execute("BEGIN IMMEDIATE")
    [(epoch,)] = connection.execute(RAISE_EPOCH).fetchall()
    connection.execute("COMMIT")
    return int(epoch)


def _inserts(table: Table, rows: Sequence[Row]) -> list[tuple[str, list[Any]]]:
    """Statements of at most 64 rows, so that there are no more than 64 texts a table to prepare and keep."""
    chunks = [rows[first : first + _ROWS_AT_ONCE] for first in range(0, len(rows), _ROWS_AT_ONCE)]
    return [(values_insert(table, len(chunk)), list(chain.from_iterable(chunk))) for chunk in chunks]


class SqliteReader:
    failures = (sqlite3.Error,)

    def __init__(self, path: Path, connections: int) -> None:
        self._texts = Texts(SQLITE)
        self._threads = ConnectionThreads("reader", connections, partial(connect, path, "ro", READING))
        # Finding a key takes some 6 us, the way to a thread and back ten times that: it is done where it is asked.
        self._here = connect(path, "ro", READING)

    async def look_up(self, wanted: LookUp, account_id: str, ids: Collection[str]) -> list[Row]:
        query = wanted.of_one, {"account_id": account_id, "ids": list(ids)}
        return self._here.execute(*self._statement(query)).fetchall()

    async def read(self, *queries: Query) -> list[list[Row]]:
        statements = [self._statement(query) for query in queries]
        return await self._threads.run(partial(_fetch, statements))

    def _statement(self, query: Query) -> tuple[str, list[Any]]:
        compiled = self._texts[query[0]]
        return compiled.sql, [_scalar(value) for value in compiled.values(query[1])]

    async def close(self) -> None:
        if self._here is not None:
            self._here.close()
        await self._threads.close()


def _scalar(value: Any) -> Any:
    """A list is a JSON array here."""
    return encode(value).decode() if isinstance(value, list) else value


def _fetch(statements: list[tuple[str, list[Any]]], connection: sqlite3.Connection) -> list[list[Row]]:
    if len(statements) == 1:
        return [connection.execute(*statements[0]).fetchall()]
    connection.execute("BEGIN")
    found = [connection.execute(sql, values).fetchall() for sql, values in statements]
    connection.execute("COMMIT")
    return found
