"""A runner of backfills on scripted providers, its stores in memory, on a clock that the test moves."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.clock import ManualClock
from adapters.ids import UlidGenerator
from adapters.persistence.market_store import MarketStore, memory_market_store
from adapters.persistence.memory_backfill_store import MemoryBackfillStore
from adapters.persistence.memory_bar_store import MemoryBarStore
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from application.market_data.backfill import Backfill, BackfillTerms
from application.market_data.backfill_run import BackfillPace
from application.market_data.backfill_runner import BackfillRunner
from application.market_data.bar_catalogue import BarCatalogue
from application.market_data.bar_coverage import series_key
from application.market_data.commands.start_backfill_command import StartBackfill
from application.market_data.instrument_book import InstrumentBook
from application.market_data.market import Market
from application.ports.bar_store import Span
from application.ports.market_data import BarRequest, Capabilities
from domain.market_data.bar import BarInterval
from tests.support.scripted_bars import ScriptedBars, capabilities, providers_of

NOW = datetime(2026, 1, 7, 15, 0, 30, tzinfo=UTC)
LISTED = datetime(2025, 12, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
START, END = NOW - 9 * HOUR, NOW - 4 * HOUR  # 300 bars of a minute
PACE = BackfillPace(chunk_bars=100, retries=2, look_seconds=0.02)
_LOOKS = 2_000


class BackfillRig:
    """`scripted` serves all instruments but those whose symbols begin with E, which are `else`'s."""

    def __init__(
        self, can: Capabilities | None = None, pace: BackfillPace = PACE, store: MarketStore | None = None
    ) -> None:
        self.clock = ManualClock(NOW)
        self.provider = ScriptedBars(self.clock, LISTED)
        self.other = ScriptedBars(self.clock, LISTED, name="else")
        self.other.symbols = {"ECHO"}
        self.providers = providers_of(
            (self.provider, can or capabilities()), (self.other, capabilities()), routes=[("E*", "else")]
        )
        self.store = store or memory_market_store(MemoryBarStore(), MemoryBackfillStore(), MemoryInstrumentStore())
        self.pace = pace
        self.runners: list[BackfillRunner] = []
        self.runner = self.another()

    def another(self, **pace: Any) -> BackfillRunner:
        """A runner as another process would have it, not started."""
        market = Market(
            self.providers,
            None,  # type: ignore[arg-type]  # no quote is asked for
            BarCatalogue(self.store.bars, self.clock),
            InstrumentBook(self.store.instruments),
            self.clock,
        )
        ids = UlidGenerator(self.clock, random.Random(len(self.runners)).randbytes)
        runner = BackfillRunner(market, self.store.backfills, self.clock, ids, replace(self.pace, **pace))
        self.runners.append(runner)
        return runner

    async def begin(self, *symbols: str, backfill_id: str = "b-1", **more: Any) -> Backfill:
        """ACME's, when no symbol is given."""
        return await StartBackfill(backfill_id, terms(*symbols, **more)).carry_out(self.runner)

    async def now(self, backfill_id: str = "b-1") -> Backfill:
        return await self.runner.board.get(backfill_id)

    async def ended(self, backfill_id: str = "b-1") -> Backfill:
        await self.until(lambda one: one.ended, backfill_id)
        return await self.now(backfill_id)

    async def until(self, reached: Callable[[Backfill], bool], backfill_id: str = "b-1") -> None:
        for _ in range(_LOOKS):
            if reached(await self.now(backfill_id)):
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"it never was so: {await self.now(backfill_id)}")

    async def asked(self, count: int, provider: ScriptedBars | None = None) -> None:
        """Return once the provider was asked so often."""
        one = provider or self.provider
        for _ in range(_LOOKS):
            if len(one.asked) >= count:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(f"it was asked {len(one.asked)} times only")

    async def settled(self, symbol: str = "ACME") -> Sequence[Span]:
        """What is stored of the instrument's minutes."""
        source = await self.runner.market.source(symbol)
        request = BarRequest(symbol, BarInterval.MINUTE_1, START, END, 1)
        series = series_key(source, request, self.clock.now())
        return await self.store.bars.settled(series, LISTED, NOW)

    async def stop(self) -> None:
        for runner in self.runners:
            await runner.stop()


def terms(*symbols: str, **more: Any) -> BackfillTerms:
    given: dict[str, Any] = {"symbols": symbols or ("ACME",), "start": START, "end": END, **more}
    return BackfillTerms(interval=given.pop("interval", BarInterval.MINUTE_1), **given)
