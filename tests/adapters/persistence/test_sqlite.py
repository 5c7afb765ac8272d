import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.persistence import pages, queries, sqlite
from adapters.persistence.schema import upgrade_sqlite
from adapters.persistence.sql import SQLITE, Query, Texts
from adapters.persistence.store import Store, open_store
from application.ports.journal import JournalUnavailable
from domain.errors import Unavailable
from domain.trading.repositories.order_repository import FillFilter, OrderFilter
from tests.support.ledger import START, Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = await open_store(f"sqlite:///{path}")
    await store.journal.take_over()
    yield store
    await store.close()


def test_a_commit_survives_a_power_cut(path: Path) -> None:
    connection = sqlite.connect(upgrade_sqlite(str(path)), "rw", sqlite.WRITING)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


def test_a_reader_can_not_write(path: Path) -> None:
    connection = sqlite.connect(upgrade_sqlite(str(path)), "ro", sqlite.READING)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("UPDATE writer_epoch SET epoch = 9")
    connection.close()


async def test_reads_do_not_wait_for_a_transaction_that_is_under_way(store: Store, path: Path) -> None:
    await store.journal.append(Ledger().opened())
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM journal")
    assert await store.orders.last_sequence("desk") == 1
    assert await store.journal.load("desk") is not None
    other.execute("ROLLBACK")
    other.close()


async def test_a_database_that_another_process_keeps_locked_is_unavailable_until_it_lets_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.05)
    store = await open_store(f"sqlite:///{path}")
    await store.journal.take_over()
    batch = Ledger().opened()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable) as refused:
        await store.journal.append(batch)
    assert isinstance(refused.value.__cause__, sqlite3.OperationalError)
    other.execute("ROLLBACK")
    other.close()
    assert await store.journal.load("desk") is None
    await store.journal.append(batch)
    assert await store.orders.last_sequence("desk") == 1
    await store.close()


async def test_a_database_that_can_not_be_read_is_unavailable(store: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    for table in ("journal", "accounts"):
        other.execute(f"ALTER TABLE {table} RENAME TO {table}_gone")
    other.close()
    with pytest.raises(Unavailable) as unavailable:
        await store.orders.last_sequence("desk")
    assert unavailable.value.reason == "STORAGE_UNAVAILABLE"
    with pytest.raises(JournalUnavailable):
        await store.journal.load("desk")


# A million orders of history must not be walked through to find the open ones.
PLANS: list[tuple[Query, set[str]]] = [
    ((queries.LIVE_ORDERS, {}), {"ix_orders_open", "ix_orders_group"}),
    ((queries.FILLS_OF_LIVE_ORDERS, {}), {"ix_orders_open", "ix_orders_group", "ix_fills_order"}),
    ((queries.LAST_SEQUENCE, {}), {"sqlite_autoindex_journal_1"}),
    ((queries.ORDERS_BY_CLIENT_ID.of_one, {}), {"sqlite_autoindex_orders_2"}),
    ((queries.ORDERS_BY_ID, {}), {"sqlite_autoindex_orders_1"}),
    ((queries.FILLS_OF_ORDERS, {}), {"ix_fills_order"}),
    ((queries.KNOWN_EXECUTIONS.of_one, {}), {"sqlite_autoindex_fills_2"}),
    ((queries.FILLS_OF_SYMBOL, {}), {"ix_fills_symbol"}),
    ((queries.EVENTS, {}), {"sqlite_autoindex_journal_1"}),
    ((queries.EVENTS_OF_ORDER, {}), {"ix_journal_order"}),
    (pages.ORDER_PAGES.query("desk", OrderFilter(), None, 1, True), {"ix_orders_created"}),
    (pages.ORDER_PAGES.query("desk", OrderFilter(created_from=START), None, 1, False), {"ix_orders_created"}),
    (pages.ORDER_PAGES.query("desk", OrderFilter(open_only=True), None, 1, True), {"ix_orders_open"}),
    (pages.ORDER_PAGES.query("desk", OrderFilter(symbol="A"), None, 1, True), {"ix_orders_symbol"}),
    (pages.ORDER_PAGES.query("desk", OrderFilter(strategy_id="s"), None, 1, True), {"ix_orders_strategy"}),
    (pages.ORDER_PAGES.query("desk", OrderFilter(group_id="g"), None, 1, False), {"ix_orders_group"}),
    (pages.FILL_PAGES.query("desk", FillFilter(), None, 1, True), {"sqlite_autoindex_fills_1"}),
    (pages.FILL_PAGES.query("desk", FillFilter(strategy_id="s"), None, 1, True), {"ix_fills_strategy"}),
]


@pytest.mark.parametrize(("query", "indexes"), PLANS)
def test_a_read_goes_by_its_index(path: Path, query: Query, indexes: set[str]) -> None:
    connection = sqlite3.connect(upgrade_sqlite(str(path)))
    compiled = Texts(SQLITE)[query[0]]
    steps = [
        str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", [None] * len(compiled.names))
    ]
    connection.close()
    tables = [step for step in steps if any(f" {name} " in f"{step} " for name in ("orders", "fills", "journal"))]
    assert tables
    assert all(step.startswith("SEARCH") for step in tables), steps
    assert {index for index in indexes if not any(f"INDEX {index} " in f"{step} " for step in tables)} == set(), steps
