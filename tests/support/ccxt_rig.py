"""The ccxt provider against a Binance of the test's own, on a clock that the test moves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from adapters.clock import ManualClock
from adapters.market_data.ccxt_adapter import CcxtMarketData
from adapters.market_data.ccxt_settings import CcxtSettings
from application.ports.market_data import BarRequest, Subscribed
from domain.market_data.bar import Bar, BarInterval
from tests.support.live_items import only_items
from tests.support.vendors.binance import Binance, serve
from tests.support.vendors.binance_data import Candle, candle, milliseconds

T = TypeVar("T")

NOW = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_PATIENCE = 5.0


@dataclass
class Rig:
    """`skew` is how far the exchange's clock is ahead of ours."""

    clock: ManualClock
    binance: Binance
    market: CcxtMarketData
    skew: timedelta = timedelta(0)

    async def reading(self, items: AsyncGenerator[T | Subscribed, None], *streams: str) -> "Reader[T]":
        """A reader of `items`, once the exchange has the subscriptions of it."""
        reader = Reader(items)
        async with asyncio.timeout(_PATIENCE):
            await self.binance.until(lambda: set(streams) <= set(self.binance.streams()))
        return reader


class Reader(AsyncIterator[T]):
    """Reads on its own; `subscribed` are the symbols that it says are. Close it before the provider."""

    def __init__(self, items: AsyncGenerator[T | Subscribed, None]) -> None:
        self.subscribed: list[str] = []
        self._items: AsyncGenerator[T, None] = only_items(items, self.subscribed)
        self._came: asyncio.Queue[T] = asyncio.Queue()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for item in self._items:
                self._came.put_nowait(item)
        finally:
            await self._items.aclose()

    async def __anext__(self) -> T:
        """The next item, or the error by which the stream ended."""
        waiting = asyncio.create_task(self._came.get())
        async with asyncio.timeout(_PATIENCE):
            await asyncio.wait({waiting, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        waiting.cancel()
        self.task.result()
        raise StopAsyncIteration

    def empty(self) -> bool:
        return self._came.empty() and not self.task.done()

    async def aclose(self) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})


@asynccontextmanager
async def ccxt_rig(**settings: object) -> AsyncIterator[Rig]:
    clock = ManualClock(NOW)
    binance = Binance(lambda: clock.now() + rig.skew)
    async with serve(binance):
        chosen = replace(CcxtSettings(timeout_seconds=2, linger_seconds=0.05, mirrors=binance.mirrors), **settings)  # type: ignore[arg-type]  # a test's own words
        rig = Rig(clock, binance, CcxtMarketData(clock, chosen))
        try:
            yield rig
        finally:
            await rig.market.close()


def request(interval: BarInterval, start: datetime, end: datetime = NOW, limit: int = 10_000) -> BarRequest:
    return BarRequest("BTC/USDT", interval, start, end, limit)


def minute(opens: datetime) -> Candle:
    return candle("BTCUSDT", "1m", milliseconds(opens))


def values(bar: Bar) -> tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal]:
    return bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume


def expected(opens: datetime, of: Candle) -> tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal]:
    opened, high, low, close, volume = (Decimal(text) for text in of[1:6])
    return opens, opened, high, low, close, volume


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE):
        while not condition():  # noqa: ASYNC110 - of the provider's inside, which tells nobody
            await asyncio.sleep(0.01)
