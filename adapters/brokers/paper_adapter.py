"""The paper broker: a simulated venue inside the process, behind the same port as a real one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from adapters.brokers.paper_agenda import Agenda
from adapters.brokers.paper_chance import Chance
from adapters.brokers.paper_faults import ReportLine
from adapters.brokers.paper_settings import PaperSettings
from adapters.brokers.paper_venue import PaperVenue
from application.ports.broker import BrokerCapabilities, BrokerUnavailable
from application.ports.clock import Clock, Timer
from application.ports.market_data import LatestQuotes
from domain.market_data.instrument import AssetClass
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecutionReport
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, TimeInForce

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Whatever falls due within this time shares one wake-up, so the cost of waking does not grow with the load.
_GRAIN: Final = timedelta(milliseconds=1)
_WORKING: Final = frozenset({OrderStatus.NEW, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})


class PaperBroker:
    """Deterministic: the same seed, quotes, and commands at the same times give the same fills.

    Each account has a line of its own to the venue, on which nothing overtakes. The venue lives as long as
    the process: after a restart it takes over the orders and positions that quantmesh believes in, and has
    never heard of an order that was not acknowledged.
    """

    name = "paper"
    capabilities = BrokerCapabilities(
        display_name="Paper trading",
        asset_classes=frozenset(AssetClass),
        order_types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        native_groups=frozenset(),
        fractional_quantities=True,
        replace=True,
        short_selling=True,
        unique_client_ids=True,
        lookup_by_client_id=True,
        post_only=True,
        reduce_only=True,
        simulated=True,
    )

    def __init__(self, clock: Clock, quotes: LatestQuotes, settings: PaperSettings) -> None:
        self._clock = clock
        self._quotes = quotes
        self._settings = settings
        self._chance = Chance(settings.seed)
        self._agenda = Agenda()
        line_back = ReportLine(settings, self._chance, self._agenda, self._deliver)
        self._venue = PaperVenue(clock.now(), quotes, settings, self._chance, line_back.publish)
        self._opened = self._venue.ledger.now
        self._latency = round(settings.latency_seconds * 1_000_000)
        self._jitter = round(settings.latency_jitter_seconds * 1_000_000)
        self._lines: dict[str, datetime] = {}
        self._arrived_until = datetime.min.replace(tzinfo=UTC)
        self._match_interval = timedelta(seconds=settings.match_interval_seconds)
        self._next_look: datetime | None = None
        self._timer: Timer | None = None
        self._rings_at: datetime | None = None
        self._ringing = False
        self._sink: Callable[[ExecutionReport], None] = lambda report: None
        self._connected = False
        self._missed: list[ExecutionReport] = []
        self._questions: set[asyncio.Future[Sequence[ExecutionReport] | None]] = set()
        self._refresh: asyncio.Task[None] | None = None

    # -- the connection -----------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self._connected

    def adopt_positions(self, account_id: str, positions: Mapping[str, Decimal]) -> None:
        """Start from these net positions by symbol, negative for short: reduce_only is held against them."""
        self._venue.ledger.adopt_positions(account_id, positions)

    async def start(self, sink: Callable[[ExecutionReport], None], working: Sequence[Order]) -> None:
        """Orders that were never acknowledged are not taken over: `find` says None to them."""
        self._sink = sink
        self._venue.ledger.now = self._clock.now()
        self.reconnect()
        for order in sorted(working, key=lambda order: (order.created_time, order.created_sequence)):
            known = self._venue.ledger.find(order.order_id)
            if known is not None:
                for report in known.reports:
                    self._deliver(report)
            elif order.state in _WORKING:
                self._adopt(order)

    def _adopt(self, order: Order) -> None:
        self._send(order, "adopt", self._venue.place, self._venue.adopt(order))
        if order.replace_terms is not None:
            self.replace(order, order.replace_terms, order.replace_version)
        if order.cancel_pending:
            self.cancel(order)

    async def stop(self) -> None:
        self.disconnect()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._rings_at = None
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.wait([self._refresh])

    def disconnect(self) -> None:
        """Cut the line: from now on commands get lost on their way, and nothing is reported."""
        self._connected = False
        for question in self._questions:
            if not question.done():
                question.set_exception(BrokerUnavailable("paper: the connection was lost"))
        self._questions.clear()

    def reconnect(self) -> None:
        """Mend the line; what the venue has reported meanwhile comes now."""
        self._connected = True
        missed, self._missed = self._missed, []
        for report in missed:
            self._deliver(report)
        self._ring_when_next_due()

    def _deliver(self, report: ExecutionReport) -> None:
        if self._connected:
            self._sink(report)
        else:
            self._missed.append(report)

    # -- commands -----------------------------------------------------------------------------------

    def submit(self, order: Order) -> None:
        self._send(order, "submit", self._venue.submit, order)

    def replace(self, order: Order, terms: OrderTerms, request_version: int) -> None:
        self._send(order, f"replace {request_version}", self._venue.replace, order, terms, request_version)

    def cancel(self, order: Order) -> None:
        self._send(order, "cancel", self._venue.cancel, order)

    async def find(self, order: Order) -> Sequence[ExecutionReport] | None:
        """Waits for what is still on its way from the account: only then absence is proven."""
        if not self._connected:
            raise BrokerUnavailable("paper: not connected")
        due = self._lines.get(order.account_id)
        if due is None or due <= self._arrived_until:
            return self._known_of(order)
        answer: asyncio.Future[Sequence[ExecutionReport] | None] = asyncio.get_running_loop().create_future()
        self._questions.add(answer)
        self._agenda.add(due, order.account_id, self._answer, order, answer)
        self._ring_by(due)
        return await answer

    async def executions(self, account_id: str, since: datetime) -> Sequence[ExecutionReport]:
        if not self._connected:
            raise BrokerUnavailable("paper: not connected")
        return self._venue.ledger.executions(account_id, since)

    def _answer(self, order: Order, answer: asyncio.Future[Sequence[ExecutionReport] | None]) -> None:
        self._questions.discard(answer)
        if answer.done():
            return
        try:
            answer.set_result(self._known_of(order))
        except BrokerUnavailable as unavailable:
            answer.set_exception(unavailable)

    def _known_of(self, order: Order) -> Sequence[ExecutionReport] | None:
        ledger = self._venue.ledger
        known = ledger.find(order.order_id)
        if known is not None:
            return tuple(known.reports)
        forgotten_until = ledger.forgotten_until
        if forgotten_until is not None and self._opened <= order.created_time <= forgotten_until:
            raise BrokerUnavailable("paper: orders of that time are forgotten")
        return None

    def _send(self, order: Order, what: str, action: Callable[..., None], *args: Any) -> None:
        if not self._connected:
            return
        account_id = order.account_id
        jitter = self._chance.below(self._jitter, account_id, order.terms.client_order_id, what)
        due = self._clock.now() + timedelta(microseconds=self._latency + jitter)
        line = self._lines.get(account_id)
        if line is not None and line > due:
            due = line
        if due <= self._arrived_until:
            due = self._arrived_until + timedelta.resolution
        self._lines[account_id] = due
        self._agenda.add(due, account_id, action, *args)
        self._ring_by(due)

    # -- time ---------------------------------------------------------------------------------------

    def _ring_by(self, due: datetime) -> None:
        """Have the one timer ring at `due`, or earlier."""
        if self._ringing or (self._rings_at is not None and self._rings_at <= due):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = due
        wait = (due - self._clock.now()).total_seconds()
        self._timer = self._clock.call_later(max(0.0, wait), self._ring)

    def _ring_when_next_due(self, earliest: datetime | None = None) -> None:
        dues = (self._agenda.next(), self._venue.ledger.deadlines.next(), self._next_look)
        due = min((due for due in dues if due is not None), default=None)
        if due is not None:
            self._ring_by(max(due, earliest) if earliest else due)

    def _ring(self) -> None:
        self._timer = self._rings_at = None
        self._ringing = True
        now = self._venue.ledger.now = self._clock.now()
        try:
            self._venue.keep_deadlines()
            self._agenda.run(now)
            self._arrived_until = now
            self._look(now)
        finally:
            self._ringing = False
            self._ring_when_next_due(now + _GRAIN)

    def _look(self, now: datetime) -> None:
        """Match what rests, on a grid of its own: since when it rests makes no difference.

        Anything that happens may have put an order to rest, so it is followed by a look.
        """
        resumes: datetime | None = now
        if self._next_look is not None and self._next_look <= now:
            self._refresh_quotes(self._venue.look())
            resumes = self._venue.resumes()
        self._next_look = None
        if resumes is not None and self._venue.ledger.has_open_orders:
            grid = _EPOCH + ((now - _EPOCH) // self._match_interval + 1) * self._match_interval
            self._next_look = max(grid, resumes)

    def _refresh_quotes(self, symbols: Sequence[str]) -> None:
        """Have quotes of `symbols` kept fresh, without waiting for them."""
        if symbols and (self._refresh is None or self._refresh.done()):
            ensured = self._quotes.ensure(symbols)
            self._refresh = asyncio.get_running_loop().create_task(ensured, name="quotes for resting orders")
