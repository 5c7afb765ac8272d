"""Reading orders, fills and journal records as they are stored, page by page."""

from typing import Any

from application.trading.command import OrderRef
from application.trading.trading_engine import TradingEngine
from domain.trading.aggregates.order import Order
from domain.trading.repositories.order_repository import FillFilter, OrderFilter
from quantmesh.trading.v1 import order_query_pb2
from quantmesh.type.v1 import sort_order_pb2
from server.interceptors.handlers import Context
from server.mapping.common import from_optional_timestamp
from server.mapping.order_events import event_message, fill_message
from server.mapping.orders import SIDE_OF, STATUS_OF, order_message, order_ref
from server.paging import number, page_of


class OrderLists:
    """The RPCs of OrderService that only read. An account without a writer is none to be read."""

    def __init__(self, engine: TradingEngine) -> None:
        self._engine = engine
        self._store = engine.store

    async def GetOrder(
        self, request: order_query_pb2.GetOrderRequest, context: Context
    ) -> order_query_pb2.GetOrderResponse:
        self._engine.writer(request.account_id)
        order = await self._order(request.account_id, order_ref(request))
        return order_query_pb2.GetOrderResponse(order=order_message(order))

    async def ListOrders(
        self, request: order_query_pb2.ListOrdersRequest, context: Context
    ) -> order_query_pb2.ListOrdersResponse:
        self._engine.writer(request.account_id)
        page = page_of(request)
        where = OrderFilter(
            symbol=request.symbol,
            side=SIDE_OF.get(request.side),
            statuses=frozenset(STATUS_OF[status] for status in request.statuses),
            strategy_id=request.strategy_id,
            group_id=request.group_id,
            open_only=request.open_only,
            created_from=from_optional_timestamp(request, "created_after"),
            created_before=from_optional_timestamp(request, "created_before"),
        )
        found = await self._store.orders(request.account_id, where, number(page), page.fetch, _newest_first(request))
        orders, next_page_token = page.cut(found, lambda order: order.created_sequence)
        return order_query_pb2.ListOrdersResponse(orders=map(order_message, orders), next_page_token=next_page_token)

    async def ListFills(
        self, request: order_query_pb2.ListFillsRequest, context: Context
    ) -> order_query_pb2.ListFillsResponse:
        self._engine.writer(request.account_id)
        page = page_of(request)
        where = FillFilter(
            symbol=request.symbol,
            side=SIDE_OF.get(request.side),
            order_id=await self._order_id(request),
            strategy_id=request.strategy_id,
            filled_from=from_optional_timestamp(request, "filled_after"),
            filled_before=from_optional_timestamp(request, "filled_before"),
        )
        found = await self._store.fills(request.account_id, where, number(page), page.fetch, _newest_first(request))
        fills, next_page_token = page.cut(found, lambda fill: fill.sequence)
        return order_query_pb2.ListFillsResponse(fills=map(fill_message, fills), next_page_token=next_page_token)

    async def ListOrderEvents(
        self, request: order_query_pb2.ListOrderEventsRequest, context: Context
    ) -> order_query_pb2.ListOrderEventsResponse:
        feed = self._engine.writer(request.account_id).feed
        page = page_of(request)
        feed.require_reached(request.after_sequence)
        after, until = number(page) or request.after_sequence, feed.last_sequence
        order_id = await self._order_id(request)
        found = await self._store.events(request.account_id, after, page.fetch, order_id, until)
        events, next_page_token = page.cut(found, lambda event: event.sequence)
        return order_query_pb2.ListOrderEventsResponse(
            events=map(event_message, events), next_page_token=next_page_token, sequence=until
        )

    async def _order_id(self, request: Any) -> str:
        """The server's id of the order that the request is about; empty for all orders, NotFound for no such order."""
        ref = order_ref(request)
        if not ref.order_id and not ref.client_order_id:
            return ""
        return (await self._order(request.account_id, ref)).order_id

    async def _order(self, account_id: str, ref: OrderRef) -> Order:
        if ref.order_id:
            order = await self._store.order(account_id, ref.order_id)
        else:
            order = await self._store.order_by_client_id(account_id, ref.client_order_id)
        if order is None:
            raise ref.not_found()
        return order


def _newest_first(request: Any) -> bool:
    return bool(request.order_by != sort_order_pb2.SORT_ORDER_OLDEST_FIRST)
