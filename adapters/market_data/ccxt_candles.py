"""Bars of any interval out of the candles that an exchange gives, page by page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from adapters.market_data.ccxt_line import CcxtLine
from adapters.market_data.ccxt_settings import NAME
from adapters.market_data.conventions import CRYPTO_HOURS
from adapters.market_data.provider_errors import not_capable, unavailable
from adapters.market_data.raw_rows import price_of, size_of, utc_of_ms
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import BarInterval
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, shape, source_interval

Row = RawBar | datetime

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_TRADE = datetime(2009, 10, 5, tzinfo=UTC)
"""Nobody had exchanged a coin before."""
_USUAL_PAGE = 100
_LONGEST = {BarInterval.DAY_1: _DAY, BarInterval.WEEK_1: 7 * _DAY, BarInterval.MONTH_1: 31 * _DAY}


def timeframe(interval: BarInterval) -> str:
    """What ccxt calls the interval."""
    return "1M" if interval is BarInterval.MONTH_1 else interval.value


def length(interval: BarInterval) -> timedelta:
    """The longest span that a bar of the interval covers, of a market that never closes."""
    return interval.fixed_length or _LONGEST[interval]


def row_of(candle: Sequence[object]) -> Row:
    """A candle [ms, open, high, low, close, volume] of ccxt; only its time when a value is none. Raises Unavailable."""
    at = utc_of_ms(candle[0])
    if at is None or len(candle) < 6:
        raise unavailable(NAME, "the candles make no sense")
    opens, high, low, close = (price_of(value) for value in candle[1:5])
    volume = size_of(candle[5])
    if opens is None or high is None or low is None or close is None or volume is None:
        return at
    # Exchanges fill quiet spans with the last price, and a volume of nothing.
    return RawBar(at, opens, high, low, close, volume, None, None if volume else 0)


def time_of(row: Row) -> datetime:
    return row.open_time if isinstance(row, RawBar) else row


def on_grid(at: datetime, interval: BarInterval) -> bool:
    return not (at - _EPOCH) % length(interval)


class _OffGrid(Exception):
    """Candles that do not begin where the contract's bars begin: days of another time zone."""


class CcxtCandles:
    def __init__(self, line: CcxtLine) -> None:
        self._line = line
        self._off_grid: set[BarInterval] = set()

    async def bars(self, request: BarRequest) -> FetchedBars:
        exchange = await self._line.require("fetchOHLCV", "candles")
        while True:
            source = self._source(exchange, request.interval)
            try:
                return await _Fetch(self._line, exchange, request, source).run()
            except _OffGrid:
                self._off_grid.add(source)

    def _source(self, exchange: Any, wanted: BarInterval) -> BarInterval:
        frames: Mapping[str, object] = exchange.timeframes or {}
        # Weeks begin on Thursday at some exchanges.
        offered = [
            interval
            for interval in BarInterval
            if timeframe(interval) in frames
            and interval not in self._off_grid
            and interval not in (BarInterval.WEEK_1, BarInterval.MONTH_1)
        ]
        try:
            return source_interval(wanted, offered, CRYPTO_HOURS)
        except ValueError:
            raise not_capable(NAME, f"{exchange.id} has no candles that make bars of {wanted.value}") from None


class _Fetch:
    """The pages of one request, from the oldest on, until there are bars enough."""

    def __init__(self, line: CcxtLine, exchange: Any, request: BarRequest, source: BarInterval) -> None:
        self._line = line
        self._exchange = exchange
        self._request = request
        self._source = source
        self._step = length(source)
        self._rows: list[Row] = []
        self._shape = Shape(
            symbol=request.symbol,
            interval=request.interval,
            source_interval=source,
            hours=CRYPTO_HOURS,
            start=request.start,
            end=request.end,
            now=line.venue_now(),
            adjustment=request.adjustment,
        )

    async def run(self) -> FetchedBars:
        ratio = ceil(length(self._request.interval) / self._step)
        limit = self._request.limit
        # Bars are whole only when a row of the next one is there.
        enough, traded = (limit + 1) * ratio, 0
        async for page in self._pages():
            self._rows.extend(page)
            traded += sum(map(_traded, page))
            if traded >= enough:
                found = self._shaped()
                if len(found.bars) > limit:
                    return _first(found, limit)
                enough = traded + (limit + 1 - len(found.bars)) * ratio
        return _first(self._shaped(), limit)

    def _shaped(self) -> FetchedBars:
        """A candle that another one follows is over, whatever the clocks say."""
        newest = max(map(time_of, self._rows), default=self._shape.now)
        return FetchedBars(*shape(self._rows, replace(self._shape, now=max(self._line.venue_now(), newest))))

    async def _pages(self) -> AsyncIterator[list[Row]]:
        start, end = rows_needed(self._shape)
        cursor: datetime | None = max(_floor(start, self._step), self._first_candle())
        size = self._page_size(self._source)
        while cursor is not None and cursor < end:
            page = [row for row in await self._page(self._source, cursor, size) if time_of(row) >= cursor]
            if page:
                yield page
                cursor = max(map(time_of, page)) + self._step
                if cursor > self._line.venue_now():
                    return
            else:
                cursor = await self._next_traded(cursor + size * self._step, end)

    async def _next_traded(self, at: datetime, end: datetime) -> datetime | None:
        """Where to look from `at` on, after an empty page. It may be that there is nothing any more, or nothing
        within the span that this exchange looks at for one page: days show it in few requests.
        """
        if self._source is BarInterval.DAY_1 or timeframe(BarInterval.DAY_1) not in self._exchange.timeframes:
            return at if at <= self._line.venue_now() else None
        size = self._page_size(BarInterval.DAY_1)
        cursor = _floor(at, _DAY)
        while cursor < end and cursor <= self._line.venue_now():
            # Days of another time zone begin up to a day earlier.
            days = [time_of(row) for row in await self._page(BarInterval.DAY_1, cursor, size) if _traded(row)]
            later = [day for day in days if day + _DAY > at]
            if later:
                return max(at, _floor(min(later), self._step))
            cursor += size * _DAY
        return None

    async def _page(self, interval: BarInterval, since: datetime, size: int) -> list[Row]:
        since_ms = (since - _EPOCH) // timedelta(milliseconds=1)
        rows = await self._line.ask(_rows, "fetch_ohlcv", self._request.symbol, timeframe(interval), since_ms, size)
        if interval is self._source and not all(on_grid(time_of(row), interval) for row in rows):
            if interval is BarInterval.DAY_1:
                raise _OffGrid
            raise unavailable(NAME, "candles begin between the times at which they should")
        return rows

    def _page_size(self, interval: BarInterval) -> int:
        most = self._exchange.feature_value(self._request.symbol, "fetchOHLCV", "limit")
        return most if isinstance(most, int) and most > 0 else _USUAL_PAGE

    def _first_candle(self) -> datetime:
        created = utc_of_ms(self._exchange.market(self._request.symbol).get("created"))
        return _floor(max(created or _FIRST_TRADE, _FIRST_TRADE), self._step)


def _rows(candles: Sequence[Sequence[object]]) -> list[Row]:
    return [row_of(candle) for candle in candles]


def _traded(row: Row) -> bool:
    return isinstance(row, RawBar) and row.trade_count != 0


def _first(found: FetchedBars, limit: int) -> FetchedBars:
    if len(found.bars) <= limit:
        return found
    bars = found.bars[:limit]
    end = bars[-1].close_time if bars else None
    return FetchedBars(bars, [span for span in found.invalid if end is not None and span[0] < end])


def _floor(at: datetime, step: timedelta) -> datetime:
    return at - (at - _EPOCH) % step
