"""The database of market data: its schema, the orders beside it, and failures."""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.persistence.market_store import open_market_store
from adapters.persistence.market_tables import metadata
from adapters.persistence.schema import MARKET, migrations, upgrade_postgresql, upgrade_sqlite
from adapters.persistence.store import open_store
from adapters.persistence.stretches import woven
from application.market_data.backfill import Backfill, BackfillTerms
from application.ports.bar_store import SeriesKey, Stretch
from domain.errors import Unavailable
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from tests.support.postgres import postgres_server

START = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SERIES = SeriesKey("vendor", "1", "ACME", BarInterval.MINUTE_1, PriceAdjustment.RAW, False)
BACKFILL = Backfill("b-1", BackfillTerms(("ACME",), BarInterval.DAY_1, START), START + MINUTE, START, START)
TABLES = {table.name for table in metadata.sorted_tables}


def stretch(start: int, end: int) -> Stretch:
    """A bar in each minute."""
    one = Decimal(1)
    return Stretch(
        START + start * MINUTE,
        START + end * MINUTE,
        [
            Bar("ACME", SERIES.interval, START + at * MINUTE, START + (at + 1) * MINUTE, one, one, one, one, one, at)
            for at in range(start, end)
        ],
    )


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"version_table": "market_version"})
    return list(compare_metadata(context, metadata))


def definitions(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"\s+", " ", sql) for name, sql in found if name != "market_version"}


def test_the_migrations_make_the_tables_that_the_code_expects_in_sqlite(tmp_path: Path) -> None:
    migrated = upgrade_sqlite(str(tmp_path / "migrated.db"), MARKET)
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert definitions(migrated) == definitions(tmp_path / "created.db")
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


async def test_the_migrations_make_the_tables_that_the_code_expects_in_postgresql() -> None:
    url = make_url(postgres_server().new_database())
    await upgrade_postgresql(url, MARKET)
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_the_versions_are_one_line_without_branches() -> None:
    assert len(ScriptDirectory.from_config(migrations(folder=MARKET)).get_heads()) == 1


async def test_orders_and_market_data_may_share_a_postgresql_database() -> None:
    url = postgres_server().new_database()
    for _ in range(2):
        orders, market = await asyncio.gather(open_store(url), open_market_store(url))
        await market.bars.keep(SERIES, [stretch(0, 3)])
        await orders.close()
        await market.close()
    connection = await asyncpg.connect(url)
    names = {row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert {"alembic_version", "market_version", "journal"} | TABLES < names
    assert await connection.fetchval("SELECT epoch FROM writer_epoch") == 0
    await connection.close()


@pytest.mark.parametrize("url", ["", "x", "sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgresql+x://h/d"])
async def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="market database: "):
        await open_market_store(url)


async def test_memory_is_a_store_of_its_own() -> None:
    one, another = await open_market_store("memory:"), await open_market_store("memory:")
    await one.backfills.add(BACKFILL)
    assert await another.backfills.get("b-1") is None
    await one.close()


async def test_what_was_accepted_is_there_after_the_process_has_died(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'marketdata.db'}"
    store = await open_market_store(url)
    await store.backfills.add(BACKFILL)
    again = await open_market_store(url)  # while the first has not been closed
    assert await again.backfills.get("b-1") == BACKFILL
    await store.close()
    await again.close()
    with sqlite3.connect(tmp_path / "marketdata.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
    connection.close()


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    """A store's URL, and a way to execute SQL behind its back."""
    if request.param == "sqlite":
        path = tmp_path / "marketdata.db"

        async def execute(sql: str) -> None:
            connection = sqlite3.connect(path, isolation_level=None)
            connection.execute(sql)
            connection.close()

        yield f"sqlite:///{path}", execute
        return
    url = postgres_server().new_database()

    async def execute_there(sql: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(sql)
        await connection.close()

    yield url, execute_there


async def test_a_database_that_fails_is_unavailable_and_serves_again_when_it_is_mended(database: Any) -> None:
    url, execute = database
    store = await open_market_store(url)
    await store.bars.keep(SERIES, [stretch(0, 3)])
    await store.backfills.add(BACKFILL)
    for table in ("bar_series", "bar_blocks", "backfills"):
        await execute(f"ALTER TABLE {table} RENAME TO gone")
        if table == "backfills":
            for failing in (store.backfills.get("b-1"), store.backfills.add(BACKFILL), store.backfills.unfinished()):
                with pytest.raises(Unavailable):
                    await failing
        else:
            for refused in (
                store.bars.read(SERIES, START, START + MINUTE, 1),
                store.bars.keep(SERIES, [stretch(3, 4)]),
            ):
                with pytest.raises(Unavailable):
                    await refused
        await execute(f"ALTER TABLE gone RENAME TO {table}")
    [kept] = await store.bars.read(SERIES, START, START + 10 * MINUTE, 10)
    assert kept == stretch(0, 3)
    assert await store.backfills.get("b-1") == BACKFILL
    await store.close()


async def test_a_caller_who_gives_up_leaves_the_store_in_order(database: Any) -> None:
    url, _ = database
    store = await open_market_store(url)
    for start in range(0, 40, 4):
        keeping = asyncio.create_task(_keep(store.bars, stretch(start, start + 4)))
        await asyncio.sleep(0.0005 * (start % 12))
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await store.bars.keep(SERIES, [stretch(start, start + 4)])
    found = await store.bars.read(SERIES, START, START + 100 * MINUTE, 100)
    assert [bar for one in found for bar in one.bars] == list(stretch(0, 40).bars)
    await store.close()


async def _keep(bars: Any, one: Stretch) -> None:
    await bars.keep(SERIES, [one])


async def test_a_long_stretch_is_stored_in_blocks_and_appending_rewrites_only_the_last(tmp_path: Path) -> None:
    store = await open_market_store(f"sqlite:///{tmp_path / 'marketdata.db'}")
    await store.bars.keep(SERIES, [stretch(0, 1_200)])
    await store.bars.keep(SERIES, [stretch(1_200, 1_250)])
    await store.close()
    connection = sqlite3.connect(tmp_path / "marketdata.db")
    rows = connection.execute("SELECT rowid, bars, length(body) FROM bar_blocks ORDER BY start_time").fetchall()
    connection.close()
    assert [bars for _, bars, _ in rows] == [500, 500, 250]
    assert sum(size for _, _, size in rows) < 1_250 * 60
    assert [rowid for rowid, _, _ in rows][:2] == [1, 2]


def test_what_nothing_happens_to_is_left_as_it_is() -> None:
    kept = [stretch(0, 5), stretch(5, 10), stretch(20, 25)]
    found = woven(kept, [stretch(10, 13)], 5)
    assert [id(one) for one in found[:2]] == [id(one) for one in kept[:2]]
    assert found[-1] is kept[-1]
    assert [len(one.bars) for one in found] == [5, 5, 3, 5]
