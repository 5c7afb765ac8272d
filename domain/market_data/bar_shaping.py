"""Rows as a source has them, made into the bars that the contract describes."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import groupby, takewhile
from operator import itemgetter
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.decimals import ZERO, settle
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_calendar import (
    Span,
    expected_open,
    last_session_before,
    period_of,
    periods_from,
    session_day,
    span_at,
)
from domain.market_data.trading_hours import TradingHours

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)
_LONGER_THAN_A_MONTH = timedelta(days=40)
_INFINITE = Decimal("Infinity")
_BEGINNING = itemgetter(0)


class RawBar(NamedTuple):
    """A row of a source: `open_time` is UTC; `vwap` and `trade_count` are None where the source does not say."""

    open_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    vwap: Decimal | None = None
    trade_count: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What is wanted of rows that are bars of `source_interval`: bars of `interval` that open in [start, end).

    `hours` are the venue's with the regular session; bars of less than a day are of its extended hours where
    `extended_hours` is set. What a source sends of the time after `now` is not shown. `recorded`: rows do not grow
    while they run, so each is known only when its own span is over.
    """

    symbol: str
    interval: BarInterval
    source_interval: BarInterval
    hours: TradingHours
    start: datetime
    end: datetime
    now: datetime
    adjustment: PriceAdjustment
    extended_hours: bool = False
    recorded: bool = False

    @property
    def trading_hours(self) -> TradingHours:
        """The hours whose sessions the wanted bars are anchored at."""
        extended = self.extended_hours and self.interval.fixed_length is not None
        return self.hours.extended() if extended else self.hours


def shape(rows: Iterable[RawBar | datetime | None], shape: Shape) -> tuple[list[Bar], list[Span]]:
    """The bars that `rows` make, and the spans [start, end) of those that broken rows spoil; both oldest first.

    A row that is only a datetime is one whose values were broken, at that open time; None is one of which not
    even that is known, so it may have been anywhere between its neighbours in the sequence. Of rows of one time
    the last in the sequence counts, and a sound one before a broken one. A bar made of several rows has all of
    them: where one is broken, there is no bar. Left out are rows outside the sessions, and those that say
    themselves that they hold no trade.

    Rows of less than a day lie on their grid from the open of the session; off it only the running one may.
    Rows of a day or longer are stamped by the open of the session, or by the midnight, of the venue or of UTC,
    with which their day begins.
    """
    given = list(rows)
    places = _Places(shape, [_stamp(row) for row in given if row is not None])
    doubts = list(_doubts(given, shape, places))
    bars, invalid = list[Bar](), list(doubts)
    slots = sorted(_slots(given, shape, places).values(), key=_BEGINNING)
    for (opens, closes), group in groupby(slots, key=itemgetter(1)):
        if not shape.start <= opens < shape.end:
            continue
        sound = [row for _, _, row in group]
        if None in sound or any(start < closes and opens < end for start, end in doubts):
            invalid.append((opens, closes))
        else:
            bars.append(_bar(shape, opens, closes, [row for row in sound if row is not None]))
    return bars, _merged(invalid)


def rows_needed(shape: Shape) -> Span:
    """[start, end) such that the rows stamped within it make all bars that `shape` wants."""
    running = span_at(shape.trading_hours, shape.interval, shape.end)
    end = running[1] if running is not None and running[0] < shape.end else shape.end
    if shape.source_interval.fixed_length is not None:
        return shape.start, end
    # Stamped by a midnight up to a day before its session, or by the day on which a week or month begins.
    return shape.start - (_DAY if shape.source_interval is BarInterval.DAY_1 else _WEEK), end + _DAY


def source_interval(wanted: BarInterval, offered: Collection[BarInterval], hours: TradingHours) -> BarInterval:
    """The coarsest of `offered`, whose rows lie on the clock's grid, that makes bars of `wanted`.

    Bars of less than a day are anchored at the sessions of `hours` (extended hours: give `hours.extended()`).
    Weeks and months are made of days where there are any: sources begin their weeks on other days. Raises
    ValueError when nothing offered will do.
    """
    if wanted.fixed_length is None:
        for interval in (BarInterval.DAY_1, wanted):
            if interval in offered:
                return interval
    fits = [
        (length, interval)
        for interval in offered
        if (length := interval.fixed_length) is not None and _fits(length, wanted, hours)
    ]
    if not fits:
        raise ValueError(f"no bars on offer make bars of {wanted.value}")
    return max(fits, key=_BEGINNING)[1]


def _fits(length: timedelta, wanted: BarInterval, hours: TradingHours) -> bool:
    """Whether a grid from midnight, the venue's or that of UTC, meets every bar's and session's edge all year."""
    whole = wanted.fixed_length
    if whole is not None and whole % length:
        return False
    zone = ZoneInfo(hours.time_zone)
    for at in {hours.opens, hours.closes, *(early for _, early in hours.early_closes)}:
        for day in _SUMMER_AND_WINTER:
            edge = datetime.combine(day, at, zone)
            if any(_since_midnight(seen) % length for seen in (edge, edge.astimezone(UTC))):
                return False
    return True


_SUMMER_AND_WINTER = (date(2024, 1, 10), date(2024, 7, 10))


def _since_midnight(at: datetime) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)


# -- where a row belongs ------------------------------------------------------------------------------------


class _Places:
    """The spans that rows cover, and the bars that they are part of, by the rows' time."""

    def __init__(self, shape: Shape, times: Sequence[datetime]) -> None:
        first = max(min(times, default=shape.start), shape.start - _LONGER_THAN_A_MONTH)
        last = min(max(times, default=shape.start), shape.end + _LONGER_THAN_A_MONTH)
        self._zone = ZoneInfo(shape.hours.time_zone)
        self._source, self._wanted = shape.source_interval, shape.interval
        reached = last + _WEEK
        self._sessions = [
            (session.open, session.close, session_day(shape.hours, session))
            for session in takewhile(lambda one: one.open <= reached, shape.trading_hours.sessions(first - _WEEK))
        ]
        self._days = [day for _, _, day in self._sessions]
        periods = periods_from(shape.hours, shape.interval, first - _WEEK) if self._wanted.fixed_length is None else ()
        self._periods = dict(takewhile(lambda one: one[1][0] <= reached, periods))
        self._session = (first, first, first.date())

    def find(self, at: datetime) -> tuple[Span, Span] | None:
        """The row's own span and its bar's; None where no session is."""
        length = self._source.fixed_length
        if length is None:
            return self._find_long(at)
        opens, closes, day = self._session
        if not opens <= at < closes:
            found = self._session_at(at)
            if found is None:
                return None
            opens, closes, day = self._session = found
        begins = at - (at - opens) % length
        slot = begins, min(begins + length, closes)
        whole = self._wanted.fixed_length
        if whole == length:
            return slot, slot
        if whole is None:
            return slot, self._periods[period_of(self._wanted, day)]
        begins = at - (at - opens) % whole
        return slot, (begins, min(begins + whole, closes))

    def _session_at(self, at: datetime) -> tuple[datetime, datetime, date] | None:
        position = bisect_right(self._sessions, at, key=_BEGINNING)
        found = self._sessions[position - 1] if position else None
        return found if found is not None and at < found[1] else None

    def _find_long(self, at: datetime) -> tuple[Span, Span] | None:
        day = self._day(at)
        position = bisect_left(self._days, day)
        if position == len(self._days):
            return None
        opens, closes, following = self._sessions[position]
        target = self._periods.get(period_of(self._wanted, following))
        if target is None:
            return None
        if self._source is not BarInterval.DAY_1:
            return target, target
        return ((opens, closes), target) if following == day else None

    def _day(self, at: datetime) -> date:
        session = self._session_at(at)
        if session is not None:
            return session[2]
        local = at.astimezone(self._zone)
        return at.date() if not _since_midnight(at) and _since_midnight(local) else local.date()


_Slot = tuple[datetime, Span, RawBar | None]


def _slots(given: Iterable[RawBar | datetime | None], shape: Shape, places: _Places) -> dict[datetime, _Slot]:
    """By its opening the span that each row covers, with its bar's and the row, None for a broken one."""
    slots: dict[datetime, _Slot] = {}
    on_grid = set[datetime]()
    long = shape.source_interval.fixed_length is None
    for row in sorted((row for row in given if row is not None), key=_stamp):
        if isinstance(row, RawBar) and row.trade_count == 0 and not row.volume:
            continue
        at = _stamp(row)
        place = places.find(at)
        if place is None:
            continue
        (opens, closes), target = place
        if (closes if shape.recorded else opens) > shape.now:
            continue
        exact = at == opens
        sound = row if isinstance(row, RawBar) and (exact or long or closes > shape.now) and _sound(row) else None
        if opens not in slots or (sound is not None and (exact or opens not in on_grid)):
            slots[opens] = opens, target, sound
            if exact and sound is not None:
                on_grid.add(opens)
    return slots


def _sound(row: RawBar) -> bool:
    low, high = row.low, row.high
    try:
        return (
            ZERO < low <= row.open <= high < _INFINITE and low <= row.close <= high and ZERO <= row.volume < _INFINITE
        )
    except InvalidOperation:  # a NaN
        return False


def _stamp(row: RawBar | datetime) -> datetime:
    return row.open_time if isinstance(row, RawBar) else row


def _doubts(given: Sequence[RawBar | datetime | None], shape: Shape, places: _Places) -> Iterator[Span]:
    """The spans in which rows of unknown time may have been."""
    if None not in given:
        return
    before, end = shape.start, min(shape.end, shape.now)
    unknown = False
    for row in given:
        if row is not None:
            opens, closes = _own_span(places, _stamp(row))
            if unknown:
                yield from _open_part(shape, before, opens)
            before = closes
        unknown = row is None
    if unknown:
        yield from _open_part(shape, before, end)


def _own_span(places: _Places, at: datetime) -> Span:
    place = places.find(at)
    return (at, at) if place is None else place[0]


def _open_part(shape: Shape, start: datetime, end: datetime) -> Iterator[Span]:
    """[start, end) from the first row that may be missing in it to the end of the last one, if there is any."""
    end = min(end, shape.end, shape.now)
    opens = expected_open(shape.trading_hours, shape.source_interval, max(start, shape.start))
    session = last_session_before(shape.trading_hours, end)
    if opens is not None and session is not None and opens < (closes := min(end, session.close)):
        yield opens, closes


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged = list[Span]()
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


# -- what a bar holds ---------------------------------------------------------------------------------------


def _bar(shape: Shape, opens: datetime, closes: datetime, rows: Sequence[RawBar]) -> Bar:
    first, counts = rows[0], [row.trade_count for row in rows]
    alone = len(rows) == 1
    return Bar(
        symbol=shape.symbol,
        interval=shape.interval,
        open_time=opens,
        close_time=closes,
        open=first.open,
        high=first.high if alone else max([row.high for row in rows]),
        low=first.low if alone else min([row.low for row in rows]),
        close=rows[-1].close,
        volume=first.volume if alone else sum([row.volume for row in rows], ZERO),
        trade_count=_total(counts),
        partial=closes > shape.now,
        vwap=_vwap(rows),
        adjustment=shape.adjustment,
    )


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None and count >= 0]
    return sum(known) if len(known) == len(counts) else None


def _vwap(rows: Sequence[RawBar]) -> Decimal | None:
    """The average of the rows' averages, weighted by volume; None where a row that traded has none."""
    if len(rows) == 1:
        return _price(rows[0].vwap)
    volume = value = ZERO
    for row in rows:
        if row.volume:
            average = _price(row.vwap)
            if average is None:
                return None
            volume += row.volume
            value += average * row.volume
    return settle(value / volume) if volume else None


def _price(vwap: Decimal | None) -> Decimal | None:
    return vwap if vwap is not None and vwap.is_finite() and vwap > 0 else None
