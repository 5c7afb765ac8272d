"""What risk control keeps: the rules' memory of each account, switches and trading states, and the audit's records.

Tables are spelled out here, not taken from the table metadata: a migration stays what it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def text(name: str, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, KEY, nullable=nullable)


def body() -> "sa.Column[bytes]":
    return sa.Column("body", sa.LargeBinary, nullable=False)


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    op.create_table("risk_states", text("account_id"), body(), key("risk_states", "account_id"))
    _controls()
    _audit()


def _controls() -> None:
    op.create_table(
        "risk_controls",
        text("control_id"),
        text("kind"),
        text("account_id", nullable=True),
        sa.Column("in_force", sa.Boolean, nullable=False),
        body(),
        key("risk_controls", "control_id"),
    )
    _index("risk_controls", "in_force", "control_id", where=sa.column("in_force") == sa.true())


def _audit() -> None:
    op.create_table(
        "audit_records",
        text("audit_record_id"),
        sa.Column("record_time", sa.BigInteger, nullable=False, autoincrement=False),
        text("account_id", nullable=True),
        text("actor"),
        text("rpc"),
        text("outcome"),
        body(),
        key("audit_records", "record_time", "audit_record_id"),
        sqlite_with_rowid=False,
    )
    _index("audit_records", "account", "account_id", "record_time", "audit_record_id")


def _index(table: str, name: str, *columns: str, where: "sa.ColumnElement[bool] | None" = None) -> None:
    op.create_index(f"ix_{table}_{name}", table, list(columns), sqlite_where=where, postgresql_where=where)
