"""Requests that a broker has not answered, and how the truth about them is found.

Silence after a submission makes the order UNKNOWN. Then, as for a silent cancel or replace, the broker is
asked what it knows of the order until that is proven. Nothing is submitted a second time; the one thing that
is submitted late is an order that was accepted but of which a stopped server left no trace at the broker.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from application.ports.broker import Broker, BrokerUnavailable
from application.ports.clock import Clock
from application.trading.account_book import AccountBook
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Seconds. `answer_timeout`: silence that long makes a request unclear. `absence_proof`: how long the
    broker must keep saying that it does not know an order. `late_submission`: after an outage, an order older
    than this is cancelled instead of submitted.
    """

    answer_timeout: float = 5.0
    absence_proof: float = 2.0
    ask_interval: float = 0.5
    late_submission: float = 60.0


class _Due(NamedTuple):
    """When an order's request has been silent for too long, and which replace was asked for by then."""

    time: datetime
    order_id: str
    replace_version: int


_NEVER_ACKNOWLEDGED = frozenset({OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN})


class RequestWatch:
    """The unanswered requests of one account. `current` gives an order as it stands, `report` is the way in,
    `is_durable` says whether that is committed, and `may_leave` whether an order that was accepted may still go out.
    """

    def __init__(
        self,
        broker: Broker,
        clock: Clock,
        settings: WatchSettings,
        current: Callable[[str], Order | None],
        report: Callable[[ExecutionReport], None],
        is_durable: Callable[[Order], bool],
        may_leave: Callable[[Order], bool],
    ) -> None:
        self._broker = broker
        self._clock = clock
        self._settings = settings
        self._current = current
        self._report = report
        self._is_durable = is_durable
        self._may_leave = may_leave
        self._due: deque[_Due] = deque()
        self._newest: dict[str, _Due] = {}
        self._silent: dict[str, int] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._submitted: set[str] = set()

    def stop(self) -> None:
        for task in self._asking.values():
            task.cancel()

    def expect_answer(self, order: Order) -> None:
        """A request about `order`, as it now stands, goes to the broker."""
        time = self._clock.now() + timedelta(seconds=self._settings.answer_timeout)
        due = _Due(time, order.order_id, order.replace_version)
        self._due.append(due)
        self._newest[order.order_id] = due
        if order.state is OrderStatus.PENDING_NEW:
            self._submitted.add(order.order_id)

    def check(self) -> None:
        """Look at the requests whose time is up. Called now and then."""
        now = self._clock.now()
        while self._due and self._due[0].time <= now:
            due = self._due.popleft()
            order_id = due.order_id
            self._submitted.discard(order_id)
            is_newest = self._newest.get(order_id) is due
            if is_newest:
                del self._newest[order_id]
            order = self._current(order_id)
            if order is None or not _unanswered(order):
                continue
            if order.state is OrderStatus.PENDING_NEW:
                self._report(self._say(order, ExecType.UNCLEAR, "the broker did not answer in time"))
            elif not is_newest and order.state is not OrderStatus.UNKNOWN:
                continue  # about an earlier request; the present one has its own time
            if is_newest:
                self._silent[order_id] = due.replace_version
            self._ask(order_id)

    async def reconcile(self, order_id: str) -> None:
        """Take in what the broker knows of an order that works: repeats change nothing."""
        order = self._current(order_id)
        if order is None or not order.can_be_replaced:
            return
        with suppress(BrokerUnavailable):
            for report in await self._known_of(order) or ():
                self._report(report)

    def recover(self, book: AccountBook) -> None:
        """Take up what a restart or a failed commit has left open."""
        for order in book.open():
            if order.held:
                continue
            if order.state is OrderStatus.PENDING_NEW:
                if order.order_id not in self._submitted:
                    self._ask(order.order_id, submit_if_absent=True)
            elif _unanswered(order):
                self._silent[order.order_id] = order.replace_version
                self._ask(order.order_id)

    def _ask(self, order_id: str, submit_if_absent: bool = False) -> None:
        if order_id not in self._asking:
            task = asyncio.create_task(self._find_out(order_id, submit_if_absent), name=f"ask about {order_id}")
            self._asking[order_id] = task
            task.add_done_callback(lambda _: self._asked(order_id))

    def _asked(self, order_id: str) -> None:
        self._asking.pop(order_id, None)
        self._silent.pop(order_id, None)

    async def _find_out(self, order_id: str, submit_if_absent: bool) -> None:
        absent_since: datetime | None = None
        while (order := self._current(order_id)) is not None and _unanswered(order):
            try:
                known = await self._known_of(order)
            except BrokerUnavailable:
                await self._clock.sleep(self._settings.ask_interval)
                continue
            if known is not None:
                absent_since = None
                self._take_over(order, known)
            elif submit_if_absent and order.state is OrderStatus.PENDING_NEW and self._may_leave(order):
                self._submit_late(order)
                return
            else:
                absent_since = absent_since or self._clock.now()
                if self._clock.now() - absent_since >= timedelta(seconds=self._settings.absence_proof):
                    self._settle_absent(order)
            await self._clock.sleep(self._settings.ask_interval)

    async def _known_of(self, order: Order) -> Sequence[ExecutionReport] | None:
        """What the broker knows of the order; BrokerUnavailable too when it is silent, or its adapter at fault."""
        try:
            async with asyncio.timeout(self._settings.answer_timeout):
                return await self._broker.find(order)
        except BrokerUnavailable:
            raise
        except TimeoutError as silence:
            raise BrokerUnavailable(f"{self._broker.name} does not answer") from silence
        except Exception as fault:
            _log.exception("asking %s about order %s failed", self._broker.name, order.order_id)
            raise BrokerUnavailable(f"{self._broker.name} cannot be asked") from fault

    def _take_over(self, order: Order, known: Sequence[ExecutionReport]) -> None:
        for report in known:
            self._report(report)
        self._repeat_cancel(order)
        self._refuse_replace(order, "the broker works the order without the change")

    def _settle_absent(self, order: Order) -> None:
        """The broker proves that it does not have the order: it never came, or nothing can be asked about it."""
        if order.state in _NEVER_ACKNOWLEDGED:
            self._report(self._say(order, ExecType.ABSENT, "the broker never had the order"))
            return
        if order.cancel_pending:
            self._report(self._say(order, ExecType.CANCEL_REJECTED, "the broker does not know the order"))
        self._refuse_replace(order, "the broker does not know the order")

    def _refuse_replace(self, order: Order, why: str) -> None:
        # A replace that was sent just now, or is still being committed, has its time before it.
        if order.replace_terms is not None and self._silent.get(order.order_id) == order.replace_version:
            self._report(self._say(order, ExecType.REPLACE_REJECTED, why, order.replace_version))

    def _submit_late(self, order: Order) -> None:
        too_old = timedelta(seconds=self._settings.late_submission)
        if self._clock.now() - order.created_time > too_old or not self._broker.capabilities.unique_client_ids:
            self._report(self._say(order, ExecType.ABSENT, "not submitted before an outage, and too late now"))
            return
        self.expect_answer(order)
        self._broker.submit(order)
        self._repeat_cancel(order)

    def _repeat_cancel(self, order: Order) -> None:
        """What is not committed yet leaves when it is."""
        if order.cancel_pending and self._is_durable(order):
            self._broker.cancel(order)

    def _say(self, order: Order, type: ExecType, reason: str, request_version: int = 0) -> ExecutionReport:
        return ExecutionReport(
            order.account_id,
            order.order_id,
            type,
            self._clock.now(),
            reason=reason,
            request_version=request_version,
        )


def _unanswered(order: Order) -> bool:
    """Whether a broker owes an answer about the order."""
    if order.held:
        return False
    waits = order.cancel_pending or order.replace_terms is not None
    return waits or order.state in _NEVER_ACKNOWLEDGED
