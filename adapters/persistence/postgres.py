"""PostgreSQL by asyncpg: one writing connection, and pools of readers beside it.

SQLAlchemy makes the texts; they go to the driver directly, because its async engine costs more for a
statement than the statement does.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, Final, cast

import asyncpg
from sqlalchemy import Table

from adapters.persistence.database import CrashPoints
from adapters.persistence.queries import LookUp
from adapters.persistence.rows import Row
from adapters.persistence.sql import POSTGRESQL, Query, Texts
from adapters.persistence.writes import LOCK_EPOCH, RAISE_EPOCH, fenced_insert
from application.ports.journal import Fenced

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 20.0

_SETTINGS: Final = {"application_name": "quantmesh", "jit": "off"}  # no plan here is worth compiling

_BEFORE_COMMIT: Final = (
    "journal_begin",
    "journal_begin_done",
    "journal_insert",
    "journal_insert_done",
    "journal_commit",
)


class PostgresDatabase:
    def __init__(self, dsn: str, reached: CrashPoints) -> None:
        self._dsn = dsn
        self.writer = PostgresWriter(dsn, reached)

    def reader(self, connections: int) -> "PostgresReader":
        return PostgresReader(self._dsn, connections)


class PostgresWriter:
    """Writes all tables by one statement, which is a transaction by itself: one round trip, and no transaction
    is ever left open. What marks its stages for crash tests comes before it.
    """

    def __init__(self, dsn: str, reached: CrashPoints) -> None:
        self._dsn = dsn
        self._reached = reached
        self._connection: asyncpg.Connection[Any] | None = None

    async def take_over(self) -> int:
        connection = await self._open()
        try:
            return int(await connection.fetchval(RAISE_EPOCH))
        except BaseException:
            self._discard()
            raise

    async def write(self, epoch: int, written: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        sql = fenced_insert(tuple(table for table, _ in written))
        columns = chain.from_iterable(zip(*rows, strict=True) for _, rows in written)
        connection = await self._open()
        try:
            for point in _BEFORE_COMMIT:
                self._reached(point)
            if await connection.fetchval(sql, epoch, *columns) is None:
                raise Fenced
            self._reached("journal_commit_done")
        except BaseException:
            self._discard()
            raise

    async def _open(self) -> "asyncpg.Connection[Any]":
        """The writing connection. A new one first waits until what its predecessor left behind is decided: every
        transaction holds a lock on the epoch to its end.
        """
        if self._connection is None or self._connection.is_closed():
            connection = await connect(self._dsn)
            try:
                await connection.fetchval(LOCK_EPOCH)
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    def _discard(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def settled(self) -> None:
        await self._open()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class Together:
    """What several accounts look up at once: `ids` and, for each, its account; and the rows by account."""

    def __init__(self) -> None:
        self.accounts: list[str] = []
        self.ids: list[str] = []
        self.rows: asyncio.Task[Mapping[str, Sequence[Row]]]


class PostgresReader:
    """Connections that are taken in turn. (asyncpg's own pool costs twice what a short query does.)"""

    failures = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

    def __init__(self, dsn: str, connections: int) -> None:
        self._dsn = dsn
        self._connections = connections
        self._texts = Texts(POSTGRESQL)
        self._together: dict[LookUp, Together] = {}
        self._idle: asyncio.LifoQueue[asyncpg.Connection[Any] | None] = asyncio.LifoQueue()
        for _ in range(connections):
            self._idle.put_nowait(None)

    async def look_up(self, wanted: LookUp, account_id: str, ids: Collection[str]) -> Sequence[Row]:
        """Accounts that ask in the same turn of the loop share a round trip, and go on together."""
        together = self._together.get(wanted)
        if together is None:
            together = self._together[wanted] = Together()
            together.rows = asyncio.create_task(self._look_up_all(wanted, together), name="look-up of many accounts")
            together.rows.add_done_callback(lambda done: done.cancelled() or done.exception())
        together.accounts += [account_id] * len(ids)
        together.ids += ids
        rows = await asyncio.shield(together.rows)
        return rows[account_id]

    async def _look_up_all(self, wanted: LookUp, together: "Together") -> Mapping[str, Sequence[Row]]:
        del self._together[wanted]  # whoever asks from now on is too late for this one
        [rows] = await self.read((wanted.of_many, {"accounts": together.accounts, "ids": together.ids}))
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for account_id, *row in rows:
            found[account_id].append(tuple(row))
        return found

    async def read(self, *queries: Query) -> list[list[Row]]:
        statements = [self._statement(query) for query in queries]
        connection = await self._idle.get()
        try:
            if connection is None or connection.is_closed():
                connection = await connect(self._dsn, default_transaction_read_only="on")
            found = await _fetch(connection, statements)
        except BaseException:
            if connection is not None:
                connection.terminate()
            self._idle.put_nowait(None)
            raise
        self._idle.put_nowait(connection)
        return found

    def _statement(self, query: Query) -> list[Any]:
        compiled = self._texts[query[0]]
        return [compiled.sql, *compiled.values(query[1])]

    async def close(self) -> None:
        for _ in range(self._connections):
            connection = await self._idle.get()
            if connection is not None:
                await connection.close()


async def connect(dsn: str, **settings: str) -> "asyncpg.Connection[Any]":
    return await asyncpg.connect(
        dsn, timeout=_CONNECT_SECONDS, command_timeout=_ANSWER_SECONDS, server_settings=_SETTINGS | settings
    )


async def _fetch(connection: "asyncpg.Connection[Any]", statements: list[list[Any]]) -> list[list[Row]]:
    if len(statements) == 1:
        return [_rows(await connection.fetch(*statements[0]))]
    async with connection.transaction(isolation="repeatable_read"):
        return [_rows(await connection.fetch(*statement)) for statement in statements]


def _rows(records: list[asyncpg.Record]) -> list[Row]:
    return cast(list[Row], records)  # a record unpacks as a tuple does
