"""Watches over the controls: what a crash, a broker or an unavailable account left undone is done here."""

import asyncio
import logging

from application.ports.clock import Clock
from application.risk.enforcement import OrderKey
from application.risk.risk_desk import RiskDesk
from domain.errors import DomainError
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch

_log = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_SHORTEST_SECONDS = 0.01


class Supervisor:
    """One task. Each look derives what is to be done from the controls and the accounts as they are."""

    def __init__(self, desk: RiskDesk, clock: Clock) -> None:
        self._desk = desk
        self._keeper = desk.keeper
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="risk supervisor")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except DomainError as error:
                _log.warning("the controls cannot be looked after now: %s", error.message)
            except Exception:
                # It must go on whatever happens: nobody else fires a dead-man switch or repeats a cancel.
                _log.exception("looking after the controls failed")
            await self._clock.sleep(self._until_next())

    async def look(self) -> None:
        """Do what there is to do now."""
        await self._keeper.agree()
        for switch in self._desk.dead_man_switches.expired():
            await self._desk.dead_man_switches.fire(switch.dead_man_switch_id)
        await self._keeper.all_of(self._keeper.tell_missing(writer) for writer in self._keeper.every_writer())
        for kill in [control for control in self._keeper.controls if isinstance(control, KillSwitch)]:
            await self._desk.kill_switches.complete(kill.kill_switch_id)
            await self._desk.kill_switches.enforcement.enforce(kill, at_once=False)
        self._desk.kill_switches.enforcement.forget(self._is_open)

    def _is_open(self, key: OrderKey) -> bool:
        account_id, order_id = key
        order = self._keeper.engine.writer(account_id).book.orders.get(order_id)
        return order is not None and order.is_open

    def _until_next(self) -> float:
        """Seconds to the next look: a dead-man switch fires when its time is up, not at the next round second."""
        switches = [control for control in self._keeper.controls if isinstance(control, DeadManSwitch)]
        left = [(switch.expire_time - self._clock.now()).total_seconds() for switch in switches]
        return min(_TICK_SECONDS, max(_SHORTEST_SECONDS, min(left, default=_TICK_SECONDS)))
