"""Streams of an account's journal: as records, and as fills."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from google.protobuf.message import Message

from application.trading.queries.get_open_orders_query import GetOpenOrders
from application.trading.queries.get_portfolio_query import GetPortfolio
from application.trading.trading_engine import TradingEngine
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.order_terms import OrderTerms
from quantmesh.trading.v1 import order_stream_pb2
from server.interceptors.handlers import Context
from server.interceptors.tracking import Lifecycle
from server.mapping.accounts import position_message
from server.mapping.common import actor_of
from server.mapping.order_events import event_message, fill_message
from server.mapping.orders import order_message
from server.streams import JournalView, SharedBytes, journal_stream

_Event = order_stream_pb2.StreamOrderEventsResponse
_Fill = order_stream_pb2.StreamFillsResponse
_FILL_EVENTS: Final = frozenset({EventType.ORDER_FILLED, EventType.FILL_BUSTED, EventType.FILL_CORRECTED})


class OrderStreams:
    """StreamOrderEvents and StreamFills."""

    def __init__(self, engine: TradingEngine, lifecycle: Lifecycle) -> None:
        self._engine = engine
        self._lifecycle = lifecycle
        self._events = SharedBytes(lambda event: _Event(event=event_message(event)))
        self._fills = SharedBytes(lambda event: _Fill(fill=fill_message(_fill_of(event), event.sequence)))

    def StreamOrderEvents(
        self, request: order_stream_pb2.StreamOrderEventsRequest, context: Context
    ) -> AsyncIterator[Message | bytes]:
        feed = self._engine.writer(request.account_id).feed
        view = JournalView(_Event, lambda: self._open_orders(request, context), _event_filter(request), self._events)
        return journal_stream(request, context, feed, self._lifecycle, view)

    def StreamFills(
        self, request: order_stream_pb2.StreamFillsRequest, context: Context
    ) -> AsyncIterator[Message | bytes]:
        feed = self._engine.writer(request.account_id).feed
        view = JournalView(_Fill, lambda: self._positions(request, context), _fill_filter(request), self._fills)
        return journal_stream(request, context, feed, self._lifecycle, view)

    async def _open_orders(
        self, request: order_stream_pb2.StreamOrderEventsRequest, context: Context
    ) -> tuple[Iterable[Message], int]:
        view = await self._engine.execute(GetOpenOrders(request.account_id, actor_of(context)))
        orders = (order for order in view.orders if _matches(request, order.terms))
        return (_Event(snapshot_order=order_message(order)) for order in orders), view.sequence

    async def _positions(
        self, request: order_stream_pb2.StreamFillsRequest, context: Context
    ) -> tuple[Iterable[Message], int]:
        view = await self._engine.execute(GetPortfolio(request.account_id, actor_of(context)))
        held = (valued for valued in view.positions if valued.position.quantity)
        shown = (valued for valued in held if request.symbol in ("", valued.position.symbol))
        return (_Fill(snapshot_position=position_message(valued)) for valued in shown), view.sequence


def _event_filter(request: order_stream_pb2.StreamOrderEventsRequest) -> Any:
    if not request.symbol and not request.strategy_id:
        return lambda event: True
    return lambda event: event.order is not None and _matches(request, event.order.terms)


def _fill_filter(request: order_stream_pb2.StreamFillsRequest) -> Any:
    return lambda event: event.type in _FILL_EVENTS and _matches(request, _fill_of(event))


def _matches(request: Any, it: OrderTerms | Fill) -> bool:
    return request.symbol in ("", it.symbol) and request.strategy_id in ("", it.strategy_id)


def _fill_of(event: Event) -> Fill:
    if event.fill is None:
        raise ValueError(f"{event.type.value} {event.sequence} of {event.account_id} has no fill")
    return event.fill
