"""PostgreSQL by asyncpg: one writing connection, and pools of readers beside it.

SQLAlchemy makes the texts; they go to the driver directly, because its async engine costs more for a
statement than the statement does.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, cast

import asyncpg
from sqlalchemy import Table

from adapters.persistence.database import CrashPoints
from adapters.persistence.rows import Row
from adapters.persistence.sql import POSTGRESQL, Query, Texts
from adapters.persistence.writes import LOCK_EPOCH, RAISE_EPOCH, fenced_insert
from application.ports.journal import Fenced

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 20.0

# A server that lost its client in the middle of a transaction gives it up, and its lock on the epoch, before
# the next writer has lost patience. Plans of one-row queries are not worth compiling.
_SETTINGS: Final = {
    "application_name": "quantmesh",
    "jit": "off",
    "idle_in_transaction_session_timeout": "10s",
}


class PostgresDatabase:
    def __init__(self, dsn: str, reached: CrashPoints) -> None:
        self._dsn = dsn
        self.writer = PostgresWriter(dsn, reached)

    async def reader(self, connections: int) -> "PostgresReader":
        pool = asyncpg.create_pool(
            self._dsn,
            min_size=1,
            max_size=connections,
            reset=_as_it_is,
            timeout=_CONNECT_SECONDS,
            command_timeout=_ANSWER_SECONDS,
            server_settings=_SETTINGS | {"default_transaction_read_only": "on"},
        )
        return PostgresReader(await pool)


class PostgresWriter:
    """Writes all tables in one statement, between BEGIN and COMMIT."""

    def __init__(self, dsn: str, reached: CrashPoints) -> None:
        self._dsn = dsn
        self._reached = reached
        self._connection: asyncpg.Connection[Any] | None = None

    async def take_over(self) -> int:
        connection = await self._open()
        return int(await connection.fetchval(RAISE_EPOCH))

    async def write(self, epoch: int, written: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        sql = fenced_insert(tuple(table for table, _ in written))
        arrays = chain.from_iterable(zip(*rows, strict=True) for _, rows in written)
        connection = await self._open()
        try:
            await self._transaction(connection, sql, (*arrays, epoch))
        except BaseException:
            self._discard()
            raise

    async def _transaction(self, connection: "asyncpg.Connection[Any]", sql: str, values: Sequence[Any]) -> None:
        reached = self._reached
        reached("journal_begin")
        await connection.execute("BEGIN")
        reached("journal_begin_done")
        reached("journal_insert")
        if await connection.fetchval(sql, *values) is None:
            raise Fenced
        reached("journal_insert_done")
        reached("journal_commit")
        await connection.execute("COMMIT")
        reached("journal_commit_done")

    async def _open(self) -> "asyncpg.Connection[Any]":
        """The writing connection. A new one first waits until what its predecessor left behind is decided:
        every transaction holds a lock on the epoch.
        """
        if self._connection is None or self._connection.is_closed():
            connection = await asyncpg.connect(
                self._dsn, timeout=_CONNECT_SECONDS, command_timeout=_ANSWER_SECONDS, server_settings=_SETTINGS
            )
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


class PostgresReader:
    failures = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._texts = Texts(POSTGRESQL)
        self._pool = pool

    async def read(self, *queries: Query) -> list[list[Row]]:
        statements = [self._statement(query) for query in queries]
        if len(statements) == 1:
            return [_rows(await self._pool.fetch(*statements[0]))]
        async with self._pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            return [_rows(await connection.fetch(*statement)) for statement in statements]

    def _statement(self, query: Query) -> list[Any]:
        compiled = self._texts[query[0]]
        return [compiled.sql, *compiled.values(query[1])]

    async def close(self) -> None:
        await self._pool.close()


def _rows(records: list[asyncpg.Record]) -> list[Row]:
    return cast(list[Row], records)  # a record unpacks as a tuple does


async def _as_it_is(connection: object) -> None:
    """Nothing that readers do outlives a transaction, so a connection goes back without a round trip."""
