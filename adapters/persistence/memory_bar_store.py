"""The BarStore port in process."""

from collections.abc import Sequence
from datetime import datetime

from adapters.persistence.stretches import joined, within, woven
from application.ports.bar_store import SeriesKey, Span, Stretch

_NEVER_SPLIT = 2**31


class MemoryBarStore:
    def __init__(self) -> None:
        self._kept: dict[SeriesKey, tuple[str, list[Stretch]]] = {}

    async def read(self, series: SeriesKey, start: datetime, end: datetime, limit: int) -> Sequence[Stretch]:
        found: list[Stretch] = []
        bars = 0
        for stretch in within(self._stretches(series), start, end):
            if bars >= limit:
                break
            found.append(stretch)
            bars += len(stretch.bars)
        return found

    async def settled(self, series: SeriesKey, start: datetime, end: datetime) -> Sequence[Span]:
        return joined(Span(one.start, one.end) for one in within(self._stretches(series), start, end))

    async def keep(self, series: SeriesKey, stretches: Sequence[Stretch]) -> None:
        if not stretches:
            return
        vintage, kept = self._kept.get(series._replace(vintage=""), (series.vintage, []))
        if vintage > series.vintage:
            return
        kept = kept if vintage == series.vintage else []
        self._kept[series._replace(vintage="")] = series.vintage, woven(kept, stretches, _NEVER_SPLIT)

    def _stretches(self, series: SeriesKey) -> list[Stretch]:
        vintage, kept = self._kept.get(series._replace(vintage=""), ("", []))
        return kept if vintage == series.vintage else []
