"""Bringing a database to the newest schema, by Alembic, when the store is opened."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine

ORDERS: Final = Path(__file__).parent / "migrations"
MARKET: Final = Path(__file__).parent / "market_migrations"
_ONE_AT_A_TIME: Final = text("SELECT pg_advisory_xact_lock(7_126_431_550_071)")  # any number, but always this one


def migrations(connection: Connection | None = None, folder: Path = ORDERS) -> Config:
    """Alembic's configuration; `connection` is the one that its commands work on, `folder` has the migrations."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder))
    return config


def upgrade(connection: Connection, folder: Path) -> None:
    command.upgrade(migrations(connection, folder), "head")


def upgrade_sqlite(file: str, folder: Path = ORDERS) -> Path:
    """Create or upgrade the file, and answer its whole path; two servers that start at once take turns."""
    path = Path(file).absolute()
    engine = create_engine(URL.create("sqlite", database=str(path)), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade(connection, folder)
        connection.exec_driver_sql("COMMIT")
    return path


async def upgrade_postgresql(url: URL, folder: Path = ORDERS) -> None:
    """Upgrade the database; two servers that start at once take turns."""
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(_ONE_AT_A_TIME)
        await connection.run_sync(upgrade, folder)
    await engine.dispose()
