"""The stores of market data that the ports' suites run against: in memory, SQLite, and a real PostgreSQL server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

import asyncpg

from adapters.persistence.market_store import MarketStore, memory_market_store, open_market_store
from adapters.persistence.market_tables import metadata
from adapters.persistence.memory_backfill_store import MemoryBackfillStore
from adapters.persistence.memory_bar_store import MemoryBarStore
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from tests.support.postgres import postgres_server

OpenMarketStore: TypeAlias = Callable[[], Awaitable[MarketStore]]
KINDS = ("memory", "sqlite", "postgresql")


@asynccontextmanager
async def market_stores(kind: str, folder: Path) -> AsyncIterator[OpenMarketStore]:
    """Opens stores on one database, as several servers would; all are closed in the end."""
    opened: list[MarketStore] = []
    bars, backfills, instruments = MemoryBarStore(), MemoryBackfillStore(), MemoryInstrumentStore()

    async def open_one() -> MarketStore:
        match kind:
            case "memory":
                store = memory_market_store(bars, backfills, instruments)
            case "sqlite":
                store = await open_market_store(f"sqlite:///{folder / 'marketdata.db'}")
            case _:
                store = await open_market_store(_postgresql_url())
        opened.append(store)
        return store

    try:
        yield open_one
    finally:
        for store in opened:
            await store.close()
        if kind == "postgresql":
            await _empty(_postgresql_url())


@cache
def _postgresql_url() -> str:
    return postgres_server().new_database()


async def _empty(url: str) -> None:
    """The next test finds the database as if it were new, in a tenth of the time that a new one takes."""
    connection = await asyncpg.connect(url)
    await connection.execute(f"TRUNCATE {', '.join(table.name for table in metadata.sorted_tables)}")
    await connection.close()
