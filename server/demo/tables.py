"""Fills, orders and positions as tables that fit a terminal 80 columns wide, and tell more in a wider one."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_pb2 import Order, OrderStatus
from quantmesh.trading.v1.portfolio_pb2 import Portfolio, Position
from quantmesh.type.v1.side_pb2 import SIDE_BUY, Side
from server.demo.orders import side_of, type_of

WIDE: Final = 120
_STATUS_STYLES: Final = {
    "FILLED": "green",
    "PARTIALLY FILLED": "cyan",
    "REJECTED": "yellow",
    "UNKNOWN": "bold yellow",
    "CANCELED": "dim",
    "EXPIRED": "dim",
}


class Column(NamedTuple):
    """Widths are fixed: columns that move with their content cannot be read while it changes."""

    header: str
    width: int
    justify: Literal["left", "right"] = "left"


_CLIENT_ORDER_ID: Final = Column("Order", 11)
_FILLS: Final = (
    Column("Time", 11),
    Column("Side", 4),
    Column("Quantity", 10, "right"),
    Column("Symbol", 9),
    Column("Price", 11, "right"),
    Column("Fee", 12, "right"),
)
_ORDERS: Final = (
    Column("Side", 4),
    Column("Quantity", 8, "right"),
    Column("Symbol", 8),
    Column("Type", 17),
    Column("Status", 16),
    Column("Filled", 8),
)
_POSITIONS: Final = (
    Column("Symbol", 9),
    Column("Quantity", 9, "right"),
    Column("Average", 10, "right"),
    Column("Mark", 10, "right"),
    Column("Unrealised", 10, "right"),
    Column("Realised", 10, "right"),
    Column("", 3),
)
_FEES: Final = Column("Fees", 7, "right")


def fills_table(fills: Iterable[Fill], *, wide: bool) -> Table:
    table = _table(*_FILLS, *((_CLIENT_ORDER_ID,) if wide else ()))
    for fill in fills:
        row: list[RenderableType] = [
            fill.fill_time.ToDatetime().strftime("%H:%M:%S.%f")[:-4],
            _side(fill.side),
            fill.quantity,
            fill.symbol,
            fill.price,
            f"{money(fill.fee)} {fill.fee_currency}",
        ]
        table.add_row(*row, *((fill.client_order_id,) if wide else ()))
    return table


def orders_table(orders: Iterable[Order], *, wide: bool) -> Table:
    table = _table(*((_CLIENT_ORDER_ID,) if wide else ()), *_ORDERS)
    for order in orders:
        status = status_of(order.status)
        row: list[RenderableType] = [
            _side(order.side),
            order.quantity,
            order.symbol,
            type_of(order),
            Text("HELD" if order.held else status, _STATUS_STYLES.get(status, "")),
            ProgressBar(float(order.quantity), float(order.filled_quantity)),
        ]
        table.add_row(*((order.client_order_id,) if wide else ()), *row)
    return table


def positions_table(positions: Iterable[Position], *, wide: bool) -> Table:
    table = _table(*_POSITIONS, *((_FEES,) if wide else ()))
    for position in positions:
        row: list[RenderableType] = [
            position.symbol,
            position.quantity,
            price(position.average_price),
            price(position.mark_price),
            gain(position.unrealized_pnl),
            gain(position.realized_pnl),
            position.currency,
        ]
        table.add_row(*row, *((money(position.fees),) if wide else ()))
    return table


def totals(portfolio: Portfolio) -> Table:
    """The account in one row."""
    grid = Table.grid(expand=True)
    cells = (
        ("Equity", money(portfolio.equity)),
        ("Buying power", money(portfolio.buying_power)),
        ("Realised", gain(portfolio.realized_pnl)),
        ("Unrealised", gain(portfolio.unrealized_pnl)),
        ("Fees", money(portfolio.fees)),
    )
    for _ in cells:
        grid.add_column(justify="right", ratio=1)
    grid.add_row(*(Text(name, "dim") for name, _ in cells))
    grid.add_row(*(value for _, value in cells))
    return grid


def status_of(status: OrderStatus.ValueType) -> str:
    return OrderStatus.Name(status).removeprefix("ORDER_STATUS_").replace("_", " ")


def money(amount: str) -> str:
    return f"{Decimal(amount):,.2f}" if amount else "-"


def price(amount: str) -> str:
    """As it is, but an average without the digits that nobody reads."""
    return f"{Decimal(amount):.4f}".rstrip("0").rstrip(".") if amount else "-"


def gain(amount: str) -> Text:
    if not amount:
        return Text("-")
    value = Decimal(amount)
    return Text(f"{value:+,.2f}" if value else "0.00", "green" if value > 0 else "red" if value < 0 else "")


def _side(side: Side.ValueType) -> Text:
    return Text(side_of(side), "green" if side == SIDE_BUY else "red")


def _table(*columns: Column) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    for header, width, justify in columns:
        table.add_column(header, width=width, justify=justify, no_wrap=True, overflow="ellipsis")
    return table
