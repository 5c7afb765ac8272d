"""The Alpaca provider over its unpatched SDK, pointed at the small Alpaca of `alpaca_data`."""

import asyncio
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.clock import ManualClock
from adapters.market_data.alpaca_settings import AlpacaSettings
from tests.support.vendors.alpaca_data import KEY_ID, SECRET_KEY, AlpacaServer

with warnings.catch_warnings():
    # alpaca-py 0.44 still stands on the older client of the websockets package, which says so when it is imported.
    warnings.filterwarnings("ignore", "websockets.legacy is deprecated", DeprecationWarning)
    from adapters.market_data.alpaca_adapter import AlpacaMarketData

NOW = datetime(2024, 1, 3, 22, tzinfo=UTC)
"""A Wednesday evening in New York, after the session."""


@dataclass(frozen=True, slots=True)
class Alpaca:
    server: AlpacaServer
    provider: AlpacaMarketData
    clock: ManualClock


@asynccontextmanager
async def alpaca(now: datetime = NOW, **changes: Any) -> AsyncIterator[Alpaca]:
    """`changes` are of the provider's settings."""
    async with AlpacaServer().running() as server:
        server.now = now
        settings = AlpacaSettings(
            **{
                "key_id": KEY_ID,
                "secret_key": SECRET_KEY,
                "data_url": server.url,
                "trading_url": server.url,
                "stream_url": server.stream_url,
                "timeout_seconds": 2.0,
                "stream_silence_seconds": 2.0,
                "stream_linger_seconds": 0.05,
                **changes,
            }
        )
        clock = ManualClock(now)
        provider = await asyncio.to_thread(AlpacaMarketData, clock, settings)
        try:
            yield Alpaca(server, provider, clock)
        finally:
            await provider.close()
