"""The single writer of an account: takes commands and broker reports one at a time and decides them in memory.

It goes on deciding while earlier decisions are being committed; when a commit fails, all of them are undone
by reading the account back from the store.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from application.audit import Call, claim
from application.ports.broker import Broker
from application.ports.clock import Clock
from application.ports.ids import IdGenerator
from application.ports.journal import AccountSnapshot, Journal, JournalUnavailable
from application.ports.market_data import LatestQuotes
from application.risk.controls import Controls
from application.trading.account_book import AccountBook, Outbound
from application.trading.command import Command
from application.trading.commands.apply_report_command import ApplyReport
from application.trading.committer import Committer
from application.trading.event_feed import EventFeed
from application.trading.hydration import hydrate
from application.trading.request_watch import RequestWatch
from domain.errors import DomainError, Throttled, Unavailable
from domain.trading.events.order_events import Event
from domain.trading.repositories.order_repository import OrderRepository
from domain.trading.value_objects.execution_report import ExecutionReport

R = TypeVar("R")

_log = logging.getLogger(__name__)

_BATCH = 256
_LONGEST_QUEUE = 20_000
_RETRY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class WriterParts:
    """What every writer of a process shares."""

    journal: Journal
    store: OrderRepository
    committer: Committer
    quotes: LatestQuotes
    clock: Clock
    ids: IdGenerator
    reached: Callable[[str], None]
    controls: Controls
    reload_controls: Callable[[], Awaitable[None]]


class _Item(NamedTuple):
    """What waits to be decided: a caller's command, with who called, or a report, for which nobody waits."""

    command: Command[Any]
    future: asyncio.Future[Any] | None = None
    call: Call | None = None


class AccountWriter:
    """One task that owns an account. `feed` carries its committed events, `watch` its unanswered requests."""

    def __init__(self, snapshot: AccountSnapshot, broker: Broker, parts: WriterParts, watch: RequestWatch) -> None:
        self.account = snapshot.account
        self.broker = broker
        self.watch = watch
        self.feed = EventFeed(snapshot.account.account_id, snapshot.sequence, parts.store)
        self._parts = parts
        self._book = self._new_book(snapshot)
        self._valid = True
        self._recovered = False
        self._inbox: deque[_Item] = deque()
        self._undone: list[Command[Any]] = []
        self._more_waits = False
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def account_id(self) -> str:
        return self.account.account_id

    @property
    def book(self) -> AccountBook:
        """The working memory. Read it only between decisions, and for nothing that leaves the process."""
        return self._book

    @property
    def recovering(self) -> bool:
        return not self._valid

    def _new_book(self, snapshot: AccountSnapshot) -> AccountBook:
        return AccountBook(snapshot, self.broker, self._parts.quotes, self._parts.ids, self._parts.controls)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"writer of {self.account_id}")

    async def stop(self) -> None:
        self.watch.stop()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._valid = False
        self._refuse_waiting(Unavailable("the server is stopping: repeat the request", reason="SERVER_STOPPING"))

    # -- in ----------------------------------------------------------------------------------------

    async def execute(self, command: Command[R]) -> R:
        """Decide `command`, and answer once what it did is durable.

        A caller that is cancelled stops listening, no more: the command is carried out all the same.
        """
        return await self.submit(command)

    def submit(self, command: Command[R]) -> asyncio.Future[R]:
        """As `execute`, without waiting: commands are decided in the order in which they are submitted."""
        if not self._valid:
            raise Unavailable("the account is being recovered: repeat the request", reason="ACCOUNT_RECOVERING")
        if len(self._inbox) >= _LONGEST_QUEUE:
            raise Throttled("too many requests wait for this account", 1.0, reason="QUEUE_FULL")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._put(command, future, claim())
        self._parts.committer.crowd.came()
        return future

    def report(self, report: ExecutionReport) -> None:
        """Take in a broker's report: in turn, and never refused."""
        self._put(ApplyReport(report, f"broker:{self.broker.name}"))

    def _put(self, command: Command[Any], future: asyncio.Future[Any] | None = None, call: Call | None = None) -> None:
        self._inbox.append(_Item(command, future, call))
        self._arrived.set()

    # -- the one task -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._turn()
            except Exception:
                # A fault of ours: the account must go on, and what it knows must be what is stored.
                _log.exception("the writer of account %s failed", self.account_id)
                self.invalidate(())
                await self._parts.clock.sleep(_RETRY_SECONDS)

    async def _turn(self) -> None:
        if not self._inbox and self._valid:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._more_waits:
            await self._parts.committer.crowd.gathered()
        if not self._valid:
            await self._recover()
        # They stay in the inbox until they are decided: whoever ends the task meanwhile can refuse them.
        items = list(islice(self._inbox, _BATCH))
        self._more_waits = len(self._inbox) > len(items)
        limits = self._book.limits
        try:
            await self._prepare([item.command for item in items])
        except (JournalUnavailable, Unavailable):
            self.invalidate(())
        if not self._valid:
            return
        if self._book.limits is not limits:
            # The firm's changed meanwhile: what they look at may not be in memory yet.
            self._more_waits = True
            return
        for _ in items:
            self._decide(self._inbox.popleft())
            if self.recovering:
                break
            if self._book.limits is not limits:
                # The rest is prepared anew: other limits may need other things in memory.
                self._more_waits = bool(self._inbox)
                break
        self._parts.committer.want()
        await asyncio.sleep(0)

    async def _prepare(self, commands: Sequence[Command[Any]]) -> None:
        if any(isinstance(c, ApplyReport) and c.rebooks(self._book) for c in commands):
            # Busts and corrections count a position again from its stored fills: all of them must be stored.
            await self._parts.committer.flushed()
        self._book.now = self._parts.clock.now()
        await hydrate(self._book, commands, self._parts.journal, self._parts.store)

    def _decide(self, item: _Item) -> None:
        command, future, call = item
        transaction = self._parts.committer.open
        transaction.participants[self.account_id] = self
        book = self._book
        book.batch, book.outbound = transaction.batch, transaction.outbound
        book.now, book.actor = self._parts.clock.now(), command.actor
        decided = book.sequence
        answer: Any = None
        error: DomainError | None = None
        try:
            answer = self._apply(command) if future is None else command.decide(book)
        except DomainError as refused:
            error = refused
        except Exception as fault:
            self._contain(fault, book.sequence != decided, future)
            return
        if call is not None:
            sequence = book.sequence if book.sequence != decided else 0
            transaction.batch.audit.append(call.decided(book.now, sequence, error))
        if future is None:
            transaction.reports[self.account_id].append(command)
        else:
            transaction.answers.append((future, answer, error))

    def _apply(self, report: Command[Any]) -> Any:
        self._parts.reached("report_applied")
        nothing = report.decide(self._book)
        self._parts.reached("report_applied_done")
        return nothing

    def _contain(self, fault: Exception, half_done: bool, future: asyncio.Future[Any] | None) -> None:
        """A fault of ours in one command must not end the writer, nor leave the half of a change behind."""
        _log.error("a command of account %s failed", self.account_id, exc_info=fault)
        if future is not None and not future.done():
            future.set_exception(fault)
        if half_done:
            self._parts.committer.abandon()

    # -- after the commit ---------------------------------------------------------------------------

    def committed(self, events: list[Event]) -> None:
        if not events:
            return
        self._recovered = False
        self._book.committed = events[-1].sequence
        for event in events:
            self.feed.publish(event)
        self.feed.wake()
        self._book.forget_closed()

    def sent(self, call: Outbound) -> None:
        verb, order, *rest = call
        self.watch.expect_answer(order)
        try:
            verb(order, *rest)
        except Exception:
            # The adapter's fault, which is not to end the commits of all: the silence that follows is watched.
            _log.exception("handing order %s to %s failed", order.order_id, self.broker.name)

    # -- when a commit failed -----------------------------------------------------------------------

    def invalidate(self, undone: Sequence[Command[Any]]) -> None:
        self._valid = False
        self._undone += undone
        self._arrived.set()

    async def _recover(self) -> None:
        if self._recovered:  # and nothing was committed since: whatever it is, it is not over
            await self._parts.clock.sleep(_RETRY_SECONDS)
        while True:
            self._refuse_waiting(
                Unavailable("the account is being recovered: repeat the request", reason="ACCOUNT_RECOVERING")
            )
            try:
                # It waits for a commit that is still under way, which is not to land behind our back. And a loss limit
                # may have set a trading state in what was undone.
                await self._parts.reload_controls()
                snapshot = await self._parts.journal.load(self.account_id)
                if snapshot is not None:
                    await self._catch_up(snapshot)
                    return
            except (JournalUnavailable, Unavailable):
                pass  # still down: wait and ask again
            await self._parts.clock.sleep(_RETRY_SECONDS)

    async def _catch_up(self, snapshot: AccountSnapshot) -> None:
        """Go on from the store: a commit whose outcome was unknown may be in it, and its events then are news."""
        while self.feed.last_sequence < snapshot.sequence:
            for event in await self._parts.store.events(self.account_id, self.feed.last_sequence, 1_000):
                self.feed.publish(event)
        early, self._book = self._book.early, self._new_book(snapshot)
        self._book.early |= early
        self._inbox.extendleft(_Item(report) for report in reversed(self._undone))
        self._undone.clear()
        self._valid = self._recovered = True
        self.feed.wake()
        self.watch.recover(self._book)

    def _refuse_waiting(self, error: DomainError) -> None:
        reports = [item for item in self._inbox if item.future is None]
        for item in self._inbox:
            if item.future is not None and not item.future.done():
                item.future.set_exception(error)
        self._inbox = deque(reports)
