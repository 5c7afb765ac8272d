"""Orders in short: how they are written in the script, and how they are shown."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.trading.v1.order_pb2 import NewOrder, Order
from quantmesh.trading.v1.order_type_pb2 import LimitOrder, MarketOrder, StopOrder, TrailingStopOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL, Side
from quantmesh.type.v1.time_in_force_pb2 import TIME_IN_FORCE_DAY, TIME_IN_FORCE_UNSPECIFIED, TimeInForce


def buy(client_order_id: str, symbol: str, quantity: str, **terms: Any) -> NewOrder:
    """`terms` are the other fields of NewOrder; without a type it is a market order."""
    return _order(SIDE_BUY, client_order_id, symbol, quantity, terms)


def sell(client_order_id: str, symbol: str, quantity: str, **terms: Any) -> NewOrder:
    return _order(SIDE_SELL, client_order_id, symbol, quantity, terms)


def _order(side: Side.ValueType, client_order_id: str, symbol: str, quantity: str, terms: dict[str, Any]) -> NewOrder:
    order = NewOrder(client_order_id=client_order_id, side=side, symbol=symbol, quantity=quantity, **terms)
    if order.WhichOneof("type") is None:
        order.market.CopyFrom(MarketOrder())
    return order


def at(price: str) -> LimitOrder:
    return LimitOrder(price=price)


def stop_at(price: str) -> StopOrder:
    return StopOrder(stop_price=price)


def trailing(offset: str) -> TrailingStopOrder:
    return TrailingStopOrder(offset=offset)


def in_seconds(seconds: float) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime.now(UTC) + timedelta(seconds=seconds))
    return moment


def side_of(side: Side.ValueType) -> str:
    return Side.Name(side).removeprefix("SIDE_")


def type_of(order: NewOrder | Order) -> str:
    """The order's type with its prices, and its time in force unless that is the day."""
    words = [_TYPES[order.WhichOneof("type") or "market"](order)]
    if order.time_in_force not in (TIME_IN_FORCE_UNSPECIFIED, TIME_IN_FORCE_DAY):
        words.append(TimeInForce.Name(order.time_in_force).removeprefix("TIME_IN_FORCE_"))
    return " ".join(words)


def described(order: NewOrder | Order) -> str:
    return f"{side_of(order.side)} {order.quantity} {order.symbol} {type_of(order)}"


_TYPES: Final[dict[str, Callable[[NewOrder | Order], str]]] = {
    "market": lambda order: "market",
    "limit": lambda order: f"limit {order.limit.price}",
    "stop": lambda order: f"stop {order.stop.stop_price}",
    "stop_limit": lambda order: f"stop {order.stop_limit.stop_price} limit {order.stop_limit.price}",
    "trailing_stop": lambda order: f"trailing {order.trailing_stop.offset or order.trailing_stop.percent + ' %'}",
}
