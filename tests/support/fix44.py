"""The rows of FIX 4.4's order state change matrices (Volume 4, Appendix D), driven through the real book.

A matrix is a list of rows: an action, and what the order must show after it. Of the two sides of a FIX
connection this system is the buy side: it sends the requests and takes in the reports. FIX acknowledges a
request by a report of its own, PendingCancel or PendingReplace; here the request alone makes the order
pending, so a row "request" shows what FIX shows one row later. Numbers are those of the specification.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from domain.errors import DomainError
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import TimeInForce
from tests.support.trading import Desk

Action = Callable[[Desk], object]


class Row(NamedTuple):
    """OrdStatus, OrderQty, CumQty, LeavesQty and, where the matrix has it, AvgPx after `action`."""

    action: Action
    status: OrderStatus
    order_qty: int
    cum_qty: int
    leaves_qty: int
    avg_px: int | None = None


Matrices = Mapping[str, Sequence[Row]]


def each_of(matrices: Matrices) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("rows", [pytest.param(rows, id=name) for name, rows in matrices.items()])


def follow(rows: Sequence[Row]) -> None:
    """Take the order x through the rows, and hold it against each."""
    desk = Desk()
    for number, row in enumerate(rows, start=1):
        row.action(desk)
        order = desk.order()
        shown = (order.status, order.terms.quantity, order.filled_quantity, order.leaves_quantity)
        assert shown == (row.status, Decimal(row.order_qty), Decimal(row.cum_qty), Decimal(row.leaves_qty)), (
            f"row {number}"
        )
        if row.avg_px is not None:
            assert order.average_fill_price == Decimal(row.avg_px), f"AvgPx in row {number}"


# -- what the buy side sends ------------------------------------------------------------------------


def new(quantity: int, time_in_force: TimeInForce = TimeInForce.DAY) -> Action:
    return lambda desk: desk.place(quantity=quantity, time_in_force=time_in_force)


def cancel() -> Action:
    return lambda desk: desk.cancel()


def replace(quantity: int | None = None, price: int | None = None) -> Action:
    asked = {"quantity": quantity, "limit_price": price}
    change: dict[str, Any] = {name: Decimal(value) for name, value in asked.items() if value is not None}
    return lambda desk: desk.replace("x", **change)


def refused(action: Action, reason: str) -> Action:
    """`action` is refused here, and no broker hears of it."""

    def act(desk: Desk) -> None:
        handed = list(desk.broker.handed)
        with pytest.raises(DomainError) as refusal:
            action(desk)
        assert refusal.value.reason == reason
        assert desk.broker.handed == handed

    return act


# -- what the sell side reports ---------------------------------------------------------------------


def reported(type: ExecType, **details: Any) -> Action:
    return lambda desk: desk.report(type, **details)


accepted = reported(ExecType.NEW)
rejected = reported(ExecType.REJECTED)
canceled = reported(ExecType.CANCELED)
cancel_rejected = reported(ExecType.CANCEL_REJECTED)
replaced = reported(ExecType.REPLACED)
replace_rejected = reported(ExecType.REPLACE_REJECTED)
expired = reported(ExecType.EXPIRED)


def trade(quantity: int, price: int = 50, execution_id: str = "") -> Action:
    """An execution, under an id of its own unless one is given."""

    def act(desk: Desk) -> None:
        desk.trade(execution_id or f"execution {len(desk.records.fills) + 1}", quantity, price)

    return act


def bust(execution_id: str) -> Action:
    return reported(ExecType.TRADE_CANCEL, reference_id=execution_id)


def correct(execution_id: str, to: str, quantity: int, price: int = 50) -> Action:
    details = {"execution_id": to, "quantity": Decimal(quantity), "price": Decimal(price)}
    return reported(ExecType.TRADE_CORRECT, reference_id=execution_id, **details)
