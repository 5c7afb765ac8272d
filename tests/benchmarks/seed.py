"""Stores with a past: so many orders long over, so many still open, written by the journal's own port.

They are kept, by what their rows depend on, since a million orders take minutes to write.
"""

import asyncio
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Final, TypeAlias

from adapters.persistence import codec, rows, tables
from adapters.persistence.store import open_store
from application.ports.journal import Batch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.money import Money
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason, OrderType, Side, TimeInForce
from tests.benchmarks.bench import Bench
from tests.benchmarks.contract import QUANTITY, RESTING_PRICE, SYMBOL

_ACCOUNTS: Final = 10
_ORDERS_A_BATCH: Final = 2_000
_CASH: Final = Decimal(10) ** 12
_USER: Final = "user:benchmark"
_BROKER: Final = "paper"
_CURRENCY: Final = "USD"
_BEGAN: Final = datetime(2025, 1, 1, tzinfo=UTC)
_TERMS: Final = OrderTerms(
    client_order_id="",
    symbol=SYMBOL,
    side=Side.BUY,
    quantity=Decimal(QUANTITY),
    type=OrderType.LIMIT,
    limit_price=Decimal(RESTING_PRICE),
    time_in_force=TimeInForce.GTC,
)

# What comes after the placing, and what it changes.
_Next: TypeAlias = tuple[EventType, dict[str, Any]]
_OPEN: Final[_Next] = EventType.ORDER_ACCEPTED, {"state": OrderStatus.NEW, "broker_order_id": "P-1"}
_CLOSED: Final[_Next] = (
    EventType.ORDER_CANCELED,
    {"state": OrderStatus.CANCELED, "cancel_reason": CancelReason.NOT_FILLED_AT_ONCE},
)


def seeded(bench: Bench, closed: int, open_orders: int) -> Path:
    """A data folder with such a store."""
    folder = bench.folder / f"seed-{_version()}" / f"{closed}-{open_orders}"
    if not folder.exists():
        for other in bench.folder.glob("seed-*"):
            if other != folder.parent:
                shutil.rmtree(other)
        making = folder.with_suffix(".making")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        asyncio.run(_seed(bench, making, closed, open_orders))
        making.rename(folder)
    return folder


def _version() -> str:
    sources = (tables.__file__, codec.__file__, rows.__file__, __file__)
    return hashlib.sha256(b"".join(Path(source).read_bytes() for source in sources)).hexdigest()[:12]


async def _seed(bench: Bench, folder: Path, closed: int, open_orders: int) -> None:
    store = await open_store(f"sqlite:///{folder / 'quantmesh.db'}")
    await store.journal.take_over()
    written = 0
    for number in range(_ACCOUNTS):
        history = _History(f"benchmark-{number:02}")
        await store.journal.append(history.creation())
        for batch in history.batches(closed // _ACCOUNTS, open_orders // _ACCOUNTS):
            await store.journal.append(batch)
            written += len(batch.orders)
        bench.say(f"writing a history: {written:,} of {closed + open_orders:,} orders")
    await store.close()


class _History:
    """One account's: each order with two events, placed, and then either taken or canceled by the broker."""

    def __init__(self, account_id: str) -> None:
        self._account_id = account_id
        self._sequence = 0

    @property
    def _now(self) -> datetime:
        return _BEGAN + timedelta(seconds=self._sequence)

    def creation(self) -> Batch:
        account_id = self._account_id
        account = Account(account_id, _BROKER, _CURRENCY, _CASH, self._now)
        batch = Batch(
            accounts={account_id: account},
            cash={(account_id, _CURRENCY): Money(_CASH, _CURRENCY)},
            risk_profiles={account_id: RiskProfile(account_id, updated_time=self._now)},
        )
        self._sequence += 1
        batch.events.append(Event(account_id, 1, self._now, _USER, EventType.ACCOUNT_CREATED, account=account))
        return batch

    def batches(self, closed: int, open_orders: int) -> Iterator[Batch]:
        orders = chain(repeat(_CLOSED, closed), repeat(_OPEN, open_orders))
        while some := list(islice(orders, _ORDERS_A_BATCH)):
            batch = Batch()
            for then in some:
                self._order(batch, then)
            yield batch

    def _order(self, batch: Batch, then: _Next) -> None:
        order, (type, changes) = self._placed(), then
        self._record(batch, order, EventType.ORDER_PLACED, _USER)
        self._record(batch, order.changed(self._now, self._sequence + 1, **changes), type, f"broker:{_BROKER}")

    def _placed(self) -> Order:
        sequence = self._sequence + 1
        name = f"{self._account_id[-2:]}{sequence:024}"
        return Order(
            order_id=name,
            account_id=self._account_id,
            terms=replace(_TERMS, client_order_id=name),
            initial_quantity=_TERMS.quantity,
            broker=_BROKER,
            currency=_CURRENCY,
            created_time=self._now,
            updated_time=self._now,
            created_sequence=sequence,
            sequence=sequence,
            reserve_price=Decimal(RESTING_PRICE),
        )

    def _record(self, batch: Batch, order: Order, type: EventType, actor: str) -> None:
        self._sequence += 1
        batch.events.append(Event(self._account_id, self._sequence, self._now, actor, type, order))
        batch.orders[self._account_id, order.order_id] = order
