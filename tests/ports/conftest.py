"""The stores that the port's suites run against: in memory, SQLite, and a real PostgreSQL server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from adapters.persistence.memory import MemoryDatabase
from adapters.persistence.store import Store, memory_store, open_store
from adapters.persistence.tables import metadata
from tests.support.ledger import FailingAt, Ledger
from tests.support.postgres import postgres_server

OpenStore: TypeAlias = Callable[..., Awaitable[Store]]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens one more store on the test's database, as another server would; all are closed in the end."""
    opened: list[Store] = []
    opens = _OPENS[request.param](tmp_path)

    async def open_one(reached: Callable[[str], None] = lambda point: None) -> Store:
        opened.append(await opens(reached))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()
    if request.param == "postgresql":
        await _empty(_postgresql_url())


def _memory(folder: Path) -> OpenStore:
    database = MemoryDatabase()

    async def opens(reached: Callable[[str], None]) -> Store:
        return memory_store(database, reached)

    return opens


def _sqlite(folder: Path) -> OpenStore:
    return partial(open_store, f"sqlite:///{folder / 'store.db'}")


def _postgresql(folder: Path) -> OpenStore:
    return partial(open_store, _postgresql_url())


_OPENS: dict[str, Callable[[Path], OpenStore]] = {"memory": _memory, "sqlite": _sqlite, "postgresql": _postgresql}


@cache
def _postgresql_url() -> str:
    return postgres_server().new_database()


async def _empty(url: str) -> None:
    """The next test finds the database as if it were new, in a tenth of the time that a new one takes."""
    connection = await asyncpg.connect(url)
    names = ", ".join(table.name for table in metadata.sorted_tables if table.name != "writer_epoch")
    await connection.execute(f"TRUNCATE {names}; UPDATE writer_epoch SET epoch = 0")  # noqa: S608 our own names
    await connection.close()


@pytest.fixture
def failing() -> FailingAt:
    """The crash points of `store`."""
    return FailingAt()


@pytest.fixture
async def store(open_another: OpenStore, failing: FailingAt) -> Store:
    """A store that has taken over its database."""
    store = await open_another(failing)
    await store.journal.take_over()
    return store


@pytest.fixture
async def ledger(store: Store) -> Ledger:
    """An account that was opened in `store`."""
    ledger = Ledger()
    await store.journal.append(ledger.opened())
    return ledger
