"""The stores that the port's suites run against: in memory, SQLite, and a real PostgreSQL server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from adapters.persistence.memory import MemoryDatabase
from adapters.persistence.store import Store, memory_store, open_store
from tests.support.ledger import FailingAt, Ledger
from tests.support.postgres import postgres_server

OpenStore: TypeAlias = Callable[..., Awaitable[Store]]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Opens one more store on the test's database, as another server would; all are closed in the end."""
    opened: list[Store] = []
    opens = _opens(request.param, tmp_path)

    async def open_one(reached: Callable[[str], None] = lambda point: None) -> Store:
        opened.append(await opens(reached))
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


def _opens(kind: str, folder: Path) -> OpenStore:
    if kind == "memory":
        database = MemoryDatabase()

        async def in_memory(reached: Callable[[str], None]) -> Store:
            return memory_store(database, reached)

        return in_memory
    url = f"sqlite:///{folder / 'store.db'}" if kind == "sqlite" else postgres_server().new_database()
    return partial(open_store, url)


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
