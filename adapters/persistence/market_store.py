"""The way in to what is kept of market data.

It is apart from the orders: what is written here never delays an order's commit, and a process that serves market
data alone leaves the orders' epoch alone. On PostgreSQL both may be in one database.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters.persistence.backfill_store import SqlBackfillStore
from adapters.persistence.bar_store import SqlBarStore
from adapters.persistence.database import Reader
from adapters.persistence.instrument_store import SqlInstrumentStore
from adapters.persistence.memory_backfill_store import MemoryBackfillStore
from adapters.persistence.memory_bar_store import MemoryBarStore
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from adapters.persistence.schema import MARKET, upgrade_postgresql, upgrade_sqlite
from adapters.persistence.sqlite import SqliteReader
from adapters.persistence.transactions import SqliteTransactions, Transactions
from application.ports.backfills import BackfillStore
from application.ports.bar_store import BarStore
from application.ports.instrument_store import InstrumentStore

_READERS = 2


@dataclass(frozen=True, slots=True)
class MarketStore:
    """An open database. `close` waits for what is being written; nothing may be asked after it."""

    bars: BarStore
    backfills: BackfillStore
    instruments: InstrumentStore
    close: Callable[[], Awaitable[None]]


async def open_market_store(url: str) -> MarketStore:
    """Open the database at `url` and bring its schema up to date.

    `memory:`, `sqlite:////absolute/file.db` (created when missing, its folder is not), or
    `postgresql://user:password@host/database`. Raises ValueError for another URL, and the driver's own error
    when the database can't be opened.
    """
    if url == "memory:":
        return memory_market_store(MemoryBarStore(), MemoryBackfillStore(), MemoryInstrumentStore())
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(_UNKNOWN) from None
    match parsed.drivername:
        case "sqlite":
            return await _open_sqlite(parsed)
        case "postgresql":
            return await _open_postgresql(parsed)
        case _:
            raise ValueError(_UNKNOWN)


_UNKNOWN = "market database: must be memory:, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"


def memory_market_store(bars: BarStore, backfills: BackfillStore, instruments: InstrumentStore) -> MarketStore:
    """A store of parts that others may share."""

    async def close() -> None:
        pass

    return MarketStore(bars, backfills, instruments, close)


async def _open_sqlite(url: URL) -> MarketStore:
    if not url.database or url.database == ":memory:":
        raise ValueError("market database: a sqlite URL names a file, as in sqlite:///marketdata.db; or use memory:")
    path = await asyncio.to_thread(upgrade_sqlite, url.database, MARKET)
    return _sql_store(SqliteReader(path, _READERS), SqliteTransactions(path))


async def _open_postgresql(url: URL) -> MarketStore:
    # These load the driver, only where it is used.
    from adapters.persistence.postgres import PostgresReader
    from adapters.persistence.postgres_transactions import PostgresTransactions

    await upgrade_postgresql(url, MARKET)
    dsn = url.render_as_string(hide_password=False)
    return _sql_store(PostgresReader(dsn, _READERS), PostgresTransactions(dsn))


def _sql_store(reader: Reader, transactions: Transactions) -> MarketStore:
    async def close() -> None:
        await reader.close()
        await transactions.close()

    return MarketStore(
        SqlBarStore(reader, transactions),
        SqlBackfillStore(reader, transactions),
        SqlInstrumentStore(reader, transactions),
        close,
    )
