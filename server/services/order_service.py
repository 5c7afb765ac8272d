"""OrderService: the RPCs of its parts, the session, and the brokers."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from application.ports.ids import IdGenerator
from application.trading.trading_engine import TradingEngine
from quantmesh.trading.v1 import broker_pb2
from server.interceptors.audit import Audit
from server.interceptors.handlers import Context
from server.interceptors.tracking import Lifecycle
from server.mapping.accounts import broker_message
from server.mapping.common import actor_of
from server.services.order_commands import OrderCommands
from server.services.order_lists import OrderLists
from server.services.order_session import OrderSession, Requests
from server.services.order_streams import OrderStreams
from server.services.session_commands import OutOfPlace
from server.streams import unless_stopping


class OrderService(OrderCommands, OrderLists, OrderStreams):
    """RPCs of quantmesh.trading.v1.OrderService."""

    def __init__(self, engine: TradingEngine, ids: IdGenerator, lifecycle: Lifecycle, audit: Audit) -> None:
        OrderCommands.__init__(self, engine)
        OrderLists.__init__(self, engine)
        OrderStreams.__init__(self, engine, lifecycle)
        self._ids = ids
        self._audit = audit

    async def OrderSession(self, requests: Requests, context: Context) -> AsyncIterator[Any]:
        first = await unless_stopping(anext(requests, None), self._lifecycle)
        if first is not None and first.error is not None:
            raise first.error
        if first is None or first.message.WhichOneof("command") != "open":
            raise OutOfPlace("command", "the first message must be `open`")
        actor, session_id = actor_of(context), self._ids.new_id()
        session = OrderSession(
            self._engine, self._lifecycle, first.message, actor, session_id, context.peer(), self._audit
        )
        try:
            async with aclosing(session.responses(requests)) as responses:  # type: ignore[type-var]  # a generator
                async for response in responses:
                    yield response
        finally:
            session.ended()

    async def ListBrokers(
        self, request: broker_pb2.ListBrokersRequest, context: Context
    ) -> broker_pb2.ListBrokersResponse:
        brokers = sorted(self._engine.brokers.values(), key=lambda broker: broker.name)
        return broker_pb2.ListBrokersResponse(brokers=map(broker_message, brokers))
