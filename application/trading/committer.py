"""Group commit: what all accounts have decided while one commit was under way goes into the next.

Nothing leaves before its commit. After it, in this order: callers are answered, the brokers get their
calls, the streams wake.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from application.ports.journal import Batch, Fenced, Journal, JournalUnavailable
from application.trading.account_book import Outbound
from application.trading.command import Command
from application.trading.crowd import Crowd
from domain.errors import Unavailable
from domain.trading.events.order_events import Event


class Participant(Protocol):
    """A writer with something in a transaction."""

    def committed(self, events: list[Event]) -> None:
        """These events of the account are durable."""
        ...

    def sent(self, call: Outbound) -> None:
        """Make the call to the broker."""
        ...

    def invalidate(self, undone: Sequence[Command[Any]]) -> None:
        """What was decided since the last commit may or may not be durable: read back before going on.

        `undone` are the reports in it: nobody sends them again, so they are to be taken in anew.
        """
        ...


class Transaction:
    """What waits for one commit: the batch, the answers it releases, the broker calls it allows, and by account
    the reports that were decided in it.
    """

    def __init__(self) -> None:
        self.batch = Batch()
        self.answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        self.outbound: list[Outbound] = []
        self.reports: defaultdict[str, list[Command[Any]]] = defaultdict(list)
        self.participants: dict[str, Participant] = {}

    def fail(self, error: BaseException) -> None:
        for future, _, _ in self.answers:
            if not future.done():
                future.set_exception(error)
        for account_id, participant in self.participants.items():
            participant.invalidate(self.reports[account_id])


def unproven(text: str) -> Unavailable:
    return Unavailable(f"{text}: repeat the same request", reason="STORAGE_UNAVAILABLE")


class Committer:
    """One task that commits transaction after transaction. `on_fenced` is called once a newer server owns the
    database; `reached` marks named points for crash tests.
    """

    def __init__(
        self,
        journal: Journal,
        on_fenced: Callable[[], None],
        reached: Callable[[str], None] = lambda point: None,
    ) -> None:
        self.open = Transaction()
        self.crowd = Crowd()
        self.fenced = False
        self._journal = journal
        self._on_fenced = on_fenced
        self._reached = reached
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="committer")

    async def stop(self) -> None:
        """Commit what is waiting, then end."""
        await self.flushed()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def want(self) -> None:
        """The open transaction has something to commit or to answer."""
        self._wanted.set()

    async def write(self, batch: Batch) -> None:
        """Commit a batch that comes from no writer, with whatever else is waiting; raises Unavailable."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.open.batch.merge(batch)
        self.open.answers.append((future, None, None))
        self.want()
        await future

    async def flushed(self) -> None:
        """Return once everything decided so far is committed, or has failed."""
        if self._task is not None:
            with suppress(Unavailable):
                await self.write(Batch())

    def abandon(self) -> None:
        """Drop what has been decided since the last commit began: something in it is half done."""
        broken, self.open = self.open, Transaction()
        broken.fail(unproven("the change was not made"))

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            transaction, self.open = self.open, Transaction()
            await self._commit(transaction)
            self.crowd.answered(len(transaction.answers))

    async def _commit(self, transaction: Transaction) -> None:
        try:
            if self.fenced:
                raise Fenced
            if transaction.batch:
                await self._journal.append(transaction.batch)
        except Fenced:
            self._fence(transaction)
        except JournalUnavailable:
            self._fail(transaction, unproven("the store did not confirm the change"))
        else:
            self._release(transaction)

    def _fence(self, transaction: Transaction) -> None:
        first = not self.fenced
        self.fenced = True
        self._fail(transaction, Unavailable("another server has taken over the account", reason="ACCOUNT_RECOVERING"))
        if first:
            self._on_fenced()

    def _fail(self, transaction: Transaction, error: Unavailable) -> None:
        # What was decided meanwhile stands on what has just failed.
        speculative, self.open = self.open, Transaction()
        transaction.fail(error)
        speculative.fail(error)

    def _release(self, transaction: Transaction) -> None:
        by_account: defaultdict[str, list[Event]] = defaultdict(list)
        for event in transaction.batch.events:
            by_account[event.account_id].append(event)
        for account_id, participant in transaction.participants.items():
            participant.committed(by_account[account_id])
        self._reached("ack")
        for future, result, error in transaction.answers:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        self._reached("ack_done")
        for call in transaction.outbound:
            self._reached("broker_send")
            transaction.participants[call[1].account_id].sent(call)
            self._reached("broker_send_done")
