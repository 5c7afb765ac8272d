"""The writes: many rows in one statement, so that a transaction is a handful of steps whatever its size.

Each database gets the shape that is cheapest there. SQLite: one VALUES list, since every step hands the GIL
away and takes it back. PostgreSQL: one array a column, so that all tables go in a single round trip.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from sqlalchemy import ARRAY, CTE, Insert, Table, bindparam, column, func, literal_column, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from adapters.persistence.sql import POSTGRESQL, SQLITE, number
from adapters.persistence.tables import (
    accounts,
    audit_records,
    cash,
    fills,
    journal,
    orders,
    positions,
    risk_controls,
    risk_profiles,
    risk_states,
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
    risk_controls: ("in_force", "body"),
    risk_profiles: ("body",),
    risk_states: ("body",),
}
_FIRST_STAYS: Final = frozenset({audit_records})  # a call that may be recorded already is recorded again


def _upserted(insert: sqlite.Insert | postgresql.Insert, table: Table) -> Insert:
    if table in _FIRST_STAYS:
        return insert.on_conflict_do_nothing(index_elements=list(table.primary_key))
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
    """PostgreSQL: writes rows of all tables in `written`, or of none; takes an array for each of their columns,
    table by table, and the epoch as `$1`.

    Answers the epoch, or nothing when it is not the newest. The lock on it makes a newer writer wait until this
    transaction has ended; behind a newer one that came first, the epoch no longer matches.
    """
    fence = select(writer_epoch.c.epoch).where(writer_epoch.c.epoch == number("epoch"))
    locked = fence.with_for_update(read=True).cte("fence")
    inserts = [_upserted(_from_arrays(table, locked), table).cte(f"new_{table.name}") for table in written]
    return str(select(locked.c.epoch).add_cte(locked, *inserts).compile(dialect=POSTGRESQL))


def _from_arrays(table: Table, fence: CTE) -> postgresql.Insert:
    arrays = [bindparam(f"{table.name}_{c.name}", type_=ARRAY(c.type)) for c in table.columns]
    rows = func.unnest(*arrays).table_valued(*(column(c.name, c.type) for c in table.columns)).render_derived()
    fenced = select(*rows.c).select_from(rows.join(fence, true()))
    return postgresql.insert(table).from_select([c.name for c in table.columns], fenced)
