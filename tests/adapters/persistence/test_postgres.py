import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import pytest

from adapters.persistence import pages, queries
from adapters.persistence.sql import POSTGRESQL, Query, Texts
from adapters.persistence.store import Store, open_store
from application.ports.journal import JournalUnavailable
from domain.errors import Unavailable
from domain.trading.repositories.order_repository import OrderFilter
from tests.support.ledger import Ledger
from tests.support.postgres import postgres_server

Connection: TypeAlias = "asyncpg.Connection[Any]"


@pytest.fixture
def url() -> str:
    return postgres_server().new_database()


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    store = await open_store(url)
    await store.journal.take_over()
    yield store
    await store.close()


@pytest.fixture
async def admin(url: str, store: Store) -> AsyncIterator[Connection]:
    """A session beside the store's own."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def drop_connections(admin: Connection) -> None:
    """Cut every connection but this one, as a server that restarts does."""
    await admin.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    )
    clients = "pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    await _until(admin, f"SELECT count(*) = 1 FROM {clients}")  # noqa: S608 our own words
    await asyncio.sleep(0.05)


async def _until(admin: Connection, condition: str) -> None:
    while not await admin.fetchval(condition):
        await asyncio.sleep(0.01)
        await admin.execute("SELECT pg_stat_clear_snapshot()")


async def _waiting(admin: Connection, sessions: int = 1) -> None:
    """Return once so many sessions wait for a lock."""
    await _until(admin, f"SELECT count(*) >= {sessions} FROM pg_locks WHERE NOT granted")  # noqa: S608 a number


@asynccontextmanager
async def in_the_way_of_event_2(admin: Connection) -> AsyncIterator[None]:
    """An append of event 2 has passed the fence, and waits in the middle of its work until this is over."""
    transaction = admin.transaction()
    await transaction.start()
    await admin.execute("INSERT INTO journal (account_id, sequence, body) VALUES ('desk', 2, '')")
    yield
    await transaction.rollback()


async def test_a_commit_waits_for_the_disk_and_sessions_say_whose_they_are(store: Store, admin: Connection) -> None:
    await store.journal.append(Ledger().opened())
    assert await admin.fetchval("SHOW synchronous_commit") == "on"
    names = await admin.fetch("SELECT application_name FROM pg_stat_activity WHERE datname = current_database()")
    assert "quantmesh" in {row["application_name"] for row in names}


async def test_a_connection_that_broke_is_replaced(store: Store, admin: Connection) -> None:
    ledger = Ledger()
    await store.journal.append(ledger.opened())
    assert await store.orders.last_sequence("desk") == 1
    await drop_connections(admin)
    ledger.place("c-1")
    await store.journal.append(ledger.take())
    assert await store.orders.last_sequence("desk") == 2


async def test_a_connection_that_breaks_in_an_append_leaves_it_unavailable_and_the_next_goes_on(
    store: Store, admin: Connection
) -> None:
    ledger = Ledger()
    await store.journal.append(ledger.opened())
    ledger.place("c-1")
    batch = ledger.take()
    async with in_the_way_of_event_2(admin):
        append = asyncio.ensure_future(store.journal.append(batch))
        await _waiting(admin)
        await drop_connections(admin)
        with pytest.raises(JournalUnavailable) as refused:
            await append
    assert refused.value.__cause__ is not None
    snapshot = await store.journal.load("desk")
    assert snapshot is not None
    assert snapshot.sequence == 1
    await store.journal.append(batch)
    assert await store.orders.last_sequence("desk") == 2


async def test_reading_back_waits_until_a_lost_transaction_is_decided(
    store: Store, admin: Connection, url: str
) -> None:
    """The connection is gone and the server still at work on what came by it: what is read then is not the outcome."""
    ledger = Ledger()
    await store.journal.append(ledger.opened())
    await drop_connections(admin)
    transaction = admin.transaction()
    await transaction.start()
    await admin.execute("SELECT epoch FROM writer_epoch FOR SHARE")  # as every append does
    await admin.execute("UPDATE journal SET sequence = 2 WHERE sequence = 1")
    load = asyncio.ensure_future(store.journal.load("desk"))
    other = await asyncpg.connect(url)
    await _waiting(other)
    assert not load.done()
    await transaction.commit()
    snapshot = await load
    assert snapshot is not None
    assert snapshot.sequence == 2
    await other.close()


async def test_a_newer_writer_waits_for_the_append_that_is_under_way(store: Store, admin: Connection, url: str) -> None:
    newer = await open_store(url)
    ledger = Ledger()
    await store.journal.append(ledger.opened())
    ledger.place("c-1")
    async with in_the_way_of_event_2(admin):
        append = asyncio.ensure_future(store.journal.append(ledger.take()))
        await _waiting(admin)
        take_over = asyncio.ensure_future(newer.journal.take_over())
        await _waiting(admin, sessions=2)
        assert not take_over.done()
    await append
    assert await take_over == 2
    assert await newer.orders.last_sequence("desk") == 2
    await newer.close()


async def test_a_read_that_is_cancelled_harms_no_other(store: Store, admin: Connection) -> None:
    async with admin.transaction():
        await admin.execute("LOCK TABLE journal IN ACCESS EXCLUSIVE MODE")
        reads = [asyncio.ensure_future(store.orders.last_sequence("desk")) for _ in range(6)]
        await _waiting(admin)
        for read in reads:
            read.cancel()
        await asyncio.wait(reads)
    assert [await store.orders.last_sequence("desk") for _ in range(6)] == [0] * 6


async def test_a_database_that_can_not_be_read_is_unavailable(store: Store, admin: Connection) -> None:
    await admin.execute("ALTER TABLE journal RENAME TO journal_gone")
    with pytest.raises(Unavailable) as unavailable:
        await store.orders.last_sequence("desk")
    assert unavailable.value.reason == "STORAGE_UNAVAILABLE"
    with pytest.raises(JournalUnavailable):
        await store.journal.load("nobody")
    with pytest.raises(JournalUnavailable):
        await store.journal.append(Ledger().opened())


@pytest.fixture
async def history(store: Store, admin: Connection) -> None:
    """3,000 closed orders with a fill each, and five open ones, among them two of a group."""
    ledger = Ledger()
    await store.journal.append(ledger.opened())
    for number in range(3_000):
        order = ledger.place(f"c-{number}")
        ledger.fill(order, f"x-{number}")
        ledger.cancel(order)
    for number in range(5):
        ledger.place(f"open-{number}", group_id="g-1" if number < 2 else "")
    await store.journal.append(ledger.take())
    await admin.execute("ANALYZE")


_OF_MANY = {"accounts": ["desk", "other", "desk"], "ids": ["c-1", "c-1", "new"]}
PLANS: list[tuple[Query, dict[str, Any], str]] = [
    ((queries.LIVE_ORDERS, {}), {}, "ix_orders_open"),
    ((queries.FILLS_OF_LIVE_ORDERS, {}), {}, "ix_fills_order"),
    ((queries.LAST_SEQUENCE, {}), {}, "pk_journal"),
    ((queries.ORDERS_BY_CLIENT_ID.of_one, {}), {"ids": ["c-1", "new"]}, "uq_orders_account_id_client_order_id"),
    ((queries.ORDERS_BY_CLIENT_ID.of_many, {}), _OF_MANY, "uq_orders_account_id_client_order_id"),
    ((queries.KNOWN_EXECUTIONS.of_many, {}), _OF_MANY, "uq_fills_account_id_execution_id"),
    ((queries.FILLS_OF_ORDERS, {}), {"ids": ["desk-000002"]}, "ix_fills_order"),
    (pages.ORDER_PAGES.query("desk", OrderFilter(open_only=True), None, 1, True), {}, "ix_orders_open"),
]


@pytest.mark.usefixtures("history")
async def test_a_history_is_not_walked_through_for_the_open_orders(admin: Connection) -> None:
    for (statement, parameters), more, index in PLANS:
        compiled = Texts(POSTGRESQL)[statement]
        given = {"account_id": "desk", **parameters, **more}
        explained = await admin.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {compiled.sql}", *compiled.values(given))
        nodes = list(_nodes(json.loads(explained)[0]["Plan"]))
        assert index in {node.get("Index Name") for node in nodes}, explained
        assert max(node["Actual Rows"] * node["Actual Loops"] for node in nodes) < 50, explained


def _nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for child in plan.get("Plans", []) for node in _nodes(child))]
