"""The controls as they are stored, those that have ended among them: what a person looks at."""

from collections.abc import Sequence
from typing import Protocol

from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.scoped_state import ScopedTradingState


class ControlRepository(Protocol):
    """Reads of committed state; Unavailable when it cannot be read.

    With an `account_id`, a list has those whose scope bears on it. `after` is the control id that a page goes on
    from, empty for the first page. Switches come newest first, states by control id.
    """

    async def kill_switch(self, kill_switch_id: str) -> KillSwitch | None: ...

    async def kill_switches(
        self, account_id: str, include_released: bool, after: str, limit: int
    ) -> Sequence[KillSwitch]: ...

    async def dead_man_switch(self, dead_man_switch_id: str) -> DeadManSwitch | None: ...

    async def dead_man_switches(
        self, account_id: str, include_ended: bool, after: str, limit: int
    ) -> Sequence[DeadManSwitch]: ...

    async def trading_states(self, account_id: str, after: str, limit: int) -> Sequence[ScopedTradingState]: ...
