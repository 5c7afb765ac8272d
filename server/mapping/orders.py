"""Orders between the contract and the domain: terms, references, changes, and an order as it stands."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from application.trading.command import OrderRef
from application.trading.commands.replace_order_command import Change
from domain.decimals import plain
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason, GroupType, OrderType, Side, TimeInForce
from quantmesh.trading.v1 import order_pb2, order_type_pb2
from quantmesh.type.v1 import side_pb2, time_in_force_pb2
from server.mapping.common import (
    enum_table,
    from_optional_timestamp,
    from_timestamp,
    optional_enum_table,
    reversed_table,
    to_timestamp,
)

SIDES: Final = enum_table(side_pb2.Side, Side, "SIDE")
TIMES_IN_FORCE: Final = enum_table(time_in_force_pb2.TimeInForce, TimeInForce, "TIME_IN_FORCE")
STATUSES: Final = enum_table(order_pb2.OrderStatus, OrderStatus, "ORDER_STATUS")
GROUP_TYPES: Final = enum_table(order_pb2.OrderGroupType, GroupType, "ORDER_GROUP_TYPE")
CANCEL_REASONS: Final = optional_enum_table(order_pb2.CancelReason, CancelReason, "CANCEL_REASON")

# Unspecified is absent where it means "any", and DAY in a new order.
SIDE_OF: Final = reversed_table(SIDES)
STATUS_OF: Final = reversed_table(STATUSES)
TIME_IN_FORCE_OF: Final = {0: TimeInForce.DAY, **reversed_table(TIMES_IN_FORCE)}

_UNTRIGGERED = frozenset({OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN, OrderStatus.NEW})

# -- in ----------------------------------------------------------------------------------------------------


def order_terms(order: order_pb2.NewOrder, path: str = "order") -> OrderTerms:
    """The terms of a new order that keeps the contract's rules; `path` is where it stands in its request."""
    kind, prices = _PRICES[order.WhichOneof("type")]
    limit_price, stop_price, trail_offset, trail_percent = prices(order)
    tags = order.tags
    expires = from_timestamp(f"{path}.expire_time", order.expire_time) if order.HasField("expire_time") else None
    return OrderTerms(
        order.client_order_id,
        order.symbol,
        SIDE_OF[order.side],
        Decimal(order.quantity),
        kind,
        limit_price,
        stop_price,
        trail_offset,
        trail_percent,
        TIME_IN_FORCE_OF[order.time_in_force],
        expires,
        order.post_only,
        order.reduce_only,
        order.strategy_id,
        tuple(sorted(tags.items())) if tags else (),
    )


Prices = tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None]

_NO_PRICES: Prices = (None, None, None, None)


def _stop_limit_prices(order: order_pb2.NewOrder) -> Prices:
    return Decimal(order.stop_limit.price), Decimal(order.stop_limit.stop_price), None, None


def _trailing_prices(order: order_pb2.NewOrder) -> Prices:
    trail = order.trailing_stop
    if trail.HasField("offset"):
        return None, None, Decimal(trail.offset), None
    return None, None, None, Decimal(trail.percent)


_PRICES: Final[dict[str | None, tuple[OrderType, Callable[[order_pb2.NewOrder], Prices]]]] = {
    "market": (OrderType.MARKET, lambda order: _NO_PRICES),
    "limit": (OrderType.LIMIT, lambda order: (Decimal(order.limit.price), None, None, None)),
    "stop": (OrderType.STOP, lambda order: (None, Decimal(order.stop.stop_price), None, None)),
    "stop_limit": (OrderType.STOP_LIMIT, _stop_limit_prices),
    "trailing_stop": (OrderType.TRAILING_STOP, _trailing_prices),
}


def order_ref(request: Any) -> OrderRef:
    """The order that a request with an order_ref names; both ids empty when it names none."""
    return OrderRef(request.order_id, request.client_order_id)


def expected_version(request: Any) -> int | None:
    return request.expected_version if request.HasField("expected_version") else None


def order_change(request: Any, path: str = "") -> Change:
    """What a ReplaceOrderRequest or a ReplaceCommand asks to change."""
    decimals = {field: Decimal(getattr(request, field)) for field in _CHANGEABLE_DECIMALS if request.HasField(field)}
    time_in_force = TIME_IN_FORCE_OF[request.time_in_force] if request.HasField("time_in_force") else None
    expire_time = from_optional_timestamp(request, "expire_time", f"{path}expire_time")
    return Change(**decimals, time_in_force=time_in_force, expire_time=expire_time)


_CHANGEABLE_DECIMALS = ("quantity", "limit_price", "stop_price", "trail_offset", "trail_percent")

# -- out ---------------------------------------------------------------------------------------------------


def order_message(order: Order) -> order_pb2.Order:
    """The order as it stands."""
    terms, state = order.terms, order.state
    created = to_timestamp(order.created_time)
    fields: dict[str, Any] = {
        _KINDS[terms.type]: _TYPE_MESSAGES[terms.type](terms),
        "order_id": order.order_id,
        "client_order_id": terms.client_order_id,
        "account_id": order.account_id,
        "symbol": terms.symbol,
        "side": SIDES[terms.side],
        "quantity": plain(terms.quantity),
        "time_in_force": TIMES_IN_FORCE[terms.time_in_force],
        "broker": order.broker,
        "status": STATUSES[order.status],
        "version": order.version,
        "filled_quantity": plain(order.filled_quantity),
        "leaves_quantity": plain(order.leaves_quantity),
        "fees": plain(order.fees),
        "fee_currency": order.fee_currency,
        "created_time": created,
        "updated_time": created if order.version == 1 else to_timestamp(order.updated_time),
        "sequence": order.sequence,
    }
    if order.version > 1 or not order.is_open:
        _add_history(fields, order)
    if terms.expire_time is not None:
        fields["expire_time"] = to_timestamp(terms.expire_time)
    if terms.type in _STOPS and state in _UNTRIGGERED:
        fields["active_stop_price"] = _active_stop(order)
    if order.group_type is not None:
        fields["group_type"] = GROUP_TYPES[order.group_type]
        fields["group_id"] = order.group_id
        fields["parent_order_id"] = order.parent_order_id
        fields["held"] = order.held
    if terms.strategy_id:
        fields["strategy_id"] = terms.strategy_id
    if terms.tags:
        fields["tags"] = dict(terms.tags)
    if terms.post_only or terms.reduce_only:
        fields["post_only"], fields["reduce_only"] = terms.post_only, terms.reduce_only
    return order_pb2.Order(**fields)


def _add_history(fields: dict[str, Any], order: Order) -> None:
    """What only an order can have that has gone beyond its placement."""
    fields["broker_order_id"] = order.broker_order_id
    average = order.average_fill_price
    if average is not None:
        fields["average_fill_price"] = plain(average)
    if order.state is OrderStatus.REJECTED:
        fields["reject_reason"] = order.reject_reason
        fields["reject_text"] = order.reason_text
    elif order.state is OrderStatus.CANCELED:
        fields["cancel_reason"] = CANCEL_REASONS[order.cancel_reason]


def _active_stop(order: Order) -> str:
    price = order.active_stop_price or order.terms.stop_price
    return "" if price is None else plain(price)


def _trailing_message(terms: OrderTerms) -> order_type_pb2.TrailingStopOrder:
    if terms.trail_offset is not None:
        return order_type_pb2.TrailingStopOrder(offset=plain(terms.trail_offset))
    return order_type_pb2.TrailingStopOrder(percent=_shown(terms.trail_percent))


def _shown(price: Decimal | None) -> str:
    return "" if price is None else plain(price)


_MARKET: Final = order_type_pb2.MarketOrder()
_STOPS: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_KINDS: Final = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP: "stop",
    OrderType.STOP_LIMIT: "stop_limit",
    OrderType.TRAILING_STOP: "trailing_stop",
}
_TYPE_MESSAGES: Final[dict[OrderType, Callable[[OrderTerms], Any]]] = {
    OrderType.MARKET: lambda terms: _MARKET,
    OrderType.LIMIT: lambda terms: order_type_pb2.LimitOrder(price=_shown(terms.limit_price)),
    OrderType.STOP: lambda terms: order_type_pb2.StopOrder(stop_price=_shown(terms.stop_price)),
    OrderType.STOP_LIMIT: lambda terms: order_type_pb2.StopLimitOrder(
        stop_price=_shown(terms.stop_price), price=_shown(terms.limit_price)
    ),
    OrderType.TRAILING_STOP: _trailing_message,
}
