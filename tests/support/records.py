"""What was committed to the in-process store, as a test wants to look at it."""

from collections.abc import Coroutine, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from adapters.persistence.memory import MemoryDatabase, MemoryJournal, MemoryOrderRepository
from application.ports.journal import AccountSnapshot, Batch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.money import Money

T = TypeVar("T")


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The answer of a coroutine that waits for nothing, as those of the in-process store do."""
    try:
        coroutine.send(None)
    except StopIteration as finished:
        answer: T = finished.value
        return answer
    raise AssertionError("it waits for something")


def opened(account: Account, profile: RiskProfile, cash: Sequence[Money]) -> Batch:
    """The first batch of an account."""
    account_id = account.account_id
    created = Event(account_id, 1, account.created_time, "user:test", EventType.ACCOUNT_CREATED, account=account)
    return Batch(
        events=[created],
        cash={(account_id, money.currency): money for money in cash},
        accounts={account_id: account},
        risk_profiles={account_id: profile},
    )


class Records:
    """One account in a store of its own: journal and read models as the port's in-process twin keeps them."""

    def __init__(self, first: Batch) -> None:
        self._database = MemoryDatabase()
        self.journal = MemoryJournal(self._database, reached=lambda point: None)
        self.store = MemoryOrderRepository(self._database)
        at_once(self.journal.take_over())
        self.account_id = first.events[0].account_id
        self.write(first)

    def write(self, batch: Batch) -> None:
        if batch:
            at_once(self.journal.append(batch))

    def snapshot(self) -> AccountSnapshot:
        snapshot = at_once(self.journal.load(self.account_id))
        assert snapshot is not None
        return snapshot

    @property
    def events(self) -> list[Event]:
        return self._database.events[self.account_id]

    @property
    def sequence(self) -> int:
        return len(self.events)

    @property
    def orders(self) -> dict[str, Order]:
        return {order_id: order for (_, order_id), order in self._database.state.orders.items()}

    @property
    def fills(self) -> dict[str, Fill]:
        """By execution id."""
        return {execution_id: fill for (_, execution_id), fill in self._database.state.fills.items()}

    @property
    def positions(self) -> dict[str, Position]:
        return {symbol: position for (_, symbol), position in self._database.state.positions.items()}

    @property
    def cash(self) -> dict[str, Decimal]:
        return {currency: money.amount for (_, currency), money in self._database.state.cash.items()}

    @property
    def profile(self) -> RiskProfile:
        return self._database.state.risk_profiles[self.account_id]

    def by_client_id(self, client_order_id: str) -> Order:
        order = at_once(self.store.order_by_client_id(self.account_id, client_order_id))
        assert order is not None, f"no order {client_order_id}"
        return order
