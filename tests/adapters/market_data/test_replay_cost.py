"""What replaying recordings costs: memory, and libraries that are not needed."""

import asyncio
import subprocess
import sys
import tracemalloc
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.clock import ManualClock
from adapters.market_data.replay_adapter import ReplayMarketData
from adapters.market_data.replay_settings import ReplaySettings
from tests.support.live_items import only_items
from tests.support.recordings import Table, write

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
async def test_memory_stays_flat_over_many_ticks(tmp_path: Path, suffix: str) -> None:
    count = 20_000
    times = [(START + timedelta(seconds=1, milliseconds=number)).isoformat() for number in range(count)]
    prints: Table = {"time": times, "price": [100.0] * count, "size": [1.0] * count}
    write(tmp_path / "trades" / f"AAPL.{suffix}", prints, row_group=8_000)
    clock = ManualClock(START)
    replay = ReplayMarketData(clock, ReplaySettings(str(tmp_path)))
    found = 0
    async with aclosing(only_items(replay.trades(["AAPL"]))) as trades:
        first = asyncio.ensure_future(anext(trades))
        await asyncio.sleep(0.1)
        clock.advance(1000)
        await first
        tracemalloc.start()
        try:
            async for _ in trades:
                found += 1
                if found == count // 5:
                    early = tracemalloc.get_traced_memory()[0]
                    tracemalloc.reset_peak()
                if found == count - 1:
                    break
            assert tracemalloc.get_traced_memory()[1] < early + 2_000_000
        finally:
            tracemalloc.stop()
    await replay.close()


def test_parquet_is_not_imported_for_csv(tmp_path: Path) -> None:
    past = (START - timedelta(seconds=1)).isoformat()
    write(
        tmp_path / "quotes" / "AAPL.csv", {"time": [past], "bid": [99], "bid_size": [1], "ask": [100], "ask_size": [1]}
    )
    script = f"""
import asyncio, sys
from datetime import datetime
from adapters.clock import ManualClock
from adapters.market_data.replay_adapter import ReplayMarketData
from adapters.market_data.replay_settings import ReplaySettings
replay = ReplayMarketData(ManualClock(datetime.fromisoformat({START.isoformat()!r})), ReplaySettings({str(tmp_path)!r}))
assert len(asyncio.run(replay.latest_quotes(["AAPL"]))) == 1
assert "pyarrow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
