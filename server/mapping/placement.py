"""Requests that place, change and cancel orders as commands, and their answers as responses."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from application.trading.commands.cancel_order_command import CancelOrder
from application.trading.commands.cancel_orders_command import CanceledOrders, CancelOrders
from application.trading.commands.place_order_group_command import PlacedGroup, PlaceOrderGroup
from application.trading.commands.place_orders_command import PlaceOrders
from application.trading.commands.replace_order_command import ReplaceOrder
from application.trading.placement import Placed
from domain.errors import DomainError
from domain.trading.value_objects.order_type import GroupType
from quantmesh.trading.v1 import order_change_pb2, order_pb2, order_placement_pb2
from server.errors import status_of
from server.mapping.orders import (
    SIDE_OF,
    expected_version,
    order_change,
    order_message,
    order_ref,
    order_terms,
)
from server.mapping.risk import check_message

# -- in ----------------------------------------------------------------------------------------------------


def place_orders(request: order_placement_pb2.PlaceOrdersRequest, actor: str) -> PlaceOrders:
    terms = tuple(order_terms(order, f"orders[{i}]") for i, order in enumerate(request.orders))
    return PlaceOrders(request.account_id, actor, terms, request.atomic, request.validate_only)


def place_order_group(request: order_placement_pb2.PlaceOrderGroupRequest, actor: str) -> PlaceOrderGroup:
    kind, members = _GROUPS[request.WhichOneof("group")]
    paths, orders = zip(*members(request), strict=True)
    return PlaceOrderGroup(
        request.account_id,
        actor,
        kind,
        tuple(order_terms(order, path) for order, path in zip(orders, paths, strict=True)),
        paths,
        request.client_group_id,
        request.validate_only,
    )


Members = Iterator[tuple[str, order_pb2.NewOrder]]


def _oco(request: order_placement_pb2.PlaceOrderGroupRequest) -> Members:
    return ((f"oco.orders[{i}]", order) for i, order in enumerate(request.oco.orders))


def _oto(request: order_placement_pb2.PlaceOrderGroupRequest) -> Members:
    yield "oto.parent", request.oto.parent
    for i, order in enumerate(request.oto.children):
        yield f"oto.children[{i}]", order


def _bracket(request: order_placement_pb2.PlaceOrderGroupRequest) -> Members:
    yield "bracket.entry", request.bracket.entry
    yield "bracket.take_profit", request.bracket.take_profit
    yield "bracket.stop_loss", request.bracket.stop_loss


_GROUPS: Final[dict[str | None, tuple[GroupType, Callable[[order_placement_pb2.PlaceOrderGroupRequest], Members]]]] = {
    "oco": (GroupType.OCO, _oco),
    "oto": (GroupType.OTO, _oto),
    "bracket": (GroupType.BRACKET, _bracket),
}


def replace_order(account_id: str, request: Any, actor: str, validate_only: bool = False) -> ReplaceOrder:
    """From a ReplaceOrderRequest or a session's ReplaceCommand."""
    return ReplaceOrder(
        account_id, actor, order_ref(request), order_change(request), expected_version(request), validate_only
    )


def cancel_order(account_id: str, request: Any, actor: str) -> CancelOrder:
    """From a CancelOrderRequest or a session's CancelCommand."""
    return CancelOrder(account_id, actor, order_ref(request), expected_version(request), request.reason)


def cancel_orders(account_id: str, request: Any, actor: str, group_id: str = "") -> CancelOrders:
    """From a CancelOrdersRequest or a session's CancelAllCommand."""
    side = SIDE_OF.get(request.side)
    return CancelOrders(account_id, actor, request.symbol, side, request.strategy_id, group_id, request.reason)


# -- out ---------------------------------------------------------------------------------------------------


def placed_fields(placed: Placed) -> dict[str, Any]:
    """The fields that PlaceOrderResponse and PlacedOrder have in common."""
    fields = {"order": order_message(placed.order), "replayed": placed.replayed, "sequence": placed.sequence}
    if placed.check is not None:
        fields["order"] = supposed_order(placed)
        fields["check"] = check_message(placed.check)
    return fields


def supposed_order(placed: Placed) -> order_pb2.Order:
    """An order that was only checked: nobody can ask for it by an id."""
    order = order_message(placed.order)
    order.ClearField("order_id")
    order.ClearField("sequence")
    return order


def place_orders_response(results: Sequence[Placed | DomainError]) -> order_placement_pb2.PlaceOrdersResponse:
    return order_placement_pb2.PlaceOrdersResponse(
        results=[
            order_placement_pb2.PlaceOrdersResult(index=i, error=status_of(result))
            if isinstance(result, DomainError)
            else order_placement_pb2.PlaceOrdersResult(
                index=i, placed=order_placement_pb2.PlacedOrder(**placed_fields(result))
            )
            for i, result in enumerate(results)
        ]
    )


def place_group_response(placed: PlacedGroup, client_group_id: str) -> order_placement_pb2.PlaceOrderGroupResponse:
    checks = [one.check for one in placed.orders if one.check is not None]
    return order_placement_pb2.PlaceOrderGroupResponse(
        group_id=placed.group_id,
        client_group_id=client_group_id,
        orders=[supposed_order(one) if one.check else order_message(one.order) for one in placed.orders],
        replayed=placed.replayed,
        sequence=placed.sequence,
        checks=map(check_message, checks),
    )


def cancel_results(canceled: CanceledOrders) -> list[order_change_pb2.CancelOrdersResult]:
    return [
        order_change_pb2.CancelOrdersResult(
            order_id=order.order_id, client_order_id=order.terms.client_order_id, order=order_message(order)
        )
        for order in canceled.orders
    ]
