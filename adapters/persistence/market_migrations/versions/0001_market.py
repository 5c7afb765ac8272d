"""Kept bars and backfills.

Tables are spelled out here, not taken from the table metadata: a migration stays what it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def text(name: str) -> "sa.Column[str]":
    return sa.Column(name, KEY, nullable=False)


def number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def body() -> "sa.Column[bytes]":
    return sa.Column("body", sa.LargeBinary, nullable=False)


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    _bars()
    _backfills()


def _bars() -> None:
    names = ("provider", "revision", "symbol", "interval", "adjustment")
    op.create_table(
        "bar_series",
        sa.Column("series_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        *map(text, names),
        sa.Column("extended_hours", sa.Boolean, nullable=False),
        text("vintage"),
        number("version"),
        key("bar_series", "series_id"),
        sa.UniqueConstraint(*names, "extended_hours", name="uq_bar_series_key"),
    )
    op.create_table(
        "bar_blocks",
        number("series_id"),
        number("start_time"),
        number("end_time"),
        number("bars"),
        body(),
        key("bar_blocks", "series_id", "start_time"),
    )


def _backfills() -> None:
    op.create_table(
        "backfills",
        text("backfill_id"),
        number("created_time"),
        text("state"),
        sa.Column("finished", sa.Boolean, nullable=False),
        number("version"),
        body(),
        key("backfills", "backfill_id"),
    )
    op.create_index("ix_backfills_created", "backfills", ["created_time", "backfill_id"])
    unfinished = sa.column("finished") == sa.false()
    op.create_index(
        "ix_backfills_unfinished",
        "backfills",
        ["created_time", "backfill_id"],
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_table(
        "backfill_symbols",
        text("symbol"),
        text("backfill_id"),
        key("backfill_symbols", "symbol", "backfill_id"),
        sqlite_with_rowid=False,
    )
