"""Databases that an earlier version has written to."""

import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from adapters.persistence.rows import rows_of
from adapters.persistence.schema import migrations
from adapters.persistence.store import Store, open_store
from application.ports.audit import AuditFilter
from application.ports.journal import Batch
from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from tests.support.ledger import START, Ledger, events, loaded
from tests.support.postgres import postgres_server

# As the first version wrote it: many of today's limits are not in it.
PROFILE = (
    b'{"account_id":"desk","version":3,"updated_time":null,"max_order_quantity":"5","max_order_notional":null,'
    b'"max_leverage":"2","short_selling":false,"max_short_quantity":null,"market_order_buffer":"0.02",'
    b'"max_quote_age":"60"}'
)


def written() -> tuple[Ledger, Batch]:
    """What the first version had written: an account with its profile, and an order that has traded."""
    ledger = Ledger()
    batch = ledger.opened()
    ledger.fill(ledger.place("c-1"), "x-1")
    batch.merge(ledger.take())
    return ledger, batch


def rows(batch: Batch) -> Iterable[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    for table, values in rows_of(batch):
        if table.name == "risk_profiles":
            values = [("desk", PROFILE)]
        yield table.name, tuple(table.columns.keys()), values


def to_first_version(connection: Connection) -> None:
    command.upgrade(migrations(connection), "0001")


async def require_upgraded(url: str, ledger: Ledger, batch: Batch) -> None:
    """The new version finds what the old one has written, and goes on from there."""
    store = await open_store(url)
    try:
        await store.journal.take_over()
        await _require_all_there(store, batch)
        placed = ledger.place("c-2")
        state = RiskState("desk", high=Decimal(1))
        more = ledger.take()
        more.risk_states["desk"], more.controls["firm_profile"] = state, RiskProfile("")
        record = AuditRecord("r-1", START, "desk", "user:test", "a/b", AuditOutcome.ALLOWED, "peer", b"")
        more.audit.append(record)
        await store.journal.append(more)
        after = await loaded(store)
        assert (after.risk_state, after.orders[-1]) == (state, placed)
        assert list(await store.audit.records(AuditFilter(), None, 10, True)) == [record]
    finally:
        await store.close()


async def _require_all_there(store: Store, batch: Batch) -> None:
    snapshot = await loaded(store)
    assert snapshot.sequence == 3
    assert snapshot.risk_profile == RiskProfile(
        "desk", 3, max_order_quantity=Decimal(5), max_leverage=Decimal(2), short_selling=False
    )
    assert snapshot.risk_state == RiskState("desk")
    assert list(snapshot.orders) == list(batch.orders.values())
    assert list(snapshot.fills) == list(batch.fills.values())
    assert await events(store) == batch.events
    assert list(await store.journal.controls()) == []
    assert list(await store.audit.records(AuditFilter(), None, 10, True)) == []


async def test_a_sqlite_database_of_the_first_version_is_upgraded_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        to_first_version(connection)
    engine.dispose()
    ledger, batch = written()
    database = sqlite3.connect(path)
    for table, columns, values in rows(batch):
        database.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", values)  # noqa: S608 our own names
    database.commit()
    database.close()
    await require_upgraded(f"sqlite:///{path}", ledger, batch)


async def test_a_postgresql_database_of_the_first_version_is_upgraded_with_all_that_is_in_it() -> None:
    url = make_url(postgres_server().new_database())
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"))
    async with engine.begin() as connection:
        await connection.run_sync(to_first_version)
    await engine.dispose()
    ledger, batch = written()
    database = await asyncpg.connect(url.render_as_string(hide_password=False))
    for table, columns, values in rows(batch):
        await database.copy_records_to_table(table, records=values, columns=columns)
    await database.close()
    await require_upgraded(url.render_as_string(hide_password=False), ledger, batch)
