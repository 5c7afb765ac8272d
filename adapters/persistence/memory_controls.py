"""The ControlRepository port in process."""

from collections.abc import Sequence
from typing import TypeVar

from adapters.persistence.memory import MemoryDatabase
from application.ports.journal import Control
from application.risk.controls import control_id, in_force, scope_of
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.scoped_state import ScopedTradingState

ControlT = TypeVar("ControlT", KillSwitch, DeadManSwitch, ScopedTradingState)


class MemoryControlRepository:
    def __init__(self, database: MemoryDatabase) -> None:
        self._controls: dict[str, Control] = database.state.controls

    async def kill_switch(self, kill_switch_id: str) -> KillSwitch | None:
        found = self._controls.get(kill_switch_id)
        return found if isinstance(found, KillSwitch) else None

    async def kill_switches(
        self, account_id: str, include_released: bool, after: str, limit: int
    ) -> Sequence[KillSwitch]:
        return self._newest(KillSwitch, account_id, include_released, after, limit)

    async def dead_man_switch(self, dead_man_switch_id: str) -> DeadManSwitch | None:
        found = self._controls.get(dead_man_switch_id)
        return found if isinstance(found, DeadManSwitch) else None

    async def dead_man_switches(
        self, account_id: str, include_ended: bool, after: str, limit: int
    ) -> Sequence[DeadManSwitch]:
        return self._newest(DeadManSwitch, account_id, include_ended, after, limit)

    async def trading_states(self, account_id: str, after: str, limit: int) -> Sequence[ScopedTradingState]:
        found = self._bearing_on(ScopedTradingState, account_id)
        return [state for state in found if control_id(state) > after][:limit]

    def _newest(
        self, kind: type[ControlT], account_id: str, include_ended: bool, after: str, limit: int
    ) -> Sequence[ControlT]:
        wanted = [one for one in self._bearing_on(kind, account_id)[::-1] if include_ended or in_force(one)]
        return [one for one in wanted if not after or control_id(one) < after][:limit]

    def _bearing_on(self, kind: type[ControlT], account_id: str) -> list[ControlT]:
        every = [one for _, one in sorted(self._controls.items()) if isinstance(one, kind)]
        return [one for one in every if not account_id or scope_of(one).bears_on(account_id)]
