"""Transactions that go through only if what they stand on has not changed since it was read."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from adapters.persistence.sql import SQLITE, Query, Statement, Texts
from adapters.persistence.sqlite import WRITING, connect
from adapters.persistence.threads import ConnectionThreads

Write: TypeAlias = tuple[Statement, Sequence[Mapping[str, Any]]]
"""A statement, and the parameters of each time that it is executed."""


class Transactions(Protocol):
    """One connection, and one transaction at a time. `failures` is what it raises; what failed may be stored all the
    same.
    """

    @property
    def failures(self) -> tuple[type[Exception], ...]: ...

    async def commit(self, guard: Query, writes: Sequence[Write] = ()) -> bool:
        """`guard` and `writes`, durably; False, and nothing is changed, when `guard` answers no row."""
        ...

    async def close(self) -> None: ...


class SqliteTransactions:
    failures = (sqlite3.Error,)

    def __init__(self, path: Path) -> None:
        self._texts = Texts(SQLITE)
        self._threads = ConnectionThreads("market writer", 1, partial(connect, path, "rw", WRITING))

    async def commit(self, guard: Query, writes: Sequence[Write] = ()) -> bool:
        many = [(guard[0], [guard[1]]), *writes]
        statements = [(self._texts[one].sql, [self._texts[one].values(given) for given in all]) for one, all in many]
        return await self._threads.run(partial(_transaction, statements))

    async def close(self) -> None:
        await self._threads.close()


def _transaction(statements: list[tuple[str, list[list[Any]]]], connection: sqlite3.Connection) -> bool:
    (guard, [given]), *writes = statements
    connection.execute("BEGIN IMMEDIATE")
    holds = bool(connection.execute(guard, given).fetchall())
    if holds:
        for sql, values in writes:
            connection.executemany(sql, values)
    connection.execute("COMMIT" if holds else "ROLLBACK")
    return holds
