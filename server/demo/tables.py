"""Fills, orders and positions as tables that fit a terminal 80 columns wide, and tell more in a wider one."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

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


def fills_table(fills: Iterable[Fill], *, wide: bool) -> Table:
    table = _table("Time", "Side", ">Quantity", "Symbol", ">Price", ">Fee", *(("Order",) if wide else ()))
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
    table = _table(*(("Order",) if wide else ()), "Side", ">Quantity", "Symbol", "Type", "Status", "Filled")
    for order in orders:
        status = status_of(order.status)
        row: list[RenderableType] = [
            _side(order.side),
            order.quantity,
            order.symbol,
            type_of(order),
            Text("HELD" if order.held else status, _STATUS_STYLES.get(status, "")),
            ProgressBar(float(order.quantity), float(order.filled_quantity), width=16 if wide else 8),
        ]
        table.add_row(*((order.client_order_id,) if wide else ()), *row)
    return table


def positions_table(positions: Iterable[Position], *, wide: bool) -> Table:
    more = (">Fees", ">Value") if wide else ()
    table = _table("Symbol", ">Quantity", ">Average", ">Mark", ">Unrealised", ">Realised", *more, "")
    for position in positions:
        row: list[RenderableType] = [
            position.symbol,
            position.quantity,
            price(position.average_price),
            price(position.mark_price),
            gain(position.unrealized_pnl),
            gain(position.realized_pnl),
        ]
        extra = [money(position.fees), money(position.market_value)] if wide else []
        table.add_row(*row, *extra, position.currency)
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


def _table(*columns: str) -> Table:
    """A column named with a leading > is set to the right."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    for column in columns:
        header = column.lstrip(">")
        table.add_column(header, justify="left" if header == column else "right", no_wrap=True, overflow="ellipsis")
    return table
