"""The AuditLog port on a SQL database."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select, tuple_

from adapters.persistence.codec import decode_audit_record
from adapters.persistence.database import Reader
from adapters.persistence.pages import asked_of
from adapters.persistence.reads import SqlReads, storage_unavailable
from adapters.persistence.rows import from_microseconds, microseconds
from adapters.persistence.sql import END, number, text
from adapters.persistence.tables import audit_records
from application.ports.audit import AuditFilter, Place
from domain.risk.aggregates.audit_record import AuditRecord

_COLUMNS: Final = audit_records.c
_PLACE: Final = tuple_(_COLUMNS.record_time, _COLUMNS.audit_record_id)
_AFTER: Final = tuple_(number("after_time"), text("after_id"))
_CONDITIONS: Final[Mapping[str, ColumnElement[bool]]] = {
    "account_id": _COLUMNS.account_id == text("account_id"),
    "actor": _COLUMNS.actor == text("actor"),
    "rpc": _COLUMNS.rpc == text("rpc"),
    "outcome": _COLUMNS.outcome == text("outcome"),
    "recorded_from": _COLUMNS.record_time >= number("recorded_from"),
    "recorded_before": _COLUMNS.record_time < number("recorded_before"),
}


@cache
def _page(asked: frozenset[str], newest_first: bool) -> Select[Any]:
    wanted = [_CONDITIONS[name] for name in sorted(asked)]
    order = [column.desc() if newest_first else column for column in (_COLUMNS.record_time, _COLUMNS.audit_record_id)]
    past = _PLACE < _AFTER if newest_first else _PLACE > _AFTER
    return select(audit_records).where(past, *wanted).order_by(*order).limit(number("limit"))


class SqlAuditLog(SqlReads):
    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, storage_unavailable)

    async def records(
        self, where: AuditFilter, after: Place | None, limit: int, newest_first: bool
    ) -> Sequence[AuditRecord]:
        asked = asked_of(where)
        if after is None:
            time, id = (END, "") if newest_first else (-1, "")
        else:
            time, id = microseconds(after[0]), after[1]
        parameters = {**asked, "after_time": time, "after_id": id, "limit": limit}
        rows = await self._rows(_page(frozenset(asked), newest_first), parameters)
        return [decode_audit_record(id, from_microseconds(time), *rest) for id, time, *rest in rows]
