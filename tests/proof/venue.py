"""A venue outside of the server: it outlives every crash, and does only what it is told to, late and twice if need be.

`Connection` is one server's way to it. Everything that a server hands over is looked at as it leaves.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from application.ports.broker import BrokerUnavailable
from application.ports.clock import Clock
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import Side
from tests.support.trading import ABLE_TO_ALL, SetQuotes

X = ExecType
ZERO = Decimal(0)


@dataclass
class Ticket:
    """An order as the venue has it. `reports`: all that ever was to be said about it. `asked`: a pending replace."""

    order: Order
    quantity: Decimal
    limit: Decimal | None
    filled: Decimal = ZERO
    live: bool = True
    acknowledged: bool = False
    cancel_asked: bool = False
    asked: tuple[OrderTerms, int] | None = None
    reports: list[ExecutionReport] = field(default_factory=list)

    @property
    def left(self) -> Decimal:
        return self.quantity - self.filled if self.live else ZERO


class Venue:
    """`leaving(verb, order, terms)` is called for whatever a server hands over. While `deaf`, that gets lost on the
    way; while `mute`, it cannot be asked. `late` holds reports on their way, `told` those that have come.
    """

    def __init__(self, clock: Clock, quotes: SetQuotes) -> None:
        self.tickets: dict[str, Ticket] = {}
        self.late: list[ExecutionReport] = []
        self.told: list[ExecutionReport] = []
        self.executions: dict[str, ExecutionReport] = {}
        self.held: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        self.handed = 0
        self.deaf = self.mute = False
        self.leaving: Callable[[str, Order, OrderTerms | None], None] = lambda verb, order, terms: None
        self.connection: Connection | None = None
        self._clock = clock
        self._quotes = quotes

    def connect(self) -> "Connection":
        """A new server's connection; that of the old one is dead."""
        self.connection = Connection(self)
        return self.connection

    # -- what it does when told to --------------------------------------------------------------------

    def acknowledge(self, ticket: Ticket, late: bool) -> None:
        if not ticket.acknowledged:
            ticket.acknowledged = True
            self._say(ticket, X.NEW, late)

    def fill(self, ticket: Ticket, quantity: Decimal, late: bool) -> None:
        """As much of it as is left; what only reduces never turns the position round."""
        order = ticket.order
        key = order.account_id, order.terms.symbol
        sign = 1 if order.terms.side is Side.BUY else -1
        most = min(ticket.left, max(ZERO, -sign * self.held[key])) if order.terms.reduce_only else ticket.left
        quantity = min(quantity, most)
        if quantity <= ZERO:
            return
        quote = self._quotes.latest(order.terms.symbol)
        assert quote is not None
        price = quote.ask_price if sign > 0 else quote.bid_price
        if ticket.limit is not None:
            price = min(price, ticket.limit) if sign > 0 else max(price, ticket.limit)
        ticket.filled += quantity
        ticket.acknowledged = True
        if ticket.filled == ticket.quantity:
            ticket.live = False
        self.held[key] += sign * quantity
        id = f"trade-{len(self.executions) + 1}"
        report = self._say(ticket, X.TRADE, late, execution_id=id, quantity=quantity, price=price)
        self.executions[id] = report

    def end(self, ticket: Ticket, type: ExecType, late: bool) -> None:
        if ticket.live:
            ticket.live = ticket.cancel_asked = False
            self._say(ticket, type, late)

    def answer_cancel(self, ticket: Ticket, agrees: bool, late: bool) -> None:
        if ticket.cancel_asked:
            ticket.cancel_asked = False
            if agrees and ticket.live:
                self.end(ticket, X.CANCELED, late)
            else:
                self._say(ticket, X.CANCEL_REJECTED, late)

    def answer_replace(self, ticket: Ticket, agrees: bool, late: bool) -> None:
        if ticket.asked is None:
            return
        (terms, version), ticket.asked = ticket.asked, None
        if agrees and ticket.live and terms.quantity > ticket.filled:
            ticket.quantity, ticket.limit = terms.quantity, terms.limit_price
            self._say(ticket, X.REPLACED, late, request_version=version)
        else:
            self._say(ticket, X.REPLACE_REJECTED, late, request_version=version)

    # -- what is on its way ---------------------------------------------------------------------------

    def _say(self, ticket: Ticket, type: ExecType, late: bool, **details: Any) -> ExecutionReport:
        order = ticket.order
        report = ExecutionReport(order.account_id, order.order_id, type, self._clock.now(), **details)
        ticket.reports.append(report)
        self.late.append(report)
        if not late:
            self.deliver(len(self.late) - 1)
        return report

    def deliver(self, which: int) -> None:
        """One of the late reports comes now; it stays on its way while nobody listens."""
        if self.late and self.connection is not None and self.connection.listening:
            report = self.late.pop(which % len(self.late))
            self.told.append(report)
            self.connection.sink(report)

    def repeat(self, which: int) -> None:
        """One of the reports that have come comes again."""
        if self.told and self.connection is not None and self.connection.listening:
            self.connection.sink(self.told[which % len(self.told)])

    # -- what is handed to it -------------------------------------------------------------------------

    def take(self, verb: str, order: Order, terms: OrderTerms | None = None, version: int = 0) -> None:
        self.handed += 1
        self.leaving(verb, order, terms)
        if self.deaf:
            return
        if verb == "submit":
            self.tickets[order.order_id] = Ticket(order, order.terms.quantity, order.terms.limit_price)
            return
        ticket = self.tickets.get(order.order_id)
        if ticket is None:
            return
        if verb == "cancel":
            ticket.cancel_asked = True
        elif terms is not None:
            ticket.asked = terms, version

    def known_of(self, order_id: str) -> Sequence[ExecutionReport] | None:
        """Requests come in one after the other: whoever asks is told what became of a replace sent before."""
        if self.mute:
            raise BrokerUnavailable("the venue is mute")
        ticket = self.tickets.get(order_id)
        if ticket is None:
            return None
        self.answer_replace(ticket, agrees=True, late=True)
        self.acknowledge(ticket, late=True)
        return list(ticket.reports)


class Connection:
    """The Broker port of one server process."""

    name = "venue"
    capabilities = ABLE_TO_ALL

    def __init__(self, venue: Venue) -> None:
        self.sink: Callable[[ExecutionReport], None] = lambda report: None
        self.listening = False
        self._venue = venue

    @property
    def connected(self) -> bool:
        return self.listening

    async def start(self, sink: Callable[[ExecutionReport], None], working: Sequence[Order]) -> None:
        self.sink, self.listening = sink, True

    async def stop(self) -> None:
        self.listening = False

    def submit(self, order: Order) -> None:
        self._hand("submit", order)

    def replace(self, order: Order, terms: OrderTerms, request_version: int) -> None:
        self._hand("replace", order, terms, request_version)

    def cancel(self, order: Order) -> None:
        self._hand("cancel", order)

    def _hand(self, verb: str, order: Order, terms: OrderTerms | None = None, version: int = 0) -> None:
        if self._venue.connection is self:
            self._venue.take(verb, order, terms, version)

    async def find(self, order: Order) -> Sequence[ExecutionReport] | None:
        return self._venue.known_of(order.order_id)

    async def executions(self, account_id: str, since: datetime) -> Sequence[ExecutionReport]:
        if self._venue.mute:
            raise BrokerUnavailable("the venue is mute")
        executions = self._venue.executions.values()
        return [report for report in executions if report.account_id == account_id and report.time >= since]
