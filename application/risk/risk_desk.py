"""The firm's own desk: kill switches, dead-man switches, trading states, and the ceiling above all accounts.

Every change is durable and in force when it is answered. A caller that goes away stops listening, no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from application.ports.clock import Clock
from application.ports.controls import ControlRepository
from application.ports.ids import IdGenerator
from application.risk.control_keeper import Change, ControlKeeper, require_version, to_the_end
from application.risk.controls import Controls
from application.risk.dead_man_switches import DeadManSwitches
from application.risk.kill_switches import KillSwitches
from application.trading.trading_engine import TradingEngine
from domain.errors import PreconditionFailed, Violation
from domain.risk.aggregates.risk_profile import RiskProfile, stricter
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import EVERYTHING, Scope
from domain.risk.value_objects.trading_state import TradingState


class FirmRisk(NamedTuple):
    """The ceiling above all accounts, and what the firm as a whole may trade: nothing under a kill switch."""

    profile: RiskProfile
    trading_state: TradingState


class RiskDesk:
    """`start` it once the accounts are known and before the brokers are connected."""

    def __init__(
        self, engine: TradingEngine, stored: ControlRepository, controls: Controls, clock: Clock, ids: IdGenerator
    ) -> None:
        self.keeper = ControlKeeper(engine, stored, controls)
        self.kill_switches = KillSwitches(self.keeper, clock, ids)
        self.dead_man_switches = DeadManSwitches(self.keeper, self.kill_switches, clock, ids)
        self._controls = controls
        self._clock = clock

    async def start(self) -> None:
        """Fire the dead-man switches whose time passed while nobody watched: before anything can leave."""
        for switch in self.dead_man_switches.expired():
            await self.dead_man_switches.fire(switch.dead_man_switch_id)

    # -- trading states -----------------------------------------------------------------------------

    async def set_trading_state(
        self, scope: Scope, state: TradingState, reason: str, actor: str, expected_version: int | None = None
    ) -> ScopedTradingState:
        """Raises VersionMismatch, and PreconditionFailed while a kill switch of the same scope is engaged."""
        self.keeper.require_account(scope.account_id)
        return await to_the_end(self._set_trading_state(scope, state, reason, actor, expected_version))

    async def _set_trading_state(
        self, scope: Scope, state: TradingState, reason: str, actor: str, expected_version: int | None
    ) -> ScopedTradingState:
        async with self.keeper.turn:
            await self.keeper.agree()
            before = self._controls.state_of(scope)
            version = before.version if before else 0
            require_version("the trading state", expected_version, version)
            self._require_no_kill(scope)
            if before and (before.state, before.reason, before.updated_by) == (state, reason, actor):
                return before
            after = ScopedTradingState(scope, state, version + 1, reason, actor, self._clock.now())
            severity = before.state.severity if before else 0
            await self.keeper.commit(Change(after, after if state.severity > severity else None))
            await self.keeper.tell(after, actor, reason=reason, previous_state=before.state if before else None)
        return after

    async def list_trading_states(self, account_id: str, after: str, limit: int) -> Sequence[ScopedTradingState]:
        """By control id, those above `after`."""
        self.keeper.require_account(account_id)
        return await self.keeper.stored.trading_states(account_id, after, limit)

    def _require_no_kill(self, scope: Scope) -> None:
        kill = self._controls.engaged(scope)
        if kill is not None:
            why = "a kill switch of the same scope is engaged: release it first"
            violation = Violation("KILL_SWITCH", kill.kill_switch_id, why)
            raise PreconditionFailed(why, [violation], reason="KILL_SWITCH_ENGAGED", kill_switch_id=kill.kill_switch_id)

    # -- the firm's ceiling -------------------------------------------------------------------------

    async def firm(self) -> FirmRisk:
        async with self.keeper.turn:
            return self._firm()

    async def update_firm_profile(
        self, changes: Mapping[str, Any], actor: str, expected_version: int | None = None, reason: str = ""
    ) -> FirmRisk:
        """`changes` by field name of RiskProfile; None takes a limit off. Raises VersionMismatch."""
        return await to_the_end(self._update_firm_profile(changes, actor, expected_version, reason))

    async def _update_firm_profile(
        self, changes: Mapping[str, Any], actor: str, expected_version: int | None, reason: str
    ) -> FirmRisk:
        async with self.keeper.turn:
            await self.keeper.agree()
            before = self._controls.firm
            require_version("the firm's profile", expected_version, before.version)
            changed = {name: value for name, value in changes.items() if getattr(before, name) != value}
            if changed:
                now = self._clock.now()
                after = replace(before, **changed, version=before.version + 1, updated_time=now, updated_by=actor)
                strict = stricter(after, before)
                meanwhile = replace(before, **{name: getattr(strict, name) for name in changed})
                await self.keeper.commit(Change(after, meanwhile))
                await self.keeper.tell(after, actor, reason=reason, changed_paths=tuple(changed))
            return self._firm()

    def _firm(self) -> FirmRisk:
        if self._controls.engaged(EVERYTHING) is not None:
            return FirmRisk(self._controls.firm, TradingState.HALTED)
        state = self._controls.state_of(EVERYTHING)
        return FirmRisk(self._controls.firm, state.state if state else TradingState.ACTIVE)
