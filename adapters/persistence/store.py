"""The way in: a store by its URL."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters.persistence.audit_log import SqlAuditLog
from adapters.persistence.control_repository import SqlControlRepository
from adapters.persistence.database import CrashPoints, Database
from adapters.persistence.journal import SqlJournal
from adapters.persistence.memory import MemoryDatabase, MemoryJournal, MemoryOrderRepository
from adapters.persistence.memory_audit import MemoryAuditLog
from adapters.persistence.memory_controls import MemoryControlRepository
from adapters.persistence.order_repository import SqlOrderRepository
from adapters.persistence.schema import upgrade_postgresql, upgrade_sqlite
from adapters.persistence.sqlite import SqliteDatabase
from application.ports.audit import AuditLog
from application.ports.controls import ControlRepository
from application.ports.journal import Journal
from domain.trading.repositories.order_repository import OrderRepository

_JOURNAL_READERS = 2
_QUERY_READERS = 4


@dataclass(frozen=True, slots=True)
class Store:
    """An open database. `close` waits for what is being written; nothing may be asked after it."""

    journal: Journal
    orders: OrderRepository
    controls: ControlRepository
    audit: AuditLog
    close: Callable[[], Awaitable[None]]


async def open_store(url: str, reached: CrashPoints = lambda point: None) -> Store:
    """Open the database at `url` and bring its schema up to date.

    `memory:`, `sqlite:////absolute/file.db` (created when missing, its folder is not), or
    `postgresql://user:password@host/database`. Raises ValueError for another URL, and the driver's own error
    when the database can't be opened. `reached` marks named points of each append for crash tests.
    """
    if url == "memory:":
        return memory_store(MemoryDatabase(), reached)
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(_UNKNOWN) from None
    match parsed.drivername:
        case "sqlite":
            return await _open_sqlite(parsed, reached)
        case "postgresql":
            return await _open_postgresql(parsed, reached)
        case _:
            raise ValueError(_UNKNOWN)


_UNKNOWN = "database: must be memory:, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


def memory_store(database: MemoryDatabase, reached: CrashPoints = lambda point: None) -> Store:
    """A store on `database`, which others may share."""

    async def close() -> None:
        pass

    return Store(
        MemoryJournal(database, reached),
        MemoryOrderRepository(database),
        MemoryControlRepository(database),
        MemoryAuditLog(database),
        close,
    )


async def _open_sqlite(url: URL, reached: CrashPoints) -> Store:
    if not url.database or url.database == ":memory:":
        raise ValueError("database: a sqlite URL names a file, as in sqlite:///quantmesh.db; or use memory:")
    path = await asyncio.to_thread(upgrade_sqlite, url.database)
    return _sql_store(SqliteDatabase(path, reached))


async def _open_postgresql(url: URL, reached: CrashPoints) -> Store:
    from adapters.persistence.postgres import PostgresDatabase  # loads the driver only where it is used

    await upgrade_postgresql(url)
    return _sql_store(PostgresDatabase(url.render_as_string(hide_password=False), reached))


def _sql_store(database: Database) -> Store:
    journal = SqlJournal(database.writer, database.reader(_JOURNAL_READERS))
    reader = database.reader(_QUERY_READERS)

    async def close() -> None:
        await reader.close()
        await journal.close()

    return Store(journal, SqlOrderRepository(reader), SqlControlRepository(reader), SqlAuditLog(reader), close)
