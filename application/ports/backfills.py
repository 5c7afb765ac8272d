"""Backfills as they are stored: what was accepted outlives the process."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from application.market_data.backfill import Backfill, BackfillState

# Where a page ends: the time and the id of its last backfill.
Place: TypeAlias = tuple[datetime, str]


@dataclass(frozen=True, slots=True)
class BackfillFilter:
    """What is empty or None does not narrow. `symbol`: only backfills that fetch it."""

    state: BackfillState | None = None
    symbol: str = ""


class BackfillStore(Protocol):
    """Whatever is answered is durable. Raises Unavailable, STORAGE_UNAVAILABLE, when it cannot be read or written;
    then a change may have been stored all the same.
    """

    async def add(self, backfill: Backfill) -> bool:
        """Store a new one; False, and nothing is changed, when its id is taken."""
        ...

    async def save(self, backfill: Backfill) -> bool:
        """Store a change that makes `backfill.version` of the version before it; False when that is not the newest."""
        ...

    async def get(self, backfill_id: str) -> Backfill | None: ...

    async def unfinished(self) -> Sequence[Backfill]:
        """Those that have not ended, oldest first."""
        ...

    async def page(self, where: BackfillFilter, after: Place | None, limit: int) -> Sequence[Backfill]:
        """Newest first, at most `limit` of those behind `after`; None is the beginning."""
        ...
