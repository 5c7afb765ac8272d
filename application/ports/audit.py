"""The audit's records as they are stored. They are written with the journal: see Batch.audit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord

# Where a page ends: the time and the id of its last record.
Place: TypeAlias = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What is empty or None does not narrow. `recorded_from` is in, `recorded_before` is not."""

    account_id: str = ""
    actor: str = ""
    rpc: str = ""
    outcome: AuditOutcome | None = None
    recorded_from: datetime | None = None
    recorded_before: datetime | None = None


class AuditLog(Protocol):
    """Reads of committed state; Unavailable when it cannot be read."""

    async def records(
        self, where: AuditFilter, after: Place | None, limit: int, newest_first: bool
    ) -> Sequence[AuditRecord]:
        """By time, at most `limit` of those behind `after`; None is the beginning."""
        ...
