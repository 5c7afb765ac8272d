"""Positions sized at a desk, and orders of that size held against its rules."""

from decimal import Decimal
from typing import Any

from application.risk.queries.size_position_query import PositionSize, SizePosition
from domain.risk.services.position_sizer import SizingMethod
from domain.trading.value_objects.order_type import Side
from tests.support.trading import ACCOUNT, Desk


def asking(method: SizingMethod, side: Side = Side.BUY, **more: Any) -> SizePosition:
    return SizePosition(ACCOUNT, "user:test", **{"symbol": "ACME", "side": side, "method": method, **more})


def size(desk: Desk, method: SizingMethod, side: Side = Side.BUY, **more: Any) -> PositionSize:
    return desk.run(asking(method, side, **more))


def fails(desk: Desk, quantity: Decimal, side: Side = Side.BUY, price: Decimal | None = None) -> set[str]:
    """The rules that an order of that size would break."""
    checked = desk.check(client_order_id="size", side=side, quantity=quantity, price=price)
    return {rule for rule, result in checked.items() if not result.passed}
