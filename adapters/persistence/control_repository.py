"""The ControlRepository port on a SQL database."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Select

from adapters.persistence import queries
from adapters.persistence.codec import decode_control, kind_of
from adapters.persistence.database import Reader
from adapters.persistence.reads import SqlReads, storage_unavailable
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.scoped_state import ScopedTradingState

ControlT = TypeVar("ControlT", KillSwitch, DeadManSwitch, ScopedTradingState)

_BEHIND_ALL: Final = "~"  # sorts behind every id that the server makes


class SqlControlRepository(SqlReads):
    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, storage_unavailable)

    async def kill_switch(self, kill_switch_id: str) -> KillSwitch | None:
        return await self._one(KillSwitch, kill_switch_id)

    async def kill_switches(
        self, account_id: str, include_released: bool, after: str, limit: int
    ) -> Sequence[KillSwitch]:
        return await self._newest(KillSwitch, account_id, include_released, after, limit)

    async def dead_man_switch(self, dead_man_switch_id: str) -> DeadManSwitch | None:
        return await self._one(DeadManSwitch, dead_man_switch_id)

    async def dead_man_switches(
        self, account_id: str, include_ended: bool, after: str, limit: int
    ) -> Sequence[DeadManSwitch]:
        return await self._newest(DeadManSwitch, account_id, include_ended, after, limit)

    async def trading_states(self, account_id: str, after: str, limit: int) -> Sequence[ScopedTradingState]:
        page = queries.controls(of_account=bool(account_id), only_in_force=False, newest_first=False)
        asked = {"account_id": account_id, "after": after, "limit": limit}
        return await self._found(ScopedTradingState, page, asked)

    async def _one(self, kind: type[ControlT], control_id: str) -> ControlT | None:
        found = await self._found(kind, queries.CONTROL, {"control_id": control_id})
        return found[0] if found else None

    async def _newest(
        self, kind: type[ControlT], account_id: str, include_ended: bool, after: str, limit: int
    ) -> Sequence[ControlT]:
        page = queries.controls(of_account=bool(account_id), only_in_force=not include_ended, newest_first=True)
        return await self._found(kind, page, {"account_id": account_id, "after": after or _BEHIND_ALL, "limit": limit})

    async def _found(self, kind: type[ControlT], statement: Select[Any], asked: dict[str, Any]) -> list[ControlT]:
        rows = await self._rows(statement, {"kind": kind_of(kind), **asked})
        found = (decode_control(*row) for row in rows)
        return [control for control in found if isinstance(control, kind)]
