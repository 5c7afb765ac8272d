"""How a control changes: one change at a time, in memory, in the store, and in the journal of each account.

What holds more back than before is in memory before it is committed. Whatever an account decided without it is then in
the same transaction or an earlier one, so that nothing decided without it can leave once the commit is confirmed. What
lets go takes effect after the commit.
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from application.audit import carried_out
from application.ports.controls import ControlRepository
from application.ports.journal import Batch, Control, JournalUnavailable
from application.risk.commands.note_control_command import ForgetControls, NoteControl, is_over
from application.risk.controls import Controls, control_id, scope_of
from application.trading.account_book import SYSTEM
from application.trading.account_writer import AccountWriter
from application.trading.command import Command
from application.trading.trading_engine import TradingEngine
from domain.errors import DomainError, Unavailable, VersionMismatch
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch

R = TypeVar("R")
T = TypeVar("T")

_log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 2.0


class Change(NamedTuple):
    """A control after it changed; `meanwhile` is what memory holds until that is committed, None: what it held."""

    after: Control
    meanwhile: Control | None = None


class ControlKeeper:
    """Whoever changes a control holds `turn` meanwhile."""

    def __init__(self, engine: TradingEngine, stored: ControlRepository, controls: Controls) -> None:
        self.engine = engine
        self.stored = stored
        self.controls = controls
        self.turn = asyncio.Lock()
        self._apart = False
        self._under_way: set[asyncio.Task[object]] = set()

    def require_account(self, account_id: str) -> None:
        """Raise AccessDenied unless there is such an account, or none is named."""
        if account_id:
            self.engine.writer(account_id)

    # -- memory and store ---------------------------------------------------------------------------

    async def commit(self, *changes: Change) -> None:
        """Make the changes, all or none; raises Unavailable when they may not be stored."""
        held = []
        for after, meanwhile in changes:
            if meanwhile is not None:
                self.controls.put(meanwhile)
            held.append(self.controls.get(control_id(after)))
        try:
            controls = {control_id(after): after for after, _ in changes}
            await self.engine.committer.write(Batch(controls=controls, audit=carried_out(self.engine.clock.now())))
        except Unavailable:
            self._apart = True
            with suppress(JournalUnavailable):  # else the supervisor tries again
                await self.reload()
            raise
        for (after, _), before in zip(changes, held, strict=True):
            # Unless an account's own loss limit has changed it since, which then is stored after this.
            if self.controls.get(control_id(after)) == before:
                self.controls.put(after)

    async def agree(self) -> None:
        """Be as the store says, where a commit left that open; raises Unavailable while it cannot be read."""
        if not self._apart:
            return
        try:
            await self.reload()
        except JournalUnavailable as error:
            raise Unavailable("the store cannot be read: repeat the same request") from error

    async def reload(self) -> None:
        """Read the controls back; raises JournalUnavailable."""
        await self.engine.reload_controls()
        self._apart = False

    # -- the accounts' journals ---------------------------------------------------------------------

    def writers(self, control: Control) -> list[AccountWriter]:
        """Those of every account that the control bears on."""
        return [writer for writer in self.every_writer() if scope_of(control).bears_on(writer.account_id)]

    def every_writer(self) -> list[AccountWriter]:
        return [writer for broker in self.engine.brokers for writer in self.engine.writers(broker)]

    async def tell(self, control: Control, actor: str, **details: Any) -> None:
        """Have every account note the change. One that cannot now is told by the supervisor."""
        await self.all_of(
            self.run(writer, NoteControl(writer.account_id, actor, control, **details))
            for writer in self.writers(control)
            if news(writer, control)
        )

    async def tell_missing(self, writer: AccountWriter) -> None:
        """Have the account note what it does not know yet."""
        for control in self.controls.bearing_on(writer.account_id):
            if news(writer, control):
                await self.run(writer, NoteControl(writer.account_id, made_by(control), control))
        unknown = []
        for id in [id for id in writer.book.risk_state.noted if self.controls.get(id) is None]:
            ended = await self.stored.kill_switch(id) or await self.stored.dead_man_switch(id)
            if ended is None:
                unknown.append(id)
            elif is_over(ended):
                await self.run(writer, NoteControl(writer.account_id, made_by(ended), ended))
        if unknown:
            await self.run(writer, ForgetControls(writer.account_id, SYSTEM, frozenset(unknown)))

    async def all_of(self, works: Iterable[Coroutine[Any, Any, object]]) -> None:
        """Do all of it side by side. What takes too long goes on, and is not waited for: an account that hangs must
        not keep the others from being stopped.
        """
        tasks = [asyncio.create_task(work) for work in works]
        for task in tasks:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)

    async def run(self, writer: AccountWriter, command: Command[R]) -> R | None:
        """What the account's writer answers; None when it cannot now."""
        try:
            return await writer.execute(command)
        except DomainError:
            return None
        except Exception:
            _log.exception("%s of account %s failed", type(command).__name__, writer.account_id)
            return None


def news(writer: AccountWriter, control: Control) -> bool:
    """Whether the account is still to note the control as it is."""
    known = writer.book.risk_state.noted.get(control_id(control), 0)
    return known < control.version and bool(known or not is_over(control))


def made_by(control: Control) -> str:
    """Who brought the control to what it now is."""
    match control:
        case KillSwitch():
            return control.released_by or control.engaged_by
        case DeadManSwitch():
            return SYSTEM if control.state is DeadManState.FIRED else control.armed_by
        case _:
            return control.updated_by


def require_version(what: str, expected: int | None, current: int) -> None:
    if expected is not None and expected != current:
        raise VersionMismatch(
            f"expected_version: {what} is at version {current}, not {expected}",
            expected_version=str(expected),
            current_version=str(current),
        )


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` answers; it is finished also when the caller is cut off."""
    return await asyncio.shield(asyncio.create_task(work))
