"""Batches as an account's writer hands them to the journal: dense sequence numbers, each change an event."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from adapters.persistence.store import Store
from application.ports.journal import AccountSnapshot, Batch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.money import Money
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side

START = datetime(2025, 6, 2, 14, 30, tzinfo=UTC)
D = Decimal


class Ledger:
    """One account. What is done to it gathers in `batch` until `take`; event n happens n seconds after START."""

    def __init__(self, account_id: str = "desk") -> None:
        self.account = Account(account_id, "paper", "USD", D("1000000"), START)
        self.account_id = account_id
        self.sequence = 0
        self.batch = Batch()

    def take(self) -> Batch:
        batch, self.batch = self.batch, Batch()
        return batch

    def opened(self) -> Batch:
        """The account's first batch."""
        self._record(EventType.ACCOUNT_CREATED, account=self.account)
        self.batch.accounts[self.account_id] = self.account
        self.batch.risk_profiles[self.account_id] = RiskProfile(self.account_id, max_order_quantity=D(500))
        self.batch.cash[self.account_id, "USD"] = Money(D("1000000"), "USD")
        return self.take()

    def place(self, client_order_id: str, *, group_id: str = "", **terms: Any) -> Order:
        """A market order to buy 10 ACME unless `terms` says otherwise."""
        asked: dict[str, Any] = {
            "symbol": "ACME",
            "side": Side.BUY,
            "quantity": D(10),
            "type": OrderType.MARKET,
        } | terms
        order_terms = OrderTerms(client_order_id=client_order_id, **asked)
        order = Order(
            order_id=f"{self.account_id}-{self.sequence + 1:06}",
            account_id=self.account_id,
            terms=order_terms,
            initial_quantity=order_terms.quantity,
            broker="paper",
            currency="USD",
            created_time=self._time(self.sequence + 1),
            updated_time=self._time(self.sequence + 1),
            created_sequence=self.sequence + 1,
            sequence=self.sequence + 1,
            group_id=group_id,
        )
        return self._changed(EventType.ORDER_PLACED, order)

    def change(self, order: Order, type: EventType = EventType.ORDER_ACCEPTED, **changes: Any) -> Order:
        """The order after `changes`, accepted unless `type` says otherwise."""
        changes = changes or {"state": OrderStatus.NEW}
        return self._changed(type, order.changed(self._time(self.sequence + 1), self.sequence + 1, **changes))

    def cancel(self, order: Order) -> Order:
        return self.change(order, EventType.ORDER_CANCELED, state=OrderStatus.CANCELED)

    def fill(self, order: Order, execution_id: str, quantity: int = 1) -> Fill:
        """Part of the order filled at 50, and the position that follows."""
        sequence = self.sequence + 1
        fill = Fill(
            fill_id=f"fill-{sequence}",
            execution_id=execution_id,
            order_id=order.order_id,
            client_order_id=order.terms.client_order_id,
            account_id=self.account_id,
            symbol=order.terms.symbol,
            side=order.terms.side,
            quantity=D(quantity),
            price=D(50),
            currency="USD",
            fee=D("0.25"),
            fee_currency="USD",
            liquidity=None,
            strategy_id=order.terms.strategy_id,
            fill_time=self._time(sequence),
            sequence=sequence,
        )
        after = order.changed(self._time(sequence), sequence, state=OrderStatus.PARTIALLY_FILLED)
        self._changed(EventType.ORDER_FILLED, after, fill=fill)
        self.batch.fills[self.account_id, execution_id] = fill
        return fill

    def bust(self, fill: Fill) -> Fill:
        busted = replace(fill, busted=True)
        self._record(EventType.FILL_BUSTED, fill=busted)
        self.batch.fills[self.account_id, fill.execution_id] = busted
        return busted

    def hold(self, symbol: str, quantity: int) -> Position:
        position = Position(self.account_id, symbol, "USD", D(quantity), D(50), D("1.5"), D("0.25"), self.sequence)
        self.batch.positions[self.account_id, symbol] = position
        return position

    def _changed(self, type: EventType, order: Order, **more: Any) -> Order:
        self._record(type, order=order, **more)
        self.batch.orders[self.account_id, order.order_id] = order
        return order

    def _record(self, type: EventType, **more: Any) -> None:
        self.sequence += 1
        time = self._time(self.sequence)
        self.batch.events.append(Event(self.account_id, self.sequence, time, "user:test", type, **more))

    @staticmethod
    def _time(sequence: int) -> datetime:
        return START + timedelta(seconds=sequence)


class FailingAt:
    """Crash points, one of which fails the append when it is set to `point`: once."""

    def __init__(self) -> None:
        self.point = ""

    def __call__(self, reached: str) -> None:
        if reached == self.point:
            self.point = ""
            raise OSError(f"failed by the test at {reached}")


async def loaded(store: Store, account_id: str = "desk") -> AccountSnapshot:
    """The account as a start reads it."""
    snapshot = await store.journal.load(account_id)
    assert snapshot is not None
    return snapshot


async def events(store: Store, account_id: str = "desk") -> list[Event]:
    """Everything that was journaled."""
    return list(await store.orders.events(account_id, 0, 10_000))
