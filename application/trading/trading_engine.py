"""All accounts of the process: their writers, the shared committer, and the brokers that report to them."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import TypeVar

from application.ports.broker import Broker
from application.ports.clock import Clock
from application.ports.ids import IdGenerator
from application.ports.journal import AccountSnapshot, Journal
from application.ports.market_data import LatestQuotes
from application.risk.commands.measure_losses_command import MeasureLosses
from application.risk.controls import Controls
from application.trading.account_book import SYSTEM
from application.trading.account_writer import AccountWriter, WriterParts
from application.trading.command import Command
from application.trading.committer import Committer
from application.trading.leave import may_leave
from application.trading.lost_executions import take_lost_executions
from application.trading.request_watch import RequestWatch, WatchSettings
from domain.errors import AccessDenied, NotFound
from domain.trading.aggregates.order import Order
from domain.trading.repositories.order_repository import OrderRepository
from domain.trading.value_objects.execution_report import ExecutionReport

R = TypeVar("R")

_WATCH_SECONDS = 0.25
_MEASURE_SECONDS = 1.0
_UNLIMITED_ROUNDS = 60
_RECONCILED_AT_ONCE = 50
_RECONCILE_SECONDS = 1.0


class TradingEngine:
    """The way in for every command. `brokers` by the name that accounts give."""

    def __init__(
        self,
        journal: Journal,
        store: OrderRepository,
        brokers: Mapping[str, Broker],
        quotes: LatestQuotes,
        clock: Clock,
        ids: IdGenerator,
        watch: WatchSettings,
        on_fenced: Callable[[], None],
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.brokers = brokers
        self.epoch = 0
        self.controls = Controls()
        self.committer = Committer(journal, on_fenced, reached)
        self.journal = journal
        self.store = store
        self.clock = clock
        self._watch_settings = watch
        self._parts = WriterParts(
            journal, store, self.committer, quotes, clock, ids, reached, self.controls, self.reload_controls
        )
        self._writers: dict[str, AccountWriter] = {}
        self._left_off: dict[AccountWriter, int] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take over the database, read back what is live, connect the brokers, settle what was left open."""
        await self.load()
        await self.connect()

    async def load(self) -> None:
        """Take over the database and read back what is live: from now on the accounts are known."""
        self.epoch = await self.journal.take_over()
        self.committer.start()
        self.controls.load(await self.journal.controls())
        for account_id in await self.journal.account_ids():
            snapshot = await self.journal.load(account_id)
            if snapshot is not None:
                self._left_off[self.add(snapshot)] = snapshot.sequence

    async def connect(self) -> None:
        """Connect the brokers, and settle what was left open."""
        for name, broker in self.brokers.items():
            await broker.start(self._take_report, self._working_at(name))
        for writer in self._writers.values():
            writer.watch.recover(writer.book)
        works = (self._watch, self._reconcile, self._measure, self._take_lost_executions)
        self._tasks = [asyncio.create_task(work()) for work in works]

    async def stop(self) -> None:
        """Finish what was decided, then let go. Orders stay as they are at their brokers."""
        for task in self._tasks:
            task.cancel()
        for broker in self.brokers.values():
            await broker.stop()
        if not self.epoch:
            return
        await self.committer.flushed()
        for writer in self._writers.values():
            await writer.stop()
        await self.committer.stop()

    def broker(self, name: str) -> Broker:
        """NotFound for one that is not configured."""
        if name not in self.brokers:
            raise NotFound(f"broker: no broker {name!r} is configured", reason="BROKER_NOT_FOUND", broker=name)
        return self.brokers[name]

    def add(self, snapshot: AccountSnapshot) -> AccountWriter:
        """Start the writer of an account that has none yet."""
        broker = self.broker(snapshot.account.broker)
        writer: AccountWriter

        def current(order_id: str) -> Order | None:
            return writer.book.orders.get(order_id)

        watch = RequestWatch(
            broker,
            self.clock,
            self._watch_settings,
            current,
            lambda report: writer.report(report),
            lambda order: order.sequence <= writer.book.committed,
            self._may_leave,
        )
        writer = AccountWriter(snapshot, broker, self._parts, watch)
        self._writers[writer.account_id] = writer
        writer.start()
        return writer

    def _may_leave(self, order: Order) -> bool:
        return may_leave(self.controls, order)

    def writer(self, account_id: str) -> AccountWriter:
        """The account's writer; AccessDenied when there is no such account, as for one without a grant."""
        writer = self._writers.get(account_id)
        if writer is None:
            raise AccessDenied(f"account_id: no account {account_id!r} that you may use", account_id=account_id)
        return writer

    def writers(self, broker: str) -> list[AccountWriter]:
        """Those of all accounts at `broker`."""
        return [writer for writer in self._writers.values() if writer.account.broker == broker]

    def has(self, account_id: str) -> bool:
        return account_id in self._writers

    def knows_symbol(self, symbol: str) -> bool:
        """Whether the symbol was ever asked for here, or an account holds it or has an open order in it."""
        if self._parts.quotes.instrument(symbol) is not None:
            return True
        books = (writer.book for writer in self._writers.values())
        return any(symbol in book.portfolio.positions or symbol in book.open_orders for book in books)

    async def execute(self, command: Command[R]) -> R:
        """Decide `command` in its account's writer; see AccountWriter.execute."""
        return await self.writer(command.account_id).execute(command)

    def wake_streams(self) -> None:
        """Have whoever waits for events look up, as for a shutdown, though nothing has happened."""
        for writer in self._writers.values():
            writer.feed.wake()

    def _take_report(self, report: ExecutionReport) -> None:
        writer = self._writers.get(report.account_id)
        if writer is not None:
            writer.report(report)

    def _working_at(self, broker: str) -> list[Order]:
        return [order for writer in self.writers(broker) for order in writer.book.open() if not order.held]

    async def _take_lost_executions(self) -> None:
        left_off, self._left_off = self._left_off, {}
        await take_lost_executions(left_off, self.store, self.clock)

    async def _watch(self) -> None:
        while True:
            await self.clock.sleep(_WATCH_SECONDS)
            for writer in list(self._writers.values()):
                writer.watch.check()

    async def _measure(self) -> None:
        """Value the accounts: every second where a loss limit or a warning waits for it, else now and then."""
        for round in count():
            due = [writer for writer in self._writers.values() if round % _UNLIMITED_ROUNDS == 0 or _is_watched(writer)]
            # Side by side: one account that waits must not hold up the others. Who fails is measured the next time.
            works = (writer.execute(MeasureLosses(writer.account_id, SYSTEM)) for writer in due)
            await asyncio.gather(*works, return_exceptions=True)
            await self.clock.sleep(_MEASURE_SECONDS)

    async def reload_controls(self) -> None:
        """Be as the store says; what is being committed meanwhile is waited for. Raises JournalUnavailable."""
        while True:
            changes = self.controls.changes
            await self.committer.flushed()
            stored = await self.journal.controls()
            if changes == self.controls.changes:
                self.controls.load(stored)
                return

    async def _reconcile(self) -> None:
        """Ask the brokers about working orders, a few at a time and round and round: a report may have got lost."""
        while True:
            for writer in list(self._writers.values()):
                orders = [order.order_id for order in writer.book.open() if order.can_be_replaced]
                for start in range(0, len(orders), _RECONCILED_AT_ONCE):
                    await self.clock.sleep(_RECONCILE_SECONDS)
                    for order_id in orders[start : start + _RECONCILED_AT_ONCE]:
                        await writer.watch.reconcile(order_id)
            await self.clock.sleep(_RECONCILE_SECONDS)


def _is_watched(writer: AccountWriter) -> bool:
    limits = writer.book.limits
    return limits.limits_losses or limits.warn_at_percent is not None
