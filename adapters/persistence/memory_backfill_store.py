"""The BackfillStore port in process."""

from collections.abc import Sequence

from application.market_data.backfill import Backfill
from application.ports.backfills import BackfillFilter, Place


class MemoryBackfillStore:
    def __init__(self) -> None:
        self._backfills: dict[str, Backfill] = {}

    async def add(self, backfill: Backfill) -> bool:
        return self._backfills.setdefault(backfill.backfill_id, backfill) is backfill

    async def save(self, backfill: Backfill) -> bool:
        known = self._backfills.get(backfill.backfill_id)
        if known is None or known.version != backfill.version - 1:
            return False
        self._backfills[backfill.backfill_id] = backfill
        return True

    async def get(self, backfill_id: str) -> Backfill | None:
        return self._backfills.get(backfill_id)

    async def unfinished(self) -> Sequence[Backfill]:
        return [one for one in sorted(self._backfills.values(), key=_place) if not one.ended]

    async def page(self, where: BackfillFilter, after: Place | None, limit: int) -> Sequence[Backfill]:
        newest_first = sorted(self._backfills.values(), key=_place, reverse=True)
        wanted = (one for one in newest_first if after is None or _place(one) < after)
        return [one for one in wanted if _matches(one, where)][:limit]


def _place(backfill: Backfill) -> Place:
    return backfill.created_time, backfill.backfill_id


def _matches(backfill: Backfill, where: BackfillFilter) -> bool:
    state, symbol = where.state, where.symbol
    return (state is None or backfill.state is state) and (not symbol or symbol in backfill.terms.symbols)
