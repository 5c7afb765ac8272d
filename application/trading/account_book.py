"""One account in memory: its live orders, portfolio and limits, and what the present command has changed.

Only the account's writer touches a book. A change is recorded as an event with the next sequence number,
applied to memory at once, and collected for the journal; nothing of it leaves before the commit.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from application.ports.broker import Broker
from application.ports.ids import IdGenerator
from application.ports.journal import AccountSnapshot, Batch
from application.ports.market_data import LatestQuotes
from application.risk.controls import Controls
from application.trading.look_alikes import LookAlikes
from application.trading.resting_orders import STOPS, RestingOrders
from application.trading.valuation import Valuation
from domain.decimals import ZERO
from domain.risk.aggregates.risk_profile import RiskProfile, applied
from domain.risk.aggregates.risk_state import RiskState, bucket_key
from domain.risk.services.margin import OpenOrders, worst_while_pending
from domain.risk.value_objects.limits import RateLimit
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.aggregates.portfolio import Portfolio
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.execution_report import ExecutionReport
from domain.trading.value_objects.money import Money
from domain.trading.value_objects.order_type import Side

SYSTEM = "system"

# A call to the broker with its arguments, of which the first is the order: made after the commit.
Outbound = tuple[Any, ...]

_RECENT_CLOSED_ORDERS = 2_000


class AccountBook:
    """The single writer's working memory of one account.

    `orders` holds the open orders and the recently closed ones; `placements` the event of each order that
    was placed or looked up, by client order id, which is what makes an answer repeatable. `fills` holds the
    executions of the orders in memory, by execution id. `early` keeps busts and corrections that came before
    their trade, by order id and the trade's execution id. `open_count` counts the open orders; `waiting_for` lists,
    by the order that must end first, those that go out then.
    """

    def __init__(
        self, snapshot: AccountSnapshot, broker: Broker, quotes: LatestQuotes, ids: IdGenerator, controls: Controls
    ) -> None:
        self.account: Account = snapshot.account
        self.profile: RiskProfile = snapshot.risk_profile
        self.risk_state: RiskState = snapshot.risk_state
        self.controls = controls
        self.portfolio = Portfolio(snapshot.account.account_id, snapshot.cash, snapshot.positions)
        self.sequence = snapshot.sequence
        self.committed = snapshot.sequence
        self.broker = broker
        self.quotes = quotes
        self.ids = ids
        self.valuation = Valuation(snapshot.account.base_currency, quotes)
        self.orders: dict[str, Order] = {}
        self.client_ids: dict[str, str] = {}
        self.placements: dict[str, Event] = {}
        self.fills: dict[str, dict[str, Fill]] = {}
        self.symbol_fills: dict[str, list[Fill]] = {}
        self.early: dict[tuple[str, str], ExecutionReport] = {}
        self.executions: set[str] = set()
        self.groups: dict[str, list[str]] = {}
        self.open_orders: dict[str, OpenOrders] = {}
        self.open_count = 0
        self.resting = RestingOrders()
        self.look_alikes = LookAlikes()
        self.waiting_for: dict[str, list[str]] = {}
        self._limits = self.profile
        self._limits_of: tuple[RiskProfile, RiskProfile] | None = None
        self.batch = Batch()
        self.outbound: list[Outbound] = []
        self.now: datetime = snapshot.account.created_time
        self.actor = SYSTEM
        self._closed: dict[str, None] = {}
        for order in snapshot.orders:
            self.remember(order)
        for fill in snapshot.fills:
            self.remember_fill(fill)

    @property
    def account_id(self) -> str:
        return self.account.account_id

    @property
    def limits(self) -> RiskProfile:
        """The limits that are applied: the account's own and the firm's, whichever is stricter."""
        of = self._limits_of
        if of is None or of[0] is not self.profile or of[1] is not self.controls.firm:
            self._limits_of = self.profile, self.controls.firm
            self._limits = applied(self.profile, self.controls.firm)
        return self._limits

    def take_token(self, rule: str, limit: RateLimit | None, strategy_id: str = "") -> None:
        """One more of what the rule counts has happened."""
        if limit is not None:
            self.keep_risk_state(self.risk_state.taken(bucket_key(rule, strategy_id), limit, self.now))

    def keep_risk_state(self, state: RiskState) -> None:
        """From now on, and after the commit in the store, the rules remember this."""
        self.risk_state = state
        self.batch.risk_states[self.account_id] = state

    # -- memory -------------------------------------------------------------------------------------

    def remember(self, order: Order) -> None:
        """Take an order into memory as it is stored; nothing is recorded."""
        if order.order_id not in self.orders:
            self._put(order)

    def remember_fill(self, fill: Fill) -> None:
        self.fills.setdefault(fill.order_id, {}).setdefault(fill.execution_id, fill)
        self.executions.add(fill.execution_id)

    def forget_closed(self) -> None:
        """Let go of the oldest closed orders, once all that happened to them is committed."""
        while len(self._closed) > _RECENT_CLOSED_ORDERS:
            order = self.orders[next(iter(self._closed))]
            members = self.group(order.group_id) or [order]
            if any(member.sequence > self.committed for member in members):
                return
            for member in members:
                self._forget(member)
            self.groups.pop(order.group_id, None)

    def _forget(self, order: Order) -> None:
        del self._closed[order.order_id], self.orders[order.order_id]
        self.executions.difference_update(self.fills.pop(order.order_id, ()))
        self.client_ids.pop(order.terms.client_order_id, None)
        self.placements.pop(order.terms.client_order_id, None)

    def find(self, order_id: str, client_order_id: str) -> Order | None:
        return self.orders.get(order_id or self.client_ids.get(client_order_id, ""))

    def group(self, group_id: str) -> list[Order]:
        """The group's members in the order they were placed; empty for no group."""
        members = [self.orders[member] for member in self.groups.get(group_id, ())]
        members.sort(key=lambda member: member.created_sequence)
        return members

    def open(self) -> Iterator[Order]:
        return (order for order in list(self.orders.values()) if order.is_open)

    # -- recording ----------------------------------------------------------------------------------

    def record(self, type: EventType, order: Order | None = None, **details: Any) -> Event:
        """Append the next event. `order` already carries this event's sequence (see `next_sequence`)."""
        self.sequence += 1
        event = Event(self.account_id, self.sequence, self.now, self.actor, type, order, **details)
        self.batch.events.append(event)
        if order is not None:
            self.batch.orders[self.account_id, order.order_id] = order
            self._put(order)
        return event

    @property
    def next_sequence(self) -> int:
        return self.sequence + 1

    def place(self, order: Order, type: EventType, **details: Any) -> Event:
        """Record an order that is new, accepted or refused."""
        event = self.record(type, order, **details)
        self.placements[order.terms.client_order_id] = event
        if type is EventType.ORDER_PLACED:
            self.look_alikes.add(order)
            self.take_token("ORDER_RATE", self.limits.order_rate)
        return event

    def change(self, order: Order, type: EventType, changes: dict[str, Any], **details: Any) -> Order:
        """Record that `order` changed."""
        after = order.changed(self.now, self.next_sequence, **changes)
        if after.terms is not order.terms or after.state is OrderStatus.REJECTED:
            self.look_alikes.change(after)
        self.record(type, after, **details)
        return after

    def book_fill(self, fill: Fill) -> None:
        """Take a new fill into portfolio and batch. The event that carries it is recorded by the caller next."""
        self.remember_fill(fill)
        if fill.symbol in self.symbol_fills:
            self.symbol_fills[fill.symbol].append(fill)
        self.portfolio.book(fill, fill.sequence)
        self._portfolio_changed(fill)

    def rebook_fill(self, removed: Fill, added: Fill | None, sequence: int) -> None:
        """Take `removed` out and `added` in for it. `symbol_fills` of its symbol must be in memory."""
        history = self.symbol_fills[removed.symbol]
        at = next(i for i, fill in enumerate(history) if fill.execution_id == removed.execution_id)
        history[at : at + 1] = [added] if added else []
        for fill in (removed, added):
            if fill is not None:
                self.fills.setdefault(fill.order_id, {})[fill.execution_id] = fill
                self.batch.fills[self.account_id, fill.execution_id] = fill
        self.portfolio.rebook(removed, added, history, sequence)
        self._portfolio_changed(added or removed)

    def _portfolio_changed(self, fill: Fill) -> None:
        self.batch.fills[self.account_id, fill.execution_id] = fill
        self.batch.positions[self.account_id, fill.symbol] = self.portfolio.positions[fill.symbol]
        for currency in {fill.currency, fill.fee_currency} & self.portfolio.cash.keys():
            self.batch.cash[self.account_id, currency] = Money(self.portfolio.cash[currency], currency)

    def take(self) -> tuple[Batch, list[Outbound]]:
        """What was recorded since the last take: for the journal, and for the broker after the commit."""
        taken = self.batch, self.outbound
        self.batch, self.outbound = Batch(), []
        return taken

    @contextmanager
    def supposing(self) -> Iterator[Callable[[Order], None]]:
        """Within it, the orders given to the yielded function count as placed; after it, as if they never were."""
        state, rate = self.risk_state, self.limits.order_rate
        supposed: list[Order] = []

        def suppose(order: Order) -> None:
            supposed.append(order)
            self._count(order, 1)
            self.open_count += 1
            self.resting.keep(order)
            self.look_alikes.add(order)
            if rate is not None:
                self.risk_state = self.risk_state.taken("ORDER_RATE", rate, self.now)

        try:
            yield suppose
        finally:
            self.risk_state = state
            self.open_count -= len(supposed)
            for order in reversed(supposed):
                self._count(order, -1)
                self.resting.drop(order)
                self.look_alikes.remove(order)

    # -- the open quantity, kept by symbol ----------------------------------------------------------

    def _put(self, order: Order) -> None:
        before = self.orders.get(order.order_id)
        if before is None:
            self.client_ids[order.terms.client_order_id] = order.order_id
            if order.group_id:
                self.groups.setdefault(order.group_id, []).append(order.order_id)
        self.orders[order.order_id] = order
        if before is None or not _counts_alike(before, order):
            self._keep_open(before, order)
            self._count(before, -1)
            self._count(order, 1)
        elif order.terms.type in STOPS:
            self.resting.keep(order)  # it may have triggered
        if order.group_id:
            self._keep_group(order.group_id)
        elif not order.is_open:
            self._closed[order.order_id] = None
        elif before is not None and not before.is_open:
            self._closed.pop(order.order_id, None)

    def _keep_open(self, before: Order | None, order: Order) -> None:
        self.open_count += order.is_open - (before is not None and before.is_open)
        self.resting.keep(order)
        if order.waits_for and order.held:
            waiting = self.waiting_for.setdefault(order.waits_for, [])
            if order.order_id not in waiting:
                waiting.append(order.order_id)

    def _keep_group(self, group_id: str) -> None:
        """A group's members stay in memory together, until all of them have closed."""
        members = self.group(group_id)
        if any(member.is_open for member in members):
            for member in members:
                self._closed.pop(member.order_id, None)
        else:
            self._closed.update((member.order_id, None) for member in members)

    def _count(self, order: Order | None, sign: int) -> None:
        if order is None or not order.is_open or order.awaits_position:
            return
        quantity, notional = open_amount(order)
        if not quantity:
            return
        symbol = order.terms.symbol
        waiting = self.open_orders.get(symbol)
        if waiting is None:
            waiting = self.open_orders[symbol] = OpenOrders(order.currency)
        if sign < 0:
            quantity, notional = -quantity, -notional
        count(waiting, order, quantity, notional)
        if waiting.is_empty:
            del self.open_orders[symbol]


def count(waiting: OpenOrders, order: Order, quantity: Decimal, notional: Decimal) -> None:
    """Add the order's open amount to those of its symbol; below zero to take it out."""
    if order.terms.side is Side.BUY:
        if order.terms.reduce_only:
            waiting.buy_reducing += quantity
            waiting.buy_reducing_notional += notional
        else:
            waiting.buy_quantity += quantity
            waiting.buy_notional += notional
    elif order.terms.reduce_only:
        waiting.sell_reducing += quantity
        waiting.sell_reducing_notional += notional
    else:
        waiting.sell_quantity += quantity
        waiting.sell_notional += notional


def open_amount(order: Order) -> tuple[Decimal, Decimal]:
    """The quantity and notional that an open order could still trade, at worst. A child follows its parent's fills, up
    to what it was checked with, so that counts from the start.
    """
    asked = order.terms.quantity
    if order.parent_order_id:
        asked = max(asked, order.initial_quantity)
    left = max(ZERO, asked - order.filled_quantity)
    if order.replace_terms is None:
        return left, left * order.reserve_price
    new_left = max(ZERO, order.replace_terms.quantity - order.filled_quantity)
    notional = worst_while_pending(left, order.reserve_price, new_left, order.replace_price)
    return max(left, new_left), notional


def _counts_alike(before: Order, after: Order) -> bool:
    """Whether nothing that exposure and self-matches look at has changed, as at most reports."""
    return (
        before.terms is after.terms
        and before.filled_quantity is after.filled_quantity
        and before.replace_terms is after.replace_terms
        and before.reserve_price is after.reserve_price
        and before.is_open == after.is_open
        and before.held == after.held
        and before.waits_for == after.waits_for
    )
