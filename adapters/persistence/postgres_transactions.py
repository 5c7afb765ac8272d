"""The Transactions of PostgreSQL."""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from adapters.persistence.postgres import PostgresReader, connect
from adapters.persistence.sql import POSTGRESQL, Query, Texts
from adapters.persistence.transactions import Write


class PostgresTransactions:
    failures = PostgresReader.failures

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._texts = Texts(POSTGRESQL)
        self._turn = asyncio.Lock()
        self._connection: asyncpg.Connection[Any] | None = None

    async def commit(self, guard: Query, writes: Sequence[Write] = ()) -> bool:
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._dsn)
            try:
                return await self._transaction(self._connection, guard, writes)
            except BaseException:
                self._connection.terminate()
                self._connection = None
                raise

    async def _transaction(self, connection: "asyncpg.Connection[Any]", guard: Query, writes: Sequence[Write]) -> bool:
        statement, given = guard
        async with connection.transaction():
            compiled = self._texts[statement]
            if not await connection.fetch(compiled.sql, *compiled.values(given)):
                return False  # nothing was changed, so there is nothing to take back
            for statement, every in writes:
                compiled = self._texts[statement]
                await connection.executemany(compiled.sql, [compiled.values(given) for given in every])
        return True

    async def close(self) -> None:
        async with self._turn:
            if self._connection is not None:
                await self._connection.close()
