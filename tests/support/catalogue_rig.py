"""A bar catalogue over a provider whose answers a test scripts."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from adapters.clock import ManualClock
from adapters.persistence.memory_bar_store import MemoryBarStore
from application.market_data.bar_catalogue import BarCatalogue
from application.ports.bar_store import SeriesKey, Stretch
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import BarInterval
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from tests.support.scripted_bars import ScriptedBars, source_of

NOW = datetime(2026, 1, 7, 15, 0, 30, tzinfo=UTC)  # a Wednesday, 10:00:30 in New York
LISTED = datetime(2025, 12, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALL = 10**6


class SlowBarStore(MemoryBarStore):
    """One whose answer to the next look can be held up: it says what was kept when it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._held: asyncio.Event | None = None

    def hold(self) -> asyncio.Event:
        """Set it to let the answer go."""
        self._held = held = asyncio.Event()
        return held

    async def read(self, series: SeriesKey, start: datetime, end: datetime, limit: int) -> Sequence[Stretch]:
        found = await super().read(series, start, end, limit)
        held, self._held = self._held, None
        if held is not None:
            await held.wait()
        return found


class Rig:
    def __init__(self, hours: TradingHours = ALWAYS_OPEN) -> None:
        self.clock = ManualClock(NOW)
        self.provider = ScriptedBars(self.clock, LISTED, hours)
        self.source = source_of(self.provider)
        self.store = SlowBarStore()
        self.catalogue = BarCatalogue(self.store, self.clock)

    async def bars(self, start: datetime, end: datetime, limit: int = ALL, **more: object) -> FetchedBars:
        """Asks, and requires that the answer is what the provider has."""
        asked = request(start, end, limit, **more)
        found = await self.catalogue.bars(self.source, asked)
        assert list(found.bars) == list(self.provider.there(asked))[:limit]
        return found

    @property
    def asked(self) -> list[tuple[datetime, datetime, int]]:
        """What the provider was asked for since the last look."""
        asked, self.provider.asked = self.provider.asked, []
        return [(one.start, one.end, one.limit) for one in asked]


def request(start: datetime, end: datetime, limit: int = ALL, **more: object) -> BarRequest:
    asked = BarRequest("ACME", BarInterval.MINUTE_1, start, end, limit)
    return replace(asked, **more)  # type: ignore[arg-type]  # the tests' own
