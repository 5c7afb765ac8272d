"""The AuditLog port in process."""

from collections.abc import Sequence
from typing import Final

from adapters.persistence.memory import Conditions, MemoryDatabase, matches
from application.ports.audit import AuditFilter, Place
from domain.risk.aggregates.audit_record import AuditRecord


class MemoryAuditLog:
    def __init__(self, database: MemoryDatabase) -> None:
        self._records = database.audit

    async def records(
        self, where: AuditFilter, after: Place | None, limit: int, newest_first: bool
    ) -> Sequence[AuditRecord]:
        wanted = [record for record in self._records.values() if matches(record, where, _CONDITIONS)]
        if after is not None:
            wanted = [one for one in wanted if (_place(one) < after if newest_first else _place(one) > after)]
        return sorted(wanted, key=_place, reverse=newest_first)[:limit]


def _place(record: AuditRecord) -> Place:
    return record.record_time, record.audit_record_id


_CONDITIONS: Final[Conditions] = {
    "account_id": lambda record, account_id: record.account_id == account_id,
    "actor": lambda record, actor: record.actor == actor,
    "rpc": lambda record, rpc: record.rpc == rpc,
    "outcome": lambda record, outcome: record.outcome is outcome,
    "recorded_from": lambda record, start: record.record_time >= start,
    "recorded_before": lambda record, end: record.record_time < end,
}
