"""The store's in-process twin: it keeps the same promises, and ends with the process."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from adapters.persistence.database import CrashPoints
from adapters.persistence.sequences import following
from application.ports.journal import AccountSnapshot, Batch, Fenced, JournalUnavailable
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.repositories.order_repository import FillFilter, OrderFilter

T = TypeVar("T")


class MemoryDatabase:
    """What the stores of one process can share. All in it are values, so nothing is copied."""

    def __init__(self) -> None:
        self.epoch = 0
        self.state = Batch()
        self.events: defaultdict[str, list[Event]] = defaultdict(list)
        self.order_ids: dict[tuple[str, str], str] = {}

    def last_sequences(self) -> dict[str, int]:
        return {account_id: len(events) for account_id, events in self.events.items()}

    def commit(self, batch: Batch) -> None:
        self.order_ids |= _by_client_id(batch)
        for event in batch.events:
            self.events[event.account_id].append(event)
        self.state.merge(batch)


class MemoryJournal:
    """The Journal port on a MemoryDatabase."""

    def __init__(self, database: MemoryDatabase, reached: CrashPoints) -> None:
        self._database = database
        self._records = MemoryOrderRepository(database)
        self._reached = reached
        self._epoch = 0

    async def take_over(self) -> int:
        self._database.epoch += 1
        self._epoch = self._database.epoch
        return self._epoch

    async def append(self, batch: Batch) -> None:
        try:
            self._transaction(batch)
        except (Fenced, JournalUnavailable):
            raise
        except Exception as error:
            raise JournalUnavailable("the transaction failed, or its outcome is unknown") from error

    def _transaction(self, batch: Batch) -> None:
        reached, database = self._reached, self._database
        reached("journal_begin")
        reached("journal_begin_done")
        if not self._epoch or self._epoch != database.epoch:
            raise Fenced
        reached("journal_insert")
        following(database.last_sequences(), batch.events)
        _require_unique(batch, database)
        reached("journal_insert_done")
        reached("journal_commit")
        database.commit(batch)
        reached("journal_commit_done")
