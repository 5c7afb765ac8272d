"""Bars on request: as many pages as the answer needs, shaped to the contract's bars."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alpaca.data.enums import Adjustment, DataFeed
from alpaca.data.requests import CryptoBarsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from adapters.market_data.alpaca_rest import AlpacaRest, Nonsense, Refused, is_unknown_symbol, requests_made
from adapters.market_data.alpaca_rows import is_crypto, raw_bar
from adapters.market_data.alpaca_settings import AlpacaSettings
from adapters.market_data.conventions import CRYPTO_HOURS, US_EQUITY_HOURS
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, shape, source_interval

Rows = list[RawBar | datetime | None]

_FEWEST_ROWS, _MOST_ROWS = 1_000, 10_000
_INSTANT = timedelta(microseconds=1)
_LATE = timedelta(minutes=1)
_DAY = timedelta(days=1)
_DAYS = {BarInterval.DAY_1: 1, BarInterval.WEEK_1: 7, BarInterval.MONTH_1: 31}

_CLOCK_FRAMES = {
    BarInterval.MINUTE_1: TimeFrame(1, TimeFrameUnit.Minute),
    BarInterval.MINUTE_5: TimeFrame(5, TimeFrameUnit.Minute),
    BarInterval.MINUTE_15: TimeFrame(15, TimeFrameUnit.Minute),
    BarInterval.MINUTE_30: TimeFrame(30, TimeFrameUnit.Minute),
    BarInterval.HOUR_1: TimeFrame(1, TimeFrameUnit.Hour),
}
# The vendor's days of crypto have begun at midnight of Chicago and of UTC: only its hours are always the same.
_STOCK_FRAMES = {**_CLOCK_FRAMES, BarInterval.DAY_1: TimeFrame(1, TimeFrameUnit.Day)}
_ADJUSTMENTS = {
    PriceAdjustment.RAW: Adjustment.RAW,
    PriceAdjustment.SPLITS: Adjustment.SPLIT,
    PriceAdjustment.ALL: Adjustment.ALL,
}


@dataclass(frozen=True, slots=True)
class BarFetch:
    """Gets the bars of one request at `now`; `fetch` runs on a thread."""

    settings: AlpacaSettings
    request: BarRequest
    now: datetime

    def fetch(self, rest: AlpacaRest) -> FetchedBars:
        wanted = self._shape()
        if wanted.start >= wanted.end:
            return FetchedBars(())
        start, end = rows_needed(wanted)
        rows, count, enough = Rows(), self._rows_at_first(wanted), self.request.limit
        while True:
            page = self._rows(rest, wanted, start, end, count)
            rows += page
            if len(page) < count:
                return _oldest(*shape(rows, wanted), self.request.limit)
            known = _last_time(page)
            if known is None or known <= start:
                raise Nonsense("its rows do not get on")
            if len(rows) >= enough:
                # What the last row belongs to may not be whole, and each bar that is missing needs a row or more.
                found = _oldest(*shape(rows, replace(wanted, end=min(wanted.end, known))), self.request.limit)
                if len(found.bars) == self.request.limit and found.bars[-1].close_time <= known:
                    return found
                enough = len(rows) + max(1, self.request.limit - len(found.bars))
            start, count = known, _MOST_ROWS

    def _shape(self) -> Shape:
        request, crypto = self.request, is_crypto(self.request.symbol)
        now = self.now if crypto or not self.settings.delay else self.now - self.settings.delay - _LATE
        frames: Collection[BarInterval] = _CLOCK_FRAMES if crypto else _STOCK_FRAMES
        shaped = Shape(
            symbol=request.symbol,
            interval=request.interval,
            source_interval=request.interval,
            hours=CRYPTO_HOURS if crypto else US_EQUITY_HOURS,
            start=request.start,
            end=min(request.end, now + _INSTANT),
            now=now,
            adjustment=request.adjustment,
            extended_hours=request.extended_hours,
        )
        return replace(shaped, source_interval=source_interval(request.interval, frames, shaped.trading_hours))

    def _rows_at_first(self, wanted: Shape) -> int:
        """As many as should do: stocks have rows around the session too, about as many as in it."""
        row = wanted.source_interval.fixed_length or _DAY
        each = (wanted.interval.fixed_length or _DAYS[wanted.interval] * _DAY) // row
        return min(_MOST_ROWS, max(_FEWEST_ROWS, 3 * each * (self.request.limit + 1)))

    def _rows(self, rest: AlpacaRest, wanted: Shape, start: datetime, end: datetime, count: int) -> Rows:
        made = requests_made()
        try:
            answer = self._ask(rest, wanted, start, min(end, wanted.now), count)
        except Refused as refused:
            if is_unknown_symbol(refused):
                return []
            raise
        found = answer.get(wanted.symbol, []) if isinstance(answer, dict) else None
        if found is None and isinstance(answer, dict) and requests_made() == made + 1:
            return []
        # The SDK lets a later page without rows take the place of the earlier ones.
        if not isinstance(found, list):
            raise Nonsense("its bars are no list")
        return [raw_bar(row) for row in found]

    def _ask(self, rest: AlpacaRest, wanted: Shape, start: datetime, end: datetime, count: int) -> object:
        frame = _STOCK_FRAMES[wanted.source_interval]
        if is_crypto(wanted.symbol):
            return rest.crypto.get_crypto_bars(
                CryptoBarsRequest(symbol_or_symbols=wanted.symbol, timeframe=frame, start=start, end=end, limit=count)
            )
        return rest.stocks.get_stock_bars(
            StockBarsRequest(
                symbol_or_symbols=wanted.symbol,
                timeframe=frame,
                start=start,
                end=end,
                limit=count,
                adjustment=_ADJUSTMENTS[wanted.adjustment],
                feed=DataFeed.SIP if self.settings.delay else DataFeed(self.settings.feed),
            )
        )


def _last_time(rows: Rows) -> datetime | None:
    times = [row.open_time if isinstance(row, RawBar) else row for row in rows if row is not None]
    return max(times, default=None)


def _oldest(bars: list[Bar], invalid: list[tuple[datetime, datetime]], limit: int) -> FetchedBars:
    if len(bars) <= limit:
        return FetchedBars(bars, invalid)
    last = bars[limit - 1].close_time
    return FetchedBars(bars[:limit], [span for span in invalid if span[0] < last])
