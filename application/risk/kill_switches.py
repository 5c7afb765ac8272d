"""Kill switches: engaged, released, shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from application.ports.clock import Clock
from application.ports.ids import IdGenerator
from application.risk.control_keeper import Change, ControlKeeper, require_version, to_the_end
from application.risk.enforcement import Enforcement
from application.risk.queries.get_kill_switch_query import KillSwitchView, count_open, view_kill_switch
from domain.errors import InvalidArgument, NotFound
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import Scope, ScopeKind


@dataclass(frozen=True, slots=True)
class EngagedKillSwitch:
    """`symbol_unknown`: it is of a symbol that nobody has traded or asked for here, so mostly of a slip."""

    view: KillSwitchView
    already_engaged: bool
    symbol_unknown: bool


class KillSwitches:
    def __init__(self, keeper: ControlKeeper, clock: Clock, ids: IdGenerator) -> None:
        self.enforcement = Enforcement(keeper, clock)
        self._keeper = keeper
        self._clock = clock
        self._ids = ids

    async def engage(
        self, scope: Scope, reason: str, actor: str, *, cancel_orders: bool = True, flatten: bool = False
    ) -> EngagedKillSwitch:
        """Stop everything in the scope. One that is engaged already is given back, with what is new added to it.

        When it is answered every order that was open has its cancel recorded, if that was asked for.
        """
        require_cancels(cancel_orders, flatten)
        self._keeper.require_account(scope.account_id)
        return await to_the_end(self._engage(scope, reason, actor, cancel_orders, flatten))

    async def _engage(
        self, scope: Scope, reason: str, actor: str, cancel_orders: bool, flatten: bool
    ) -> EngagedKillSwitch:
        async with self._keeper.turn:
            await self._keeper.agree()
            before = self._keeper.controls.engaged(scope)
            kill = self.next_of(scope, reason, actor, cancel_orders, flatten)
            if kill is not before:
                kill = self.in_force(kill)
            # One that is engaged already is written again: an account's loss limit may have engaged it just now.
            await self._keeper.commit(Change(kill, kill))
            await self._keeper.tell(kill, actor, reason=kill.reason)
        await self.enforcement.enforce(kill, at_once=True)
        unknown = scope.kind is ScopeKind.SYMBOL and not self._keeper.engine.knows_symbol(scope.key)
        return EngagedKillSwitch(await self._view(kill), before is not None, unknown)

    def next_of(self, scope: Scope, reason: str, actor: str, cancel_orders: bool, flatten: bool) -> KillSwitch:
        """The scope's switch with this added to it; the same when there is nothing to add."""
        now = self._clock.now()
        kill = self._keeper.controls.engaged(scope)
        if kill is None:
            return KillSwitch(self._ids.new_id(), scope, cancel_orders, flatten, reason, actor, now)
        cancel_orders, flatten = kill.cancel_orders or cancel_orders, kill.flatten or flatten
        if (cancel_orders, flatten) == (kill.cancel_orders, kill.flatten):
            return kill
        return replace(kill, cancel_orders=cancel_orders, flatten=flatten, version=kill.version + 1)

    def in_force(self, kill: KillSwitch) -> KillSwitch:
        """From now on nothing new is accepted in the scope, so what is open there is what was."""
        self._keeper.controls.put(kill)
        return self._with_orders(kill)

    def _with_orders(self, kill: KillSwitch) -> KillSwitch:
        """The switch with what is open in its scope among its orders; the same when all of that is."""
        known = set(kill.orders)
        found = [key for key in self.enforcement.open_orders(kill) if key not in known]
        return replace(kill, orders=(*kill.orders, *found)) if found else kill

    async def complete(self, kill_switch_id: str) -> None:
        """Take in orders that turn out to have been open: an account could not be read when it was engaged."""
        async with self._keeper.turn:
            kill = self._keeper.controls.get(kill_switch_id)
            if isinstance(kill, KillSwitch) and (completed := self._with_orders(kill)) is not kill:
                await self._keeper.commit(Change(completed))

    async def release(self, kill_switch_id: str, reason: str, actor: str, expected_version: int) -> KillSwitchView:
        """Let trading in the scope go on. One that is released already is given back, whatever the version.

        Raises NotFound, VersionMismatch.
        """
        return await to_the_end(self._release(kill_switch_id, reason, actor, expected_version))

    async def _release(self, kill_switch_id: str, reason: str, actor: str, expected_version: int) -> KillSwitchView:
        async with self._keeper.turn:
            await self._keeper.agree()
            known = self._keeper.controls.get(kill_switch_id)
            kill = known if isinstance(known, KillSwitch) else await self._find_kill(kill_switch_id)
            if not kill.engaged:
                return self._counted(kill)
            require_version("the kill switch", expected_version, kill.version)
            await self._keeper.tell(kill, kill.engaged_by, reason=kill.reason)
            released = replace(
                kill,
                engaged=False,
                version=kill.version + 1,
                release_reason=reason,
                released_by=actor,
                released_time=self._clock.now(),
            )
            await self._keeper.commit(Change(released))
            await self._keeper.tell(released, actor, reason=reason)
        return self._counted(released)

    async def get(self, kill_switch_id: str) -> KillSwitchView:
        """The switch and an outcome for each of its orders; raises NotFound."""
        return await self._view(await self._find_kill(kill_switch_id))

    async def page(self, account_id: str, include_released: bool, after: str, limit: int) -> Sequence[KillSwitchView]:
        """Newest first, those below the id `after`; without outcomes."""
        self._keeper.require_account(account_id)
        return [
            self._counted(kill)
            for kill in await self._keeper.stored.kill_switches(account_id, include_released, after, limit)
        ]

    async def _find_kill(self, kill_switch_id: str) -> KillSwitch:
        kill = await self._keeper.stored.kill_switch(kill_switch_id)
        if kill is None:
            raise NotFound(
                f"kill_switch_id: there is no kill switch {kill_switch_id!r}",
                reason="KILL_SWITCH_NOT_FOUND",
                kill_switch_id=kill_switch_id,
            )
        return kill

    async def _view(self, kill: KillSwitch) -> KillSwitchView:
        return await view_kill_switch(self._keeper.engine, kill, self.enforcement.tries, self._clock.now())

    def _counted(self, kill: KillSwitch) -> KillSwitchView:
        return KillSwitchView(kill, count_open(self._keeper.engine, kill))


def require_cancels(cancel_orders: bool, flatten: bool) -> None:
    if flatten and not cancel_orders:
        raise InvalidArgument("flatten", "needs cancel_orders: open orders could turn the position round")
