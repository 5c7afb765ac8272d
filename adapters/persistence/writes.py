"""The writes: many rows in one statement, so that a transaction is a handful of steps whatever its size.

Each database gets the shape that is cheapest there. SQLite: one VALUES list, since every step hands the GIL
away and takes it back. PostgreSQL: one array a column, so that all tables go in a single round trip.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from sqlalchemy import ARRAY, Insert, Table, bindparam, column, func, literal_column, select, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.persistence.sql import POSTGRESQL, SQLITE, number
from adapters.persistence.tables import (
    accounts,
    cash,
    fills,
    journal,
    orders,
    positions,
    risk_profiles,
    writer_epoch,
)

RAISE_EPOCH: Final = str(
    update(writer_epoch)
    .values(epoch=writer_epoch.c.epoch + literal_column("1"))
    .returning(writer_epoch.c.epoch)
    .compile(dialect=SQLITE)
)
# It finds no row when all is well: a row would cost two more hand-overs of the interpreter's lock.
OTHER_EPOCH: Final = str(
    select(writer_epoch.c.epoch).where(writer_epoch.c.epoch != number("epoch")).compile(dialect=SQLITE)
)
LOCK_EPOCH: Final = str(select(writer_epoch.c.epoch).with_for_update().compile(dialect=POSTGRESQL))

# What a later write of the same key may change; the journal's rows are written once.
_CHANGING: Final[Mapping[Table, tuple[str, ...]]] = {
    accounts: ("body",),
    cash: ("amount",),
    fills: ("busted", "body"),
    journal: (),
    orders: ("status", "is_open", "body"),
    positions: ("is_flat", "body"),
    risk_profiles: ("body",),
}


def _upserted(insert: sqlite.Insert | postgresql.Insert, table: Table) -> Insert:
    changing = {name: insert.excluded[name] for name in _CHANGING[table]}
    if not changing:
        return insert
    return insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=changing)


@cache
def values_insert(table: Table, rows: int) -> str:
    """SQLite: writes `rows` rows; takes their values in one flat sequence."""
    one = sqlite.insert(table).values({c.name: bindparam(c.name) for c in table.columns})
    text = str(_upserted(one, table).compile(dialect=SQLITE))
    row = f"({', '.join('?' * len(table.columns))})"
    return text.replace(row, ", ".join([row] * rows), 1)


@cache
def fenced_insert(written: Sequence[Table]) -> str:
    """PostgreSQL: writes rows of all tables in `written`; takes an array for each of their columns, table by
    table, and last the epoch.

    Answers the epoch, locked against a newer writer until the transaction ends, or nothing if that has come.
    """
    fence = select(writer_epoch.c.epoch).where(writer_epoch.c.epoch == number("epoch")).with_for_update(read=True)
    for table in written:
        fence = fence.add_cte(_upserted(_from_arrays(table), table).cte(f"new_{table.name}"))
    return str(fence.compile(dialect=POSTGRESQL))


def _from_arrays(table: Table) -> postgresql.Insert:
    arrays = [bindparam(f"{table.name}_{c.name}", type_=ARRAY(c.type)) for c in table.columns]
    rows = func.unnest(*arrays).table_valued(*(column(c.name, c.type) for c in table.columns))
    return postgresql.insert(table).from_select(table.columns.keys(), select(*rows.render_derived().c))
