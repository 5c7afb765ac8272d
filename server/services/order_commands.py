"""Placing, changing and cancelling orders: map, let the account decide, map."""

from application.trading.commands.place_order_command import PlaceOrder
from application.trading.trading_engine import TradingEngine
from quantmesh.trading.v1 import order_change_pb2, order_placement_pb2
from server.interceptors.handlers import Context
from server.mapping.common import actor_of
from server.mapping.orders import order_message, order_terms
from server.mapping.placement import (
    cancel_order,
    cancel_orders,
    cancel_results,
    place_group_response,
    place_order_group,
    place_orders,
    place_orders_response,
    placed_fields,
    replace_order,
)


class OrderCommands:
    """The RPCs of OrderService that change something."""

    def __init__(self, engine: TradingEngine) -> None:
        self._engine = engine

    async def PlaceOrder(
        self, request: order_placement_pb2.PlaceOrderRequest, context: Context
    ) -> order_placement_pb2.PlaceOrderResponse:
        terms = order_terms(request.order)
        command = PlaceOrder(request.account_id, actor_of(context), terms, request.validate_only)
        return order_placement_pb2.PlaceOrderResponse(**placed_fields(await self._engine.execute(command)))

    async def PlaceOrders(
        self, request: order_placement_pb2.PlaceOrdersRequest, context: Context
    ) -> order_placement_pb2.PlaceOrdersResponse:
        return place_orders_response(await self._engine.execute(place_orders(request, actor_of(context))))

    async def PlaceOrderGroup(
        self, request: order_placement_pb2.PlaceOrderGroupRequest, context: Context
    ) -> order_placement_pb2.PlaceOrderGroupResponse:
        command = place_order_group(request, actor_of(context))
        return place_group_response(await self._engine.execute(command), command.group_id)

    async def ReplaceOrder(
        self, request: order_change_pb2.ReplaceOrderRequest, context: Context
    ) -> order_change_pb2.ReplaceOrderResponse:
        command = replace_order(request.account_id, request, actor_of(context), request.validate_only)
        placed = await self._engine.execute(command)
        return order_change_pb2.ReplaceOrderResponse(order=order_message(placed.order), sequence=placed.sequence)

    async def CancelOrder(
        self, request: order_change_pb2.CancelOrderRequest, context: Context
    ) -> order_change_pb2.CancelOrderResponse:
        placed = await self._engine.execute(cancel_order(request.account_id, request, actor_of(context)))
        return order_change_pb2.CancelOrderResponse(order=order_message(placed.order), sequence=placed.sequence)

    async def CancelOrders(
        self, request: order_change_pb2.CancelOrdersRequest, context: Context
    ) -> order_change_pb2.CancelOrdersResponse:
        command = cancel_orders(request.account_id, request, actor_of(context), request.group_id)
        canceled = await self._engine.execute(command)
        return order_change_pb2.CancelOrdersResponse(results=cancel_results(canceled), sequence=canceled.sequence)
