"""OrderSession: many commands under way on one stream, each answered once and in their order.

Commands go to the account's writer as they are read, and are decided in that order; so the answers only have to
be waited for one after the other. How a session ends decides what becomes of its orders: see the contract.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from application.audit import Call, current_call
from application.trading.command import Command
from application.trading.commands.cancel_orders_command import CanceledOrders, CancelOrders
from application.trading.placement import Placed
from application.trading.trading_engine import TradingEngine
from domain.errors import DomainError, Throttled, Unavailable
from domain.trading.value_objects.order_type import CancelReason
from quantmesh.trading.v1 import order_session_pb2 as pb
from quantmesh.type.v1 import stream_pb2
from server.interceptors.audit import SESSION, Audit, fault, is_settled, unless_abandoned
from server.interceptors.handlers import Received
from server.interceptors.tracking import Lifecycle
from server.mapping.common import seconds_of, to_timestamp
from server.services.session_commands import COMMANDS, OutOfPlace, error_of, explained

Requests = AsyncIterator[Received[pb.OrderSessionRequest]]

# What a caller may have under way; gRPC's flow control holds back the rest.
_MOST_UNDER_WAY: Final = 1_000
_PLACED_BEFORE_PRUNING: Final = 10_000
_RETRY_SECONDS: Final = 0.2


class _UnderWay(NamedTuple):
    """A command that was read: its answer, or where the account's decision will be. With both, the answer has to wait
    for the decision: that it is recorded.
    """

    command_id: str
    field: str | None
    ready: dict[str, Any] | None
    decision: asyncio.Future[Any] | None
    call: Call | None = None


class OrderSession:
    """One session, from its open message on. `ended` must be called once `responses` is left, however that was."""

    def __init__(
        self,
        engine: TradingEngine,
        lifecycle: Lifecycle,
        opening: pb.OrderSessionRequest,
        actor: str,
        session_id: str,
        peer: str,
        audit: Audit,
    ) -> None:
        self._engine = engine
        self._lifecycle = lifecycle
        self._audit = audit
        self._kinds = {field: audit.kind(SESSION, partial(explained, field=field)) for field in (*COMMANDS, None)}
        self._actor = actor
        self._peer = peer
        self._writer = engine.writer(opening.open.account_id)
        self._guards = opening.open.cancel_on_disconnect
        self._lease = seconds_of(opening.open.lease) if opening.open.HasField("lease") else None
        self._lease_until = 0.0
        self._lease_ran_out = False
        self._lease_timer: asyncio.TimerHandle | None = None
        self._under_way: deque[_UnderWay] = deque()
        self._placed: dict[str, None] = {}
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._said_last_word = False
        self._renew_lease()
        sequence, expires = self._writer.feed.last_sequence, self._lease_expires()
        opened = pb.SessionOpened(session_id=session_id, sequence=sequence, lease_expire_time=expires)
        self._under_way.append(_UnderWay(opening.command_id, "open", {"opened": opened}, None))
        self._changed.set()

    async def responses(self, requests: Requests) -> AsyncIterator[pb.OrderSessionResponse]:
        """Every answer in turn; then the last word, if it is this side that ends the session."""
        reading = asyncio.create_task(self._read(requests), name="reading of an order session")
        reading.add_done_callback(lambda _: self._changed.set())
        self._check_lease()
        try:
            with self._lifecycle.at_stop(self._changed.set):
                while not (self._lease_ran_out or self._lifecycle.stopping.is_set()):
                    await self._changed.wait()
                    self._changed.clear()
                    while self._under_way:
                        yield await self._next_answer()
                    if reading.done():
                        reading.result()
            await _cancelled(reading)
            while self._under_way:
                yield await self._next_answer()
            yield await self._last_word()
            self._said_last_word = True
        finally:
            await _cancelled(reading)
            if self._lease_timer is not None:
                self._lease_timer.cancel()

    def ended(self) -> None:
        """Without a last word the caller was cut off: then the session's orders go, if it was opened so."""
        decisions = [one.decision for one in self._under_way if one.decision is not None]
        if self._guards and not self._said_last_word and not self._lifecycle.stopping.is_set():
            self._lifecycle.finish(self._after_disconnect(decisions), "cancel on disconnect")
        for decision in decisions:
            decision.add_done_callback(lambda done: done.cancelled() or done.exception())

    # -- commands in, answers out ------------------------------------------------------------------------

    async def _read(self, requests: Requests) -> None:
        async for received in requests:
            self._renew_lease()
            self._under_way.append(self._begun(received))
            self._changed.set()
            while len(self._under_way) >= _MOST_UNDER_WAY:
                self._room.clear()
                await self._room.wait()
                self._renew_lease()

    def _begun(self, received: Received[pb.OrderSessionRequest]) -> _UnderWay:
        request = received.message
        field = request.WhichOneof("command")
        call = self._call(received, field)
        try:
            if received.error is not None:
                raise received.error
            if field == "open":
                raise OutOfPlace("open", "the session is open already")
            if field == "keep_alive":
                renewed = pb.LeaseRenewed(lease_expire_time=self._lease_expires())
                return _UnderWay(request.command_id, field, {"lease_renewed": renewed}, None)
            command = COMMANDS[field].command(self._writer.account_id, request, self._actor)
            decision = self._submitted(command, call)
        except DomainError as error:
            recorded = self._settled(call, error) if call else None
            return _UnderWay(request.command_id, field, {"error": error_of(error, field)}, recorded)
        if self._guards and field == "place":
            decision.add_done_callback(self._remember)
        return _UnderWay(request.command_id, field, None, decision, call)

    def _submitted(self, command: Command[Any], call: Call | None) -> asyncio.Future[Any]:
        token = current_call.set(call)
        try:
            return self._writer.submit(command)
        finally:
            current_call.reset(token)

    async def _next_answer(self) -> pb.OrderSessionResponse:
        command_id, field, ready, decision, call = self._under_way[0]
        if decision is not None:
            try:
                # Shielded: the account decides also for a caller that has gone, and `ended` wants to know what.
                outcome = decision.result() if decision.done() else await asyncio.shield(decision)
                ready = ready or COMMANDS[field].answer(outcome)
            except Exception as error:
                failure = error if isinstance(error, DomainError) else fault()
                if call is not None and not is_settled(call, failure):
                    await asyncio.gather(self._settled(call, failure), return_exceptions=True)
                if failure is not error:
                    raise
                ready = {"error": error_of(failure, field)}
        self._under_way.popleft()
        self._room.set()
        return pb.OrderSessionResponse(command_id=command_id, **(ready or {}))

    async def _last_word(self) -> pb.OrderSessionResponse:
        sequence = self._writer.feed.last_sequence
        if not self._lease_ran_out:
            return pb.OrderSessionResponse(goodbye=stream_pb2.Goodbye(sequence=sequence))
        canceled = CanceledOrders((), sequence)
        if self._guards:
            canceled = await self._cancel(CancelReason.LEASE_EXPIRED)
        order_ids = [order.order_id for order in canceled.orders]
        return pb.OrderSessionResponse(
            lease_expired=pb.LeaseExpired(canceled_order_ids=order_ids, sequence=canceled.sequence)
        )

    # -- the audit ---------------------------------------------------------------------------------------

    def _call(self, received: Received[pb.OrderSessionRequest], field: str | None) -> Call | None:
        """The call that a command is; None for what changes nothing."""
        if field not in self._kinds or (field is None and received.error is None):
            return None
        reason = getattr(getattr(received.message, field), "reason", "") if field else ""
        return Call(self._kinds[field], self._actor, self._peer, received.data, self._writer.account_id, reason)

    def _settled(self, call: Call, error: DomainError) -> asyncio.Future[Any]:
        """Done once it is recorded that the call was refused."""
        return unless_abandoned(self._audit.settle(call, error), self._lifecycle, "the record of a session's command")

    # -- the orders that were placed in it ---------------------------------------------------------------

    def _remember(self, decision: asyncio.Future[Placed]) -> None:
        if decision.cancelled() or decision.exception() is not None or decision.result().replayed:
            return
        self._placed[decision.result().order.order_id] = None
        if len(self._placed) > _PLACED_BEFORE_PRUNING:
            known = self._writer.book.orders
            self._placed = {i: None for i in self._placed if i in known and known[i].is_open}

    async def _after_disconnect(self, decisions: list[asyncio.Future[Any]]) -> None:
        await asyncio.gather(*decisions, return_exceptions=True)
        with suppress(Unavailable, Throttled):  # raised only once the server stops
            await self._cancel(CancelReason.DISCONNECTED)

    async def _cancel(self, reason: CancelReason) -> CanceledOrders:
        """Have a cancel recorded for each of the session's orders that is open, however often the store fails."""
        order_ids = frozenset(self._placed)
        command = CancelOrders(self._writer.account_id, self._actor, reason=reason, order_ids=order_ids)
        while True:
            try:
                return await self._engine.execute(command)
            except (Unavailable, Throttled):
                if self._lifecycle.stopping.is_set():
                    raise
                await asyncio.sleep(_RETRY_SECONDS)

    # -- the lease ---------------------------------------------------------------------------------------

    def _renew_lease(self) -> None:
        if self._lease is not None:
            self._lease_until = asyncio.get_running_loop().time() + self._lease

    def _lease_expires(self) -> Timestamp | None:
        if self._lease is None:
            return None
        now: datetime = self._engine.clock.now()
        return to_timestamp(now + timedelta(seconds=self._lease))

    def _check_lease(self) -> None:
        if self._lease is None:
            return
        if len(self._under_way) >= _MOST_UNDER_WAY:
            self._renew_lease()  # it is this side that does not read
        left = self._lease_until - asyncio.get_running_loop().time()
        if left > 0:
            self._lease_timer = asyncio.get_running_loop().call_later(left, self._check_lease)
        else:
            self._lease_ran_out = True
            self._changed.set()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
