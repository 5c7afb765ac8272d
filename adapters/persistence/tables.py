"""The tables. A row has the columns that keys, filters and pages need; the object itself is its body.

What an order or an event may lack (a strategy, a group, an order) is NULL, so that indexes leave it out.
Times in columns are whole microseconds since 1970, UTC.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    true,
)

_KEY = Text().with_variant(Text(collation="C"), "postgresql")  # both databases sort keys by code point

metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"})


def _key(name: str, nullable: bool = False) -> Column[str]:
    return Column(name, _KEY, nullable=nullable)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, autoincrement=False)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False)


def _body(name: str = "body", nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


writer_epoch = Table("writer_epoch", metadata, _number("epoch"), PrimaryKeyConstraint("epoch"))

accounts = Table("accounts", metadata, _key("account_id"), _body(), PrimaryKeyConstraint("account_id"))

cash = Table(
    "cash",
    metadata,
    _key("account_id"),
    _key("currency"),
    Column("amount", Text, nullable=False),
    PrimaryKeyConstraint("account_id", "currency"),
)

positions = Table(
    "positions",
    metadata,
    _key("account_id"),
    _key("symbol"),
    _flag("is_flat"),
    _body(),
    PrimaryKeyConstraint("account_id", "symbol"),
)

risk_profiles = Table("risk_profiles", metadata, _key("account_id"), _body(), PrimaryKeyConstraint("account_id"))

risk_states = Table("risk_states", metadata, _key("account_id"), _body(), PrimaryKeyConstraint("account_id"))

# Switches, trading states and the firm's profile; one without an account bears on all of them. The ids of switches
# sort by the time of their making.
risk_controls = Table(
    "risk_controls",
    metadata,
    _key("control_id"),
    _key("kind"),
    _key("account_id", nullable=True),
    _flag("in_force"),
    _body(),
    PrimaryKeyConstraint("control_id"),
)
IN_FORCE = risk_controls.c.in_force == true()
Index("ix_risk_controls_in_force", risk_controls.c.control_id, sqlite_where=IN_FORCE, postgresql_where=IN_FORCE)

orders = Table(
    "orders",
    metadata,
    _key("account_id"),
    _key("order_id"),
    _key("client_order_id"),
    _number("created_sequence"),
    _number("created_time"),
    _key("symbol"),
    _key("side"),
    _key("status"),
    _key("strategy_id", nullable=True),
    _key("group_id", nullable=True),
    _flag("is_open"),
    _body(),
    PrimaryKeyConstraint("account_id", "order_id"),
    UniqueConstraint("account_id", "client_order_id"),
    Index("ix_orders_created", "account_id", "created_sequence", "created_time"),
    Index("ix_orders_symbol", "account_id", "symbol", "created_sequence"),
)
IS_OPEN = orders.c.is_open == true()
Index(
    "ix_orders_open",
    orders.c.account_id,
    orders.c.created_sequence,
    sqlite_where=IS_OPEN,
    postgresql_where=IS_OPEN,
)

# A fill is known by the event that booked it. That no execution is booked by a second event, whatever the
# writer believes, is the unique constraint's doing: the last guard against counting one twice.
fills = Table(
    "fills",
    metadata,
    _key("account_id"),
    _number("sequence"),
    _key("execution_id"),
    _key("order_id"),
    _key("symbol"),
    _key("side"),
    _key("strategy_id", nullable=True),
    _number("fill_time"),
    _flag("busted"),
    _body(),
    PrimaryKeyConstraint("account_id", "sequence"),
    UniqueConstraint("account_id", "execution_id"),
    Index("ix_fills_order", "account_id", "order_id"),
    Index("ix_fills_symbol", "account_id", "symbol", "sequence"),
)

# The order after an event has its own column: it is the body of the order's row, encoded once for both.
journal = Table(
    "journal",
    metadata,
    _key("account_id"),
    _number("sequence"),
    _key("order_id", nullable=True),
    _body(),
    _body("order_body", nullable=True),
    PrimaryKeyConstraint("account_id", "sequence"),
)

# Ids rise with time, but within one process only: lists go by the time first, and so does the table itself.
audit_records = Table(
    "audit_records",
    metadata,
    _key("audit_record_id"),
    _number("record_time"),
    _key("account_id", nullable=True),
    _key("actor"),
    _key("rpc"),
    _key("outcome"),
    _body(),
    PrimaryKeyConstraint("record_time", "audit_record_id"),
    Index("ix_audit_records_account", "account_id", "record_time", "audit_record_id"),
    sqlite_with_rowid=False,
)


def _index_where_present(name: str, column: Column[str], *then: Column[int]) -> None:
    present = column.is_not(None)
    Index(name, column.table.c.account_id, column, *then, sqlite_where=present, postgresql_where=present)


_index_where_present("ix_orders_strategy", orders.c.strategy_id, orders.c.created_sequence)
_index_where_present("ix_orders_group", orders.c.group_id, orders.c.created_sequence)
_index_where_present("ix_fills_strategy", fills.c.strategy_id, fills.c.sequence)
_index_where_present("ix_journal_order", journal.c.order_id, journal.c.sequence)
