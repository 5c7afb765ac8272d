"""The whole engine on the in-process store: real writers, committer, watch and feed, and time in the test's hands."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from enum import Enum
from typing import Any, TypeVar

from adapters.clock import ManualClock
from adapters.persistence.memory import MemoryDatabase, MemoryJournal, MemoryOrderRepository
from application.ports.journal import AccountSnapshot, Batch, Control, Journal, JournalUnavailable
from application.trading.account_writer import AccountWriter
from application.trading.command import Command, OrderRef
from application.trading.commands.cancel_order_command import CancelOrder
from application.trading.commands.create_account_command import CreateAccount, CreateAccountHandler
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.commands.replace_order_command import Change, ReplaceOrder
from application.trading.placement import Placed
from application.trading.request_watch import WatchSettings
from application.trading.trading_engine import TradingEngine
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from tests.support.trading import START, D, ScriptedBroker, SequentialIds, SetQuotes, instrument, terms

R = TypeVar("R")

MAIN = "main"
WATCH = WatchSettings(answer_timeout=5.0, absence_proof=2.0, ask_interval=0.5, late_submission=60.0)


class Fault(Enum):
    """What happens to an append: nothing is written, or all of it and nobody is told."""

    NOT_WRITTEN = "NOT_WRITTEN"
    WRITTEN = "WRITTEN"


class FaultyJournal:
    """A journal that fails when the test says so, and otherwise is the one inside.

    `faults` are for the next appends, `failing_reads` for the next reads. While `gate` is closed, appends wait
    before it, and while `read_gate` is, look-ups of orders. `batches` are what was really written.
    """

    def __init__(self, inside: Journal) -> None:
        self._inside = inside
        self.faults: deque[Fault | None] = deque()
        self.failing_reads = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.read_gate = asyncio.Event()
        self.read_gate.set()
        self.waiting = 0
        self.batches: list[Batch] = []

    async def take_over(self) -> int:
        return await self._inside.take_over()

    async def append(self, batch: Batch) -> None:
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.NOT_WRITTEN and self.gate.is_set():
            raise JournalUnavailable("nothing was written")
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if fault is Fault.NOT_WRITTEN:
            raise JournalUnavailable("nothing was written")
        await self._inside.append(batch)
        self.batches.append(batch)
        if fault is Fault.WRITTEN:
            raise JournalUnavailable("it was written, and the answer got lost")

    def _read(self) -> None:
        if self.failing_reads:
            self.failing_reads -= 1
            raise JournalUnavailable("the store cannot be read")

    async def load(self, account_id: str) -> AccountSnapshot | None:
        self._read()
        return await self._inside.load(account_id)

    async def account_ids(self) -> Sequence[str]:
        return await self._inside.account_ids()

    async def controls(self) -> Sequence[Control]:
        self._read()
        return await self._inside.controls()

    async def orders_by_client_id(self, account_id: str, client_order_ids: Collection[str]) -> Sequence[Order]:
        self._read()
        await self.read_gate.wait()
        return await self._inside.orders_by_client_id(account_id, client_order_ids)

    async def orders_by_id(self, account_id: str, order_ids: Collection[str]) -> Sequence[Order]:
        self._read()
        return await self._inside.orders_by_id(account_id, order_ids)

    async def known_executions(self, account_id: str, execution_ids: Collection[str]) -> Collection[str]:
        return await self._inside.known_executions(account_id, execution_ids)

    async def fills_of_orders(self, account_id: str, order_ids: Collection[str]) -> Sequence[Fill]:
        return await self._inside.fills_of_orders(account_id, order_ids)

    async def fills_of_symbol(self, account_id: str, symbol: str) -> Sequence[Fill]:
        return await self._inside.fills_of_symbol(account_id, symbol)


class House:
    """A server's trading side without the server. `restart` is a new process on the same database."""

    def __init__(self, watch: WatchSettings = WATCH) -> None:
        self.clock = ManualClock(START)
        self.quotes = SetQuotes(self.clock)
        self.quotes.list(instrument("ACME"))
        self.quotes.set("ACME", "50")
        self.ids = SequentialIds()
        self.database = MemoryDatabase()
        self.watch = watch
        self.fenced = 0
        self.broker = ScriptedBroker()
        self._build()

    def _build(self) -> None:
        self.journal = FaultyJournal(MemoryJournal(self.database, reached=lambda point: None))
        self.store = MemoryOrderRepository(self.database)
        self.engine = TradingEngine(
            self.journal,
            self.store,
            {self.broker.name: self.broker},
            self.quotes,
            self.clock,
            self.ids,
            self.watch,
            self._count_fence,
        )
        self.create_account = CreateAccountHandler(self.engine, self.clock)

    def _count_fence(self) -> None:
        self.fenced += 1

    async def open(self) -> "House":
        await self.engine.start()
        await self.create_account(CreateAccount(MAIN, "user:test", self.broker.name, "USD", D(100_000_000)))
        self.opened_at = len(self.events)
        return self

    async def restart(self, seconds_later: float = 0, broker: ScriptedBroker | None = None) -> None:
        """The old process is gone, with all that its memory and its connection to the broker held."""
        await self.engine.stop()
        self.clock.advance(seconds_later)
        self.quotes.set("ACME", "50")
        self.broker = broker or ScriptedBroker()
        self._build()
        self.opened_at = len(self.events)
        await self.engine.start()
        await self.settle()

    async def close(self) -> None:
        self.journal.gate.set()
        await self.engine.stop()

    async def settle(self) -> None:
        """Let everything run that can run without time passing."""
        for _ in range(40):
            await asyncio.sleep(0)

    async def pass_time(self, seconds: float) -> None:
        """Quarter by quarter, so that whoever sleeps again after waking does so in time; quotes stay fresh."""
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            self.quotes.set("ACME", "50")
            await self.settle()

    # -- asking -------------------------------------------------------------------------------------

    async def run(self, command: Command[R]) -> R:
        return await self.engine.execute(command)

    def begin(self, command: Command[R]) -> "asyncio.Task[R]":
        return asyncio.create_task(self.run(command))

    def placing(self, client_order_id: str = "x", **more: Any) -> PlaceOrder:
        return PlaceOrder(MAIN, "user:test", terms(client_order_id, **more))

    async def place(self, client_order_id: str = "x", **more: Any) -> Placed:
        return await self.run(self.placing(client_order_id, **more))

    async def cancel(self, client_order_id: str = "x") -> Order:
        placed = await self.run(CancelOrder(MAIN, "user:test", OrderRef(client_order_id=client_order_id)))
        return placed.order

    async def replace(self, client_order_id: str = "x", **change: Any) -> Order:
        ref = OrderRef(client_order_id=client_order_id)
        return (await self.run(ReplaceOrder(MAIN, "user:test", ref, Change(**change)))).order

    # -- telling ------------------------------------------------------------------------------------

    def says(self, type: ExecType, order_id: str, **details: Any) -> ExecutionReport:
        if type is ExecType.TRADE:
            details = {"price": D(50)} | details
            details["quantity"] = D(details["quantity"])
        return ExecutionReport(MAIN, order_id, type, self.clock.now(), **details)

    async def tell(self, type: ExecType, client_order_id: str = "x", **details: Any) -> None:
        """The broker reports on the order as it stands in the store."""
        order = self.order(client_order_id)
        if type in (ExecType.REPLACED, ExecType.REPLACE_REJECTED):
            details.setdefault("request_version", order.replace_version)
        self.broker.sink(self.says(type, order.order_id, **details))
        await self.settle()

    # -- looking ------------------------------------------------------------------------------------

    @property
    def writer(self) -> AccountWriter:
        return self.engine.writer(MAIN)

    @property
    def events(self) -> list[Event]:
        """What is stored."""
        return self.database.events[MAIN]

    def order(self, client_order_id: str = "x") -> Order:
        """The order as it is stored."""
        order_id = self.database.order_ids[MAIN, client_order_id]
        return self.database.state.orders[MAIN, order_id]

    def is_stored(self, client_order_id: str) -> bool:
        return (MAIN, client_order_id) in self.database.order_ids

    def happened(self, client_order_id: str = "x") -> list[str]:
        """The types of the order's stored events."""
        order_id = self.order(client_order_id).order_id
        return [event.type.value for event in self.events if event.order and event.order.order_id == order_id]

    def submissions(self, client_order_id: str = "x") -> int:
        return self.broker.times("submit", self.order(client_order_id).order_id)

    async def streamed(self) -> list[int]:
        """The sequences that a subscriber has seen since the account was opened here."""
        seen = list(await self.writer.feed.after(self.opened_at))
        return [event.sequence for event in seen]

    async def require_stream_equals_store(self) -> None:
        """Each stored event was told once, in order, and nothing else was."""
        assert self.writer.feed.last_sequence == len(self.events)
        assert await self.streamed() == list(range(self.opened_at + 1, len(self.events) + 1))
