"""OrderSession: many commands under way on one stream, each answered once and in their order.

Commands go to the account's writer as they are read; the writer decides in that order, so the answers only have
to be waited for one after the other. How a session ends decides what becomes of its orders: see the contract.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, NamedTuple

from application.trading.account_writer import AccountWriter
from application.trading.commands.cancel_orders_command import CanceledOrders, CancelOrders
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.placement import Placed
from application.trading.trading_engine import TradingEngine
from domain.errors import DomainError, InvalidArgument, Unavailable
from domain.trading.value_objects.order_type import CancelReason
from quantmesh.trading.v1 import order_session_pb2 as pb
from quantmesh.type.v1 import stream_pb2
from server.errors import InvalidRequest, status_of
from server.interceptors.handlers import Received
from server.interceptors.tracking import Lifecycle
from server.mapping.common import seconds_of, to_timestamp
from server.mapping.orders import order_message, order_terms
from server.mapping.placement import cancel_order, cancel_orders, cancel_results, replace_order

# What a caller may have under way; gRPC's flow control holds back the rest.
_MOST_UNDER_WAY: Final = 1_000
_ORDERS_BEFORE_PRUNING: Final = 10_000
_RETRY_SECONDS: Final = 0.2


class OutOfPlace(InvalidArgument):
    reason = "COMMAND_OUT_OF_PLACE"


class _Answer(NamedTuple):
    """What a command will be answered with: `ready`, or what `respond` makes of the outcome of `coming`."""

    command_id: str
    ready: pb.OrderSessionResponse | None = None
    coming: asyncio.Future[Any] | None = None
    respond: Callable[[Any], dict[str, Any]] = lambda outcome: {}


class OrderSession:
    """One session, from its open message on. `responses` is the stream; `end` must follow it, however it ended."""

    def __init__(
        self, engine: TradingEngine, lifecycle: Lifecycle, opening: pb.OrderSessionRequest, actor: str, session_id: str
    ) -> None:
        opened = opening.open
        self._engine = engine
        self._lifecycle = lifecycle
        self._actor = actor
        self._account_id = opened.account_id
        self._writer: AccountWriter = engine.writer(opened.account_id)
        self._lease = seconds_of(opened.lease) if opened.HasField("lease") else None
        self._guards = opened.cancel_on_disconnect
        self._placed: dict[str, None] = {}
        self._answers: deque[_Answer] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._lease_ran_out = False
        self._ended_well = False
        self._renew()
        session = pb.SessionOpened(
            session_id=session_id, sequence=self._writer.feed.last_sequence, lease_expire_time=self._lease_end()
        )
        self._answers.append(_ready(opening.command_id, opened=session))

    # -- the stream --------------------------------------------------------------------------------------

    async def responses(self, requests: AsyncIterator[Received[pb.OrderSessionRequest]]) -> AsyncIterator[Any]:
        """Every answer in turn, then what ends the session from this side, if anything does."""
        reading = asyncio.create_task(self._read(requests), name="reading of an order session")
        lease = self._watch_lease()
        with self._lifecycle.at_stop(self._changed.set):
            try:
                while True:
                    while self._answers:
                        yield await self._next_answer()
                    if self._lease_ran_out or self._lifecycle.stopping.is_set():
                        break
                    self._changed.clear()
                    await self._changed.wait()
            finally:
                reading.cancel()
                if lease is not None:
                    lease.cancel()
        yield await self._last_word()
        self._ended_well = True

    async def _read(self, requests: AsyncIterator[Received[pb.OrderSessionRequest]]) -> None:
        async for received in requests:
            if self._lease_ran_out or self._lifecycle.stopping.is_set():
                return
            self._renew()
            self._answers.append(self._begun(received))
            self._changed.set()
            while len(self._answers) >= _MOST_UNDER_WAY:
                self._room.clear()
                await self._room.wait()
                self._renew()

    async def _next_answer(self) -> pb.OrderSessionResponse:
        answer = self._answers[0]
        if answer.ready is None and answer.coming is not None:
            answer = _Answer(answer.command_id, await self._outcome(answer.command_id, answer.coming, answer.respond))
        self._answers.popleft()
        self._room.set()
        return answer.ready or pb.OrderSessionResponse(command_id=answer.command_id)

    async def _last_word(self) -> pb.OrderSessionResponse:
        if not self._lease_ran_out:
            goodbye = stream_pb2.Goodbye(sequence=self._writer.feed.last_sequence)
            return pb.OrderSessionResponse(goodbye=goodbye)
        expired = pb.LeaseExpired(sequence=self._writer.feed.last_sequence)
        if self._guards:
            canceled = await self._cancel(CancelReason.LEASE_EXPIRED)
            expired = pb.LeaseExpired(
                canceled_order_ids=[order.order_id for order in canceled.orders], sequence=canceled.sequence
            )
        return pb.OrderSessionResponse(lease_expired=expired)
