import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.persistence.schema import migrations, upgrade_postgresql, upgrade_sqlite
from adapters.persistence.tables import metadata
from tests.support.postgres import postgres_server

CATALOGUE = (
    """SELECT table_name, column_name, data_type, is_nullable, collation_name, column_default
       FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, ordinal_position""",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
    """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
       FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
)


def differences(connection: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


def sqlite_definitions(path: Path) -> dict[str, str]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    return {name: re.sub(r"\s+", " ", sql) for name, sql in found if name != "alembic_version"}


async def postgresql_definitions(url: str) -> list[list[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    found = [[tuple(row) for row in await connection.fetch(query)] for query in CATALOGUE]
    await connection.close()
    return [[row for row in rows if "alembic_version" not in str(row)] for rows in found]


def test_the_migrations_make_the_tables_that_the_code_expects_in_sqlite(tmp_path: Path) -> None:
    migrated = upgrade_sqlite(str(tmp_path / "migrated.db"))
    engine = create_engine(f"sqlite:///{tmp_path / 'created.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert sqlite_definitions(migrated) == sqlite_definitions(tmp_path / "created.db")
    engine = create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        assert differences(connection) == []
    engine.dispose()


async def test_the_migrations_make_the_tables_that_the_code_expects_in_postgresql() -> None:
    migrated, created = (make_url(postgres_server().new_database()) for _ in range(2))
    await upgrade_postgresql(migrated)
    engine = create_async_engine(created.set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    assert await postgresql_definitions(str(migrated)) == await postgresql_definitions(str(created))
    engine = create_async_engine(migrated.set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_upgrading_what_is_new_already_changes_nothing(tmp_path: Path) -> None:
    path = upgrade_sqlite(str(tmp_path / "store.db"))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE writer_epoch SET epoch = 7")
    connection.commit()
    upgrade_sqlite(str(path))
    assert connection.execute("SELECT epoch FROM writer_epoch").fetchall() == [(7,)]
    connection.close()


async def test_two_servers_that_start_at_once_make_one_schema(tmp_path: Path) -> None:
    url = make_url(postgres_server().new_database())
    await asyncio.gather(*(upgrade_postgresql(url) for _ in range(3)))
    connection = await asyncpg.connect(str(url))
    assert [tuple(row) for row in await connection.fetch("SELECT epoch FROM writer_epoch")] == [(0,)]
    await connection.close()


def test_the_versions_are_one_line_without_branches() -> None:
    assert len(ScriptDirectory.from_config(migrations()).get_heads()) == 1
