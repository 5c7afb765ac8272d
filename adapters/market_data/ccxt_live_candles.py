"""Live bars out of the running candles that an exchange pushes."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from adapters.market_data.ccxt_candles import CcxtCandles, Row, length, on_grid, row_of, time_of, timeframe
from adapters.market_data.ccxt_settings import NAME
from adapters.market_data.conventions import CRYPTO_HOURS
from adapters.market_data.provider_errors import not_capable, unavailable
from application.ports.clock import Clock
from application.ports.market_data import BarRequest
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import Shape, shape

_SETTLING = timedelta(seconds=5)
_INSTANT = timedelta(microseconds=1)
_MOST_NEWS = 5


class LiveCandles:
    """Reads one subscription. A bar is complete when a later candle begins. In a quiet market that may take long:
    then the bar is asked for when it should be over.
    """

    def __init__(self, clock: Clock, candles: CcxtCandles, symbol: str, interval: BarInterval) -> None:
        self._clock = clock
        self._candles = candles
        self._symbol = symbol
        self._interval = interval
        self._tape = CandleTape(symbol, interval, clock.now())
        self._due: datetime | None = None

    async def read(self, exchange: Any) -> Sequence[Bar]:
        """The bars that became complete with what comes next."""
        patience = None if self._due is None else max(0.0, (self._due - self._clock.now()).total_seconds())
        try:
            async with asyncio.timeout(patience) as waited:
                given = await exchange.watch_ohlcv(self._symbol, timeframe(self._interval))
        except TimeoutError:
            if not waited.expired():
                raise
            return await self._settled()
        # What ccxt gives is what there was at the first of several messages; what it keeps is the newest.
        candles = exchange.ohlcvs.get(self._symbol, {}).get(timeframe(self._interval)) or given
        bars = self._tape.take([self._row(candle) for candle in list(candles)[-_MOST_NEWS:]])
        self._due = None if self._tape.closes is None else self._tape.closes + _SETTLING
        return bars

    def _row(self, candle: Sequence[object]) -> Row:
        row = row_of(candle)
        if not on_grid(time_of(row), self._interval):
            raise not_capable(NAME, f"the exchange has other bars of {self._interval.value}: its days are not UTC's")
        return row

    async def _settled(self) -> Sequence[Bar]:
        opens = self._tape.opens
        if opens is None:
            return []
        found = await self._candles.bars(BarRequest(self._symbol, self._interval, opens, opens + _INSTANT, 1))
        if any(bar.partial for bar in found.bars):
            self._due = self._clock.now() + _SETTLING
            return []
        self._due = None
        return self._tape.settle(found.bars)


class CandleTape:
    """Running candles in, bars out as they complete: when a later candle begins, for then the last word is said.

    Candles that were over before `started` are not news; those that exchanges make up for quiet spans are no bars.
    One that is broken when it completes raises Unavailable: whoever listens must read it otherwise.
    """

    def __init__(self, symbol: str, interval: BarInterval, started: datetime) -> None:
        self._symbol = symbol
        self._interval = interval
        self._started = started
        self._running: Row | None = None

    @property
    def opens(self) -> datetime | None:
        """When the running candle began."""
        return None if self._running is None else time_of(self._running)

    @property
    def closes(self) -> datetime | None:
        """When the running candle will be over."""
        return None if self._running is None else time_of(self._running) + length(self._interval)

    def take(self, rows: Sequence[Row]) -> list[Bar]:
        bars = list[Bar]()
        for row in sorted(rows, key=time_of):
            if time_of(row) + length(self._interval) <= self._started:
                continue
            if self._running is not None and time_of(row) < time_of(self._running):
                continue
            if self._running is not None and time_of(row) > time_of(self._running):
                bars.extend(self._bar(self._running))
            self._running = row
        return bars

    def settle(self, bars: Sequence[Bar]) -> list[Bar]:
        """The running candle is over, and no later one has come: `bars` is what it was, by request."""
        if self._running is not None:
            self._started, self._running = time_of(self._running) + length(self._interval), None
        return list(bars)

    def _bar(self, row: Row) -> list[Bar]:
        opens, closes = time_of(row), time_of(row) + length(self._interval)
        wanted = Shape(
            symbol=self._symbol,
            interval=self._interval,
            source_interval=self._interval,
            hours=CRYPTO_HOURS,
            start=opens,
            end=closes,
            now=closes,
            adjustment=PriceAdjustment.RAW,
        )
        bars, broken = shape([row], wanted)
        if broken:
            raise unavailable(NAME, "a candle makes no sense")
        return bars
