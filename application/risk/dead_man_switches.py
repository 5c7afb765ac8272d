"""Dead-man switches: armed and refreshed by whoever watches over trading, fired when nobody does in time."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from application.ports.clock import Clock
from application.ports.ids import IdGenerator
from application.risk.control_keeper import Change, ControlKeeper, to_the_end
from application.risk.kill_switches import KillSwitches, require_cancels
from application.trading.account_book import SYSTEM
from domain.decimals import plain
from domain.errors import NotFound
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.value_objects.scope import Scope
from domain.span import span


class DeadManSwitches:
    def __init__(self, keeper: ControlKeeper, kill_switches: KillSwitches, clock: Clock, ids: IdGenerator) -> None:
        self._keeper = keeper
        self._kill_switches = kill_switches
        self._clock = clock
        self._ids = ids

    async def arm(
        self,
        scope: Scope,
        seconds: Decimal,
        reason: str,
        actor: str,
        *,
        cancel_orders: bool = True,
        flatten: bool = False,
    ) -> DeadManSwitch:
        """Arm a switch that engages a kill switch unless it is refreshed every `seconds`.

        Arming a scope again refreshes its switch and gives it these settings.
        """
        require_cancels(cancel_orders, flatten)
        self._keeper.require_account(scope.account_id)
        return await to_the_end(self._arm(scope, seconds, reason, actor, cancel_orders, flatten))

    async def _arm(
        self, scope: Scope, seconds: Decimal, reason: str, actor: str, cancel_orders: bool, flatten: bool
    ) -> DeadManSwitch:
        async with self._keeper.turn:
            await self._keeper.agree()
            before = await self._still_armed(self._keeper.controls.armed(scope))
            now = self._clock.now()
            switch = DeadManSwitch(
                dead_man_switch_id=before.dead_man_switch_id if before else self._ids.new_id(),
                scope=scope,
                timeout=seconds,
                expire_time=now + span(seconds),
                cancel_orders=cancel_orders,
                flatten=flatten,
                armed_by=actor,
                armed_time=now,
                version=before.version + 1 if before else 1,
            )
            await self._keeper.commit(Change(switch))
            await self._keeper.tell(switch, actor, reason=reason)
        return switch

    async def refresh(self, dead_man_switch_id: str) -> DeadManSwitch:
        """Its time starts anew; raises NotFound for one that has fired, was disarmed or never was."""
        return await to_the_end(self._refresh(dead_man_switch_id))

    async def _refresh(self, dead_man_switch_id: str) -> DeadManSwitch:
        async with self._keeper.turn:
            await self._keeper.agree()
            switch = await self._still_armed(self._find(dead_man_switch_id))
            if switch is None:
                raise _no_switch(dead_man_switch_id)
            expire_time = self._clock.now() + span(switch.timeout)
            refreshed = replace(switch, expire_time=expire_time)
            await self._keeper.commit(Change(refreshed))
            return refreshed

    async def disarm(self, dead_man_switch_id: str, reason: str, actor: str) -> DeadManSwitch:
        """Safe to repeat, and a switch that has fired is given back as it is; raises NotFound."""
        return await to_the_end(self._disarm(dead_man_switch_id, reason, actor))

    async def _disarm(self, dead_man_switch_id: str, reason: str, actor: str) -> DeadManSwitch:
        async with self._keeper.turn:
            await self._keeper.agree()
            await self._still_armed(self._find(dead_man_switch_id))
            switch = await self._keeper.stored.dead_man_switch(dead_man_switch_id)
            if switch is None:
                raise _no_switch(dead_man_switch_id)
            if switch.state is not DeadManState.ARMED:
                return switch
            await self._keeper.tell(switch, switch.armed_by)
            disarmed = replace(switch, state=DeadManState.DISARMED, version=switch.version + 1)
            await self._keeper.commit(Change(disarmed))
            await self._keeper.tell(disarmed, actor, reason=reason)
        return disarmed

    async def page(self, account_id: str, include_ended: bool, after: str, limit: int) -> Sequence[DeadManSwitch]:
        """Newest first, those below the id `after`."""
        self._keeper.require_account(account_id)
        return await self._keeper.stored.dead_man_switches(account_id, include_ended, after, limit)

    def expired(self) -> list[DeadManSwitch]:
        """The armed switches whose time is up."""
        now = self._clock.now()
        armed = [control for control in self._keeper.controls if isinstance(control, DeadManSwitch)]
        return [switch for switch in armed if switch.expire_time <= now]

    async def fire(self, dead_man_switch_id: str) -> None:
        """Engage the kill switch of one that was not refreshed in time; nothing when it was after all.

        The supervisor has it carried out.
        """
        async with self._keeper.turn:
            await self._keeper.agree()
            await self._still_armed(self._find(dead_man_switch_id))

    async def _fire(self, switch: DeadManSwitch) -> None:
        name = f"dead_man_switch:{switch.dead_man_switch_id}"
        reason = f"not refreshed within {plain(switch.timeout)} s"
        kill = self._kill_switches.in_force(
            self._kill_switches.next_of(switch.scope, reason, name, switch.cancel_orders, switch.flatten)
        )
        fired = replace(
            switch, state=DeadManState.FIRED, kill_switch_id=kill.kill_switch_id, version=switch.version + 1
        )
        await self._keeper.commit(Change(kill, kill), Change(fired))
        await self._keeper.tell(fired, SYSTEM, reason=reason)
        await self._keeper.tell(kill, kill.engaged_by, reason=kill.reason)

    def _find(self, dead_man_switch_id: str) -> DeadManSwitch | None:
        """The armed switch of that id."""
        found = self._keeper.controls.get(dead_man_switch_id)
        return found if isinstance(found, DeadManSwitch) else None

    async def _still_armed(self, switch: DeadManSwitch | None) -> DeadManSwitch | None:
        """The switch; None when there is none or its time is up, upon which it fires."""
        if switch is None or switch.expire_time > self._clock.now():
            return switch
        await self._fire(switch)
        return None


def _no_switch(dead_man_switch_id: str) -> NotFound:
    return NotFound(
        f"dead_man_switch_id: no dead-man switch {dead_man_switch_id!r} is armed",
        reason="DEAD_MAN_SWITCH_NOT_FOUND",
        dead_man_switch_id=dead_man_switch_id,
    )
