"""Orders at a broker, and what it tells of them when it is asked."""

from typing import Any

from domain.trading.value_objects.execution_report import ExecType
from tests.support.engine import House

NEW: tuple[ExecType, dict[str, Any]] = (ExecType.NEW, {"broker_order_id": "b-1"})


def filled(quantity: int) -> tuple[ExecType, dict[str, Any]]:
    return ExecType.TRADE, {"execution_id": f"t {quantity}", "quantity": quantity}


def knows(house: House, *reports: tuple[ExecType, dict[str, Any]], client_order_id: str = "x") -> None:
    """From now on the broker, asked about the order, tells `reports`."""
    order_id = house.order(client_order_id).order_id
    house.broker.knows[order_id] = [house.says(type, order_id, **details) for type, details in reports]


async def works(house: House, quantity: int = 10) -> None:
    await house.place(quantity=quantity)
    await house.tell(ExecType.NEW)
    knows(house, NEW)
    await house.settle()
