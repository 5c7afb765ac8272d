"""Bars of recordings: which file they are made of, and making them piece by piece."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from adapters.market_data.provider_errors import not_capable
from adapters.market_data.replay_folder import BARS, Contents, Reading, RecordedFile
from adapters.market_data.replay_rows import BARS as BAR_ROWS
from adapters.market_data.replay_rows import BadFile
from adapters.market_data.replay_settings import NAME
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_calendar import Span, span_at
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, shape
from domain.market_data.instrument import Instrument
from domain.market_data.trading_hours import TradingHours

Row = RawBar | datetime

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_INSTANT = timedelta(microseconds=1)
_FIRST_PIECE, _LARGEST_PIECE = 500, 20_000
_LOOKED_AT = 500


class Shaper:
    """Rows in the order of time, given in pieces, made into bars as if they had come at once.

    The last bar is held back until later rows, or `finish`, show that it has all of its own. Long bars of short rows
    are made by way of a middle length, so that the rows of one bar, which are what is held, stay few.
    """

    def __init__(self, wanted: Shape) -> None:
        self._length = wanted.source_interval.fixed_length
        middle = _middle(wanted)
        self._middle = None if middle is None else Shaper(replace(wanted, interval=middle, end=rows_needed(wanted)[1]))
        self._wanted = wanted if middle is None else replace(wanted, source_interval=middle, recorded=False)
        self._rows: list[Row] = []
        self._held: Span | None = None
        self._reached = wanted.start

    def feed(self, rows: Sequence[Row]) -> tuple[list[Bar], list[Span]]:
        """The bars, and the spans that broken rows spoil, which later rows cannot change; both oldest first."""
        if rows:
            self._reached = _stamp(rows[-1]) + (self._length or _DAY)
        self._rows += rows if self._middle is None else _as_rows(self._middle, *self._middle.feed(rows))
        bars, invalid = shape(self._rows, self._wanted)
        self._held = max([*map(_span, bars[-1:]), *map(self._last_in, invalid[-1:])], default=None)
        if self._held is None:
            return [], []
        since, long = self._held[0], self._wanted.source_interval.fixed_length is None
        self._wanted = replace(self._wanted, start=since)
        self._rows = [row for row in self._rows if _stamp(row) >= (since - _WEEK if long else since)]
        return [bar for bar in bars if bar.open_time < since], [
            (start, min(end, since)) for start, end in invalid if start < since
        ]

    def finish(self) -> tuple[list[Bar], list[Span]]:
        """What was held back. Later rows make later bars."""
        if self._middle is not None:
            self._rows += _as_rows(self._middle, *self._middle.finish())
        bars, invalid = shape(self._rows, self._wanted)
        ends = max([bar.close_time for bar in bars] + [end for _, end in invalid], default=self._wanted.start)
        self._wanted, self._rows, self._held = replace(self._wanted, start=ends), [], None
        return bars, invalid

    @property
    def interval(self) -> BarInterval:
        return self._wanted.interval

    @property
    def due(self) -> datetime | None:
        """When what is held back is over and its last row can be expected; None when nothing is held."""
        wanted = self._wanted
        held = self._held or (
            None
            if self._middle is None or self._middle.due is None
            else span_at(wanted.trading_hours, wanted.interval, self._middle.due - _INSTANT)
        )
        if held is None:
            return None
        late = self._length is not None and self._reached < held[1]
        return held[1] + self._length if late and self._length is not None else held[1]

    def _last_in(self, spoiled: Span) -> Span:
        wanted = self._wanted
        return span_at(wanted.trading_hours, wanted.interval, spoiled[1] - _INSTANT) or spoiled


def _middle(wanted: Shape) -> BarInterval | None:
    length = wanted.source_interval.fixed_length
    if length is None:
        return None
    if wanted.interval in (BarInterval.WEEK_1, BarInterval.MONTH_1):
        return BarInterval.DAY_1
    short = wanted.interval in (BarInterval.SECOND_1, BarInterval.MINUTE_1)
    return BarInterval.MINUTE_1 if wanted.source_interval is BarInterval.SECOND_1 and not short else None


def _as_rows(made: Shaper, bars: Sequence[Bar], invalid: Sequence[Span]) -> list[Row]:
    rows: list[Row] = [
        RawBar(bar.open_time, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.vwap, bar.trade_count)
        for bar in bars
    ]
    for start, end in invalid:  # of bars that touch
        while start < end:
            rows.append(start)
            start += made.interval.fixed_length or _DAY
    return rows


def _span(bar: Bar) -> Span:
    return bar.open_time, bar.close_time


def _stamp(row: Row) -> datetime:
    return row.open_time if isinstance(row, RawBar) else row


# -- which file ---------------------------------------------------------------------------------------------


def source_of(
    contents: Contents, instrument: Instrument, interval: BarInterval, extended_hours: bool
) -> tuple[BarInterval, RecordedFile] | None:
    """The coarsest recording that bars of `interval` can be made of; None when there is none.

    Days come before what is finer for whatever is longer. Raises BadFile when rows that would do lie off the
    sessions' grid, or a file of the symbol cannot be used.
    """
    contents.check(BARS, instrument.symbol)
    files = contents.bars.get(instrument.symbol, {})
    if interval.fixed_length is None:
        for one in (BarInterval.DAY_1, interval):
            if one in files:
                return one, files[one]
    hours = instrument.hours.extended() if extended_hours and interval.fixed_length is not None else instrument.hours
    off_grid: RecordedFile | None = None
    for length, one in sorted(_dividing(interval, files), reverse=True):
        if _on_grid(files[one], hours, length):
            return one, files[one]
        off_grid = off_grid or files[one]
    if off_grid is not None:
        opens = f"{hours.opens:%H:%M} {hours.time_zone}"
        raise BadFile(off_grid.name, f"rows must begin at multiples of their interval from the open, {opens}")
    return None


def _dividing(interval: BarInterval, files: Iterable[BarInterval]) -> Iterator[tuple[timedelta, BarInterval]]:
    whole = interval.fixed_length
    for one in files:
        length = one.fixed_length
        if length is not None and (whole is None or not whole % length):
            yield length, one


@lru_cache(256)
def _on_grid(file: RecordedFile, hours: TradingHours, length: timedelta) -> bool:
    """As its first row within a session shows."""
    rows, _ = file.open(BAR_ROWS).read(0, _LOOKED_AT)
    for at, _ in rows:
        session = hours.session_at(at)
        if session is not None:
            return not (at - session.open) % length
    return True


# -- bars on request ----------------------------------------------------------------------------------------


def recorded_bars(contents: Contents, instrument: Instrument, request: BarRequest, now: datetime) -> FetchedBars:
    """Raises BadFile, OSError, and PreconditionFailed: PROVIDER_NOT_CAPABLE."""
    source = source_of(contents, instrument, request.interval, request.extended_hours)
    if source is None:
        raise _no_bars(contents, request)
    wanted = Shape(
        symbol=instrument.symbol,
        interval=request.interval,
        source_interval=source[0],
        hours=instrument.hours,
        start=request.start,
        end=request.end,
        now=now,
        adjustment=PriceAdjustment.RAW,
        extended_hours=request.extended_hours,
        recorded=True,
    )
    bars, invalid = list[Bar](), list[Span]()
    for found, spoiled in _pieces(source[1], wanted):
        bars += found
        invalid += spoiled
        if len(bars) >= request.limit:
            bars = bars[: request.limit]
            invalid = [span for span in invalid if span[0] < bars[-1].close_time]
            break
    return FetchedBars(bars, _joined(invalid))


def _pieces(file: RecordedFile, wanted: Shape) -> Iterator[tuple[list[Bar], list[Span]]]:
    since, until = rows_needed(wanted)
    reading = Reading(file, BAR_ROWS, since - _INSTANT)
    shaper, size = Shaper(wanted), _FIRST_PIECE
    while rows := reading.next(size):
        yield shaper.feed([row for at, row in rows if row is not None and at < until])
        if rows[-1][0] >= until or rows[-1][0] > wanted.now:
            break
        size = min(2 * size, _LARGEST_PIECE)
    yield shaper.finish()


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Spans that touch where one piece ended and the next began are one."""
    joined = list[Span]()
    for start, end in spans:
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, end))
    return joined


def _no_bars(contents: Contents, request: BarRequest) -> Exception:
    there = ", ".join(interval.value for interval in contents.bars.get(request.symbol, ())) or "none"
    return not_capable(
        NAME, f"no bars of {request.symbol} are recorded that make bars of {request.interval.value}; there are: {there}"
    )
