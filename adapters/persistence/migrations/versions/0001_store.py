"""The first schema: journal, read models, and the epoch of the writer.

Tables are spelled out here, not taken from the table metadata: a migration stays what it was.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def text(name: str, nullable: bool = False) -> "sa.Column[str]":
    return sa.Column(name, KEY, nullable=nullable)


def number(name: str) -> "sa.Column[int]":
    return sa.Column(name, sa.BigInteger, nullable=False, autoincrement=False)


def flag(name: str) -> "sa.Column[bool]":
    return sa.Column(name, sa.Boolean, nullable=False)


def body(name: str = "body", nullable: bool = False) -> "sa.Column[bytes]":
    return sa.Column(name, sa.LargeBinary, nullable=nullable)


def key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def upgrade() -> None:
    _writer()
    _account()
    _orders()
    _fills()
    _journal()


def _writer() -> None:
    table = op.create_table("writer_epoch", number("epoch"), key("writer_epoch", "epoch"))
    op.bulk_insert(table, [{"epoch": 0}])


def _account() -> None:
    op.create_table("accounts", text("account_id"), body(), key("accounts", "account_id"))
    op.create_table(
        "cash",
        text("account_id"),
        text("currency"),
        sa.Column("amount", sa.Text, nullable=False),
        key("cash", "account_id", "currency"),
    )
    op.create_table(
        "positions",
        text("account_id"),
        text("symbol"),
        flag("is_flat"),
        body(),
        key("positions", "account_id", "symbol"),
    )
    op.create_table("risk_profiles", text("account_id"), body(), key("risk_profiles", "account_id"))


def _orders() -> None:
    op.create_table(
        "orders",
        text("account_id"),
        text("order_id"),
        text("client_order_id"),
        number("created_sequence"),
        number("created_time"),
        text("symbol"),
        text("side"),
        text("status"),
        text("strategy_id", nullable=True),
        text("group_id", nullable=True),
        flag("is_open"),
        body(),
        key("orders", "account_id", "order_id"),
        sa.UniqueConstraint("account_id", "client_order_id", name="uq_orders_account_id_client_order_id"),
    )
    is_open = sa.column("is_open") == sa.true()
    _index("orders", "created", "created_sequence", "created_time")
    _index("orders", "symbol", "symbol", "created_sequence")
    _index("orders", "open", "created_sequence", where=is_open)
    _index_where_present("orders", "strategy", "strategy_id", "created_sequence")
    _index_where_present("orders", "group", "group_id", "created_sequence")


def _fills() -> None:
    op.create_table(
        "fills",
        text("account_id"),
        number("sequence"),
        text("execution_id"),
        text("order_id"),
        text("symbol"),
        text("side"),
        text("strategy_id", nullable=True),
        number("fill_time"),
        flag("busted"),
        body(),
        key("fills", "account_id", "sequence"),
        sa.UniqueConstraint("account_id", "execution_id", name="uq_fills_account_id_execution_id"),
    )
    _index("fills", "order", "order_id")
    _index("fills", "symbol", "symbol", "sequence")
    _index_where_present("fills", "strategy", "strategy_id", "sequence")


def _journal() -> None:
    op.create_table(
        "journal",
        text("account_id"),
        number("sequence"),
        text("order_id", nullable=True),
        body(),
        body("order_body", nullable=True),
        key("journal", "account_id", "sequence"),
    )
    _index_where_present("journal", "order", "order_id", "sequence")


def _index(table: str, name: str, *columns: str, where: "sa.ColumnElement[bool] | None" = None) -> None:
    op.create_index(f"ix_{table}_{name}", table, ["account_id", *columns], sqlite_where=where, postgresql_where=where)


def _index_where_present(table: str, name: str, column: str, *then: str) -> None:
    _index(table, name, column, *then, where=sa.column(column).is_not(None))
