"""What was committed, kept as a store would keep it: the journal, and the read models that came with it."""

from decimal import Decimal

from application.ports.journal import AccountSnapshot, Batch
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.value_objects.money import Money


class Records:
    """The store of one account. Every batch must carry the next dense sequence numbers."""

    def __init__(self, opened: AccountSnapshot) -> None:
        self.opened = opened
        self.account = opened.account
        self.profile = opened.risk_profile
        self.events: list[Event] = []
        self.orders: dict[str, Order] = {}
        self.fills: dict[str, Fill] = {}
        self.positions: dict[str, Position] = {}
        self.cash: dict[str, Decimal] = {money.currency: money.amount for money in opened.cash}

    @property
    def sequence(self) -> int:
        return self.opened.sequence + len(self.events)

    def write(self, batch: Batch) -> None:
        for event in batch.events:
            assert event.sequence == self.sequence + 1, "sequences are dense"
            self.events.append(event)
        self.orders |= {order_id: order for (_, order_id), order in batch.orders.items()}
        self.fills |= {execution_id: fill for (_, execution_id), fill in batch.fills.items()}
        self.positions |= {symbol: position for (_, symbol), position in batch.positions.items()}
        self.cash |= {currency: money.amount for (_, currency), money in batch.cash.items()}
        self.profile = batch.risk_profiles.get(self.account.account_id, self.profile)

    def by_client_id(self, client_order_id: str) -> Order:
        return next(o for o in self.orders.values() if o.terms.client_order_id == client_order_id)

    def fills_of(self, order_id: str) -> list[Fill]:
        return [fill for fill in self.fills.values() if fill.order_id == order_id]

    def fills_of_symbol(self, symbol: str) -> list[Fill]:
        return sorted((f for f in self.fills.values() if f.symbol == symbol), key=lambda fill: fill.sequence)

    def snapshot(self) -> AccountSnapshot:
        """What a start reads: open orders and their groups, with their fills."""
        open_groups = {order.group_id for order in self.orders.values() if order.is_open and order.group_id}
        live = [order for order in self.orders.values() if order.is_open or order.group_id in open_groups]
        fills = [fill for order in live for fill in self.fills_of(order.order_id)]
        cash = [Money(amount, currency) for currency, amount in self.cash.items()]
        positions = list(self.positions.values())
        return AccountSnapshot(self.account, self.sequence, self.profile, cash, positions, live, fills)
