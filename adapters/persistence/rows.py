"""From a batch to rows: each tuple is in the order of its table's columns."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Table

from adapters.persistence import tables
from adapters.persistence.codec import encode, encode_audit_record, encode_event, kind_of
from application.ports.journal import Batch, Control
from application.risk.controls import in_force, scope_of
from domain.risk.aggregates.audit_record import AuditRecord
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.value_objects.money import Money

Row: TypeAlias = tuple[Any, ...]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(time: datetime) -> int:
    """Whole microseconds since 1970."""
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(time: int) -> datetime:
    return _EPOCH + timedelta(microseconds=time)


def rows_of(batch: Batch) -> list[tuple[Table, list[Row]]]:
    """What `batch` writes, by table; tables without rows are left out."""
    body_of = _encoded_once()
    written: tuple[tuple[Table, list[Row]], ...] = (
        (tables.accounts, [(key, encode(account)) for key, account in batch.accounts.items()]),
        (tables.risk_profiles, [(key, encode(profile)) for key, profile in batch.risk_profiles.items()]),
        (tables.risk_states, [(key, encode(state)) for key, state in batch.risk_states.items()]),
        (tables.risk_controls, [_control_row(key, control) for key, control in batch.controls.items()]),
        (tables.journal, [_event_row(event, body_of) for event in batch.events]),
        (tables.orders, [_order_row(order, body_of(order)) for order in batch.orders.values()]),
        (tables.fills, [_fill_row(fill) for fill in batch.fills.values()]),
        (tables.positions, [_position_row(position) for position in batch.positions.values()]),
        (tables.cash, [_cash_row(key, money) for key, money in batch.cash.items()]),
        (tables.audit_records, [_audit_row(record) for record in batch.audit]),
    )
    return [(table, rows) for table, rows in written if rows]


def _encoded_once() -> Callable[[Order], bytes]:
    """An event mostly holds the very order that the batch writes, so both rows share one body."""
    bodies: dict[int, bytes] = {}

    def body_of(order: Order) -> bytes:
        body = bodies.get(id(order))
        if body is None:
            body = bodies[id(order)] = encode(order)
        return body

    return body_of


def _control_row(control_id: str, control: Control) -> Row:
    account_id = scope_of(control).account_id or None
    return control_id, kind_of(type(control)), account_id, in_force(control), encode(control)


def _event_row(event: Event, body_of: Callable[[Order], bytes]) -> Row:
    order = event.order
    if order is None:
        return event.account_id, event.sequence, None, encode_event(event), None
    return event.account_id, event.sequence, order.order_id, encode_event(event), body_of(order)


def _order_row(order: Order, body: bytes) -> Row:
    terms = order.terms
    return (
        order.account_id,
        order.order_id,
        terms.client_order_id,
        order.created_sequence,
        microseconds(order.created_time),
        terms.symbol,
        terms.side.value,
        order.status.value,
        terms.strategy_id or None,
        order.group_id or None,
        order.is_open,
        body,
    )


def _fill_row(fill: Fill) -> Row:
    return (
        fill.account_id,
        fill.sequence,
        fill.execution_id,
        fill.order_id,
        fill.symbol,
        fill.side.value,
        fill.strategy_id or None,
        microseconds(fill.fill_time),
        fill.busted,
        encode(fill),
    )


def _position_row(position: Position) -> Row:
    return position.account_id, position.symbol, not position.quantity, encode(position)


def _cash_row(key: tuple[str, str], money: Money) -> Row:
    account_id, currency = key
    return account_id, currency, str(money.amount)


def _audit_row(record: AuditRecord) -> Row:
    return (
        record.audit_record_id,
        microseconds(record.record_time),
        record.account_id or None,
        record.actor,
        record.rpc,
        record.outcome.value,
        encode_audit_record(record),
    )
