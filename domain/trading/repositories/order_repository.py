"""Orders, fills and positions as stored: what was committed, for queries and for bringing things into memory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.value_objects.order_type import Side


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders; empty means any. The statuses are those that callers see."""

    symbol: str = ""
    side: Side | None = None
    statuses: frozenset[OrderStatus] = frozenset()
    strategy_id: str = ""
    group_id: str = ""
    open_only: bool = False
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class FillFilter:
    symbol: str = ""
    side: Side | None = None
    order_id: str = ""
    strategy_id: str = ""
    filled_from: datetime | None = None
    filled_before: datetime | None = None


class OrderRepository(Protocol):
    """Reads of committed state. Pages are keyset pages: they go on after a key, so inserts do not shift them."""

    async def accounts(self, after: str, limit: int) -> Sequence[Account]:
        """Accounts by id, those after `after`."""
        ...

    async def account(self, account_id: str) -> Account | None: ...

    async def order(self, account_id: str, order_id: str) -> Order | None: ...

    async def order_by_client_id(self, account_id: str, client_order_id: str) -> Order | None: ...

    async def orders(
        self, account_id: str, where: OrderFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Order]:
        """By `created_sequence`, from past `after` (None: from the end that is asked for) on."""
        ...

    async def fills(
        self, account_id: str, where: FillFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Fill]:
        """By `sequence`, from past `after` (None: from the end that is asked for) on, busted ones among them."""
        ...

    async def fills_of_orders(self, account_id: str, order_ids: Collection[str]) -> Sequence[Fill]: ...

    async def positions(self, account_id: str, after: str, limit: int) -> Sequence[Position]:
        """By symbol, those after `after`; flat ones are left out."""
        ...

    async def events(
        self, account_id: str, after: int, limit: int, order_id: str = "", until: int | None = None
    ) -> Sequence[Event]:
        """Journal records above sequence `after`, and up to and with `until`."""
        ...

    async def last_sequence(self, account_id: str) -> int:
        """The account's newest committed sequence, 0 when there is none."""
        ...
