"""The store's in-process twin: it keeps the same promises, and ends with the process."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields as fields_of
from typing import Any, Final, TypeVar

from adapters.persistence.database import CrashPoints
from adapters.persistence.sequences import following
from application.ports.audit import AuditFilter
from application.ports.journal import AccountSnapshot, Batch, Control, Fenced, JournalUnavailable
from application.risk.controls import in_force
from domain.risk.aggregates.audit_record import AuditRecord
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.repositories.order_repository import FillFilter, OrderFilter

T = TypeVar("T")


class MemoryDatabase:
    """What the stores of one process may share. All in it are values, so nothing is copied."""

    def __init__(self) -> None:
        self.epoch = 0
        self.state = Batch()
        self.last: dict[str, int] = {}
        self.order_ids: dict[tuple[str, str], str] = {}
        self.bookings: dict[tuple[str, int], str] = {}
        self.audit: dict[str, AuditRecord] = {}
        self.events: defaultdict[str, list[Event]] = defaultdict(list)

    def commit(self, batch: Batch) -> None:
        last = following(self.last, batch.events)
        order_ids, bookings = self._order_ids(batch), self._bookings(batch)
        self.last |= last
        self.order_ids |= order_ids
        self.bookings |= bookings
        for event in batch.events:
            self.events[event.account_id].append(event)
        for record in batch.audit:
            self.audit.setdefault(record.audit_record_id, record)
        self.state.merge(batch)

    def _order_ids(self, batch: Batch) -> dict[tuple[str, str], str]:
        """The batch's orders by the callers' ids, which are unique for ever."""
        order_ids: dict[tuple[str, str], str] = {}
        for (account_id, order_id), order in batch.orders.items():
            key = account_id, order.terms.client_order_id
            if order_ids.setdefault(key, self.order_ids.get(key, order_id)) != order_id:
                raise ValueError(f"client_order_id {key} belongs to another order")
        return order_ids

    def _bookings(self, batch: Batch) -> dict[tuple[str, int], str]:
        """The batch's executions by their events: an event books one, and it is booked by no other."""
        bookings: dict[tuple[str, int], str] = {}
        for (account_id, execution_id), fill in batch.fills.items():
            key = account_id, fill.sequence
            known = self.state.fills.get((account_id, execution_id), fill)
            booked = bookings.setdefault(key, self.bookings.get(key, execution_id))
            if known.sequence != fill.sequence or booked != execution_id:
                raise ValueError(f"execution {execution_id} of {account_id} is booked by another event")
        return bookings


class MemoryOrderRepository:
    """The OrderRepository port, and the reads that the journal has besides."""

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self._state = database.state

    async def accounts(self, after: str, limit: int) -> Sequence[Account]:
        later = sorted(key for key in self._state.accounts if key > after)
        return [self._state.accounts[key] for key in later[:limit]]

    async def account(self, account_id: str) -> Account | None:
        return self._state.accounts.get(account_id)

    async def order(self, account_id: str, order_id: str) -> Order | None:
        return self._state.orders.get((account_id, order_id))

    async def order_by_client_id(self, account_id: str, client_order_id: str) -> Order | None:
        order_id = self._database.order_ids.get((account_id, client_order_id), "")
        return await self.order(account_id, order_id)

    async def orders_by_client_id(self, account_id: str, client_order_ids: Collection[str]) -> Sequence[Order]:
        found = [await self.order_by_client_id(account_id, item) for item in dict.fromkeys(client_order_ids)]
        return [order for order in found if order is not None]

    async def orders_by_id(self, account_id: str, order_ids: Collection[str]) -> Sequence[Order]:
        found = [await self.order(account_id, item) for item in dict.fromkeys(order_ids)]
        return [order for order in found if order is not None]

    async def orders(
        self, account_id: str, where: OrderFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Order]:
        wanted = (o for o in _of(account_id, self._state.orders) if matches(o, where, _ORDER_CONDITIONS))
        return _page(wanted, lambda order: order.created_sequence, after, limit, newest_first)

    async def fills(
        self, account_id: str, where: FillFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Fill]:
        wanted = (f for f in _of(account_id, self._state.fills) if matches(f, where, _FILL_CONDITIONS))
        return _page(wanted, _booked, after, limit, newest_first)

    async def known_executions(self, account_id: str, execution_ids: Collection[str]) -> Collection[str]:
        return [id for id in execution_ids if (account_id, id) in self._state.fills]

    async def fills_of_orders(self, account_id: str, order_ids: Collection[str]) -> Sequence[Fill]:
        found = (fill for fill in _of(account_id, self._state.fills) if fill.order_id in order_ids)
        return sorted(found, key=_booked)

    async def fills_of_symbol(self, account_id: str, symbol: str) -> Sequence[Fill]:
        found = (f for f in _of(account_id, self._state.fills) if f.symbol == symbol and not f.busted)
        return sorted(found, key=_booked)

    async def positions(self, account_id: str, after: str, limit: int) -> Sequence[Position]:
        held = (p for p in _of(account_id, self._state.positions) if p.quantity and p.symbol > after)
        return sorted(held, key=lambda position: position.symbol)[:limit]

    async def events(
        self, account_id: str, after: int, limit: int, order_id: str = "", until: int | None = None
    ) -> Sequence[Event]:
        recorded = self._database.events[account_id][after:until]
        if order_id:
            recorded = [event for event in recorded if event.order and event.order.order_id == order_id]
        return recorded[:limit]

    async def last_sequence(self, account_id: str) -> int:
        return self._database.last.get(account_id, 0)


class MemoryJournal(MemoryOrderRepository):
    """The Journal port."""

    def __init__(self, database: MemoryDatabase, reached: CrashPoints) -> None:
        super().__init__(database)
        self._reached = reached
        self._epoch: int | None = None

    async def take_over(self) -> int:
        self._database.epoch += 1
        self._epoch = self._database.epoch
        return self._epoch

    async def append(self, batch: Batch) -> None:
        try:
            self._transaction(batch)
        except Fenced:
            raise
        except Exception as error:
            raise JournalUnavailable("the transaction failed, or its outcome is unknown") from error

    def _transaction(self, batch: Batch) -> None:
        reached = self._reached
        reached("journal_begin")
        reached("journal_begin_done")
        if self._epoch != self._database.epoch:
            raise Fenced
        reached("journal_insert")
        reached("journal_insert_done")
        reached("journal_commit")
        self._database.commit(batch)
        reached("journal_commit_done")

    async def load(self, account_id: str) -> AccountSnapshot | None:
        state = self._state
        if account_id not in state.accounts:
            return None
        every = sorted(_of(account_id, state.orders), key=lambda order: order.created_sequence)
        groups = {order.group_id for order in every if order.is_open and order.group_id}
        live = [order for order in every if order.is_open or order.group_id in groups]
        return AccountSnapshot(
            account=state.accounts[account_id],
            sequence=await self.last_sequence(account_id),
            risk_profile=state.risk_profiles.get(account_id, RiskProfile(account_id)),
            risk_state=state.risk_states.get(account_id, RiskState(account_id)),
            cash=_of(account_id, state.cash),
            positions=_of(account_id, state.positions),
            orders=live,
            fills=await self.fills_of_orders(account_id, {order.order_id for order in live}),
        )

    async def account_ids(self) -> Sequence[str]:
        return sorted(self._state.accounts)

    async def controls(self) -> Sequence[Control]:
        return [control for control in self._state.controls.values() if in_force(control)]


def _of(account_id: str, kept: Mapping[tuple[str, str], T]) -> list[T]:
    return [value for (owner, _), value in kept.items() if owner == account_id]


def _booked(fill: Fill) -> int:
    return fill.sequence


def _page(items: Iterable[T], key: Callable[[T], int], after: int | None, limit: int, newest_first: bool) -> list[T]:
    past = [item for item in items if after is None or (key(item) < after if newest_first else key(item) > after)]
    return sorted(past, key=key, reverse=newest_first)[:limit]


Conditions = Mapping[str, Callable[[Any, Any], bool]]


def matches(item: Any, where: OrderFilter | FillFilter | AuditFilter, conditions: Conditions) -> bool:
    asked = ((field.name, getattr(where, field.name)) for field in fields_of(where))
    return all(conditions[name](item, value) for name, value in asked if value)


_ORDER_CONDITIONS: Final[Conditions] = {
    "symbol": lambda order, symbol: order.terms.symbol == symbol,
    "side": lambda order, side: order.terms.side is side,
    "statuses": lambda order, statuses: order.status in statuses,
    "strategy_id": lambda order, strategy_id: order.terms.strategy_id == strategy_id,
    "group_id": lambda order, group_id: order.group_id == group_id,
    "open_only": lambda order, _: order.is_open,
    "created_from": lambda order, start: order.created_time >= start,
    "created_before": lambda order, end: order.created_time < end,
}
_FILL_CONDITIONS: Final[Conditions] = {
    "symbol": lambda fill, symbol: fill.symbol == symbol,
    "side": lambda fill, side: fill.side is side,
    "order_id": lambda fill, order_id: fill.order_id == order_id,
    "strategy_id": lambda fill, strategy_id: fill.strategy_id == strategy_id,
    "filled_from": lambda fill, start: fill.fill_time >= start,
    "filled_before": lambda fill, end: fill.fill_time < end,
}
