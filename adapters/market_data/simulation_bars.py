"""Bars over a simulated price path: which spans of time they cover, and what had been traded in them by then."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import chain, groupby, islice, takewhile

import numpy as np
from numpy.typing import NDArray

from adapters.market_data.simulation_path import (
    HOUR_MINUTES,
    LOTS,
    PRINTS,
    SLOT,
    PricePath,
    Prints,
    Spans,
    merged,
)
from adapters.market_data.simulation_sessions import FIRST_YEAR, SessionCalendar, TradingDay
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_INSTANT = timedelta(microseconds=1)
_LONGER_THAN_A_MONTH = timedelta(days=40)
_SECOND_SLOTS = timedelta(seconds=1) // SLOT
_MINUTE_SECONDS = 60
_FIRST_MOMENT = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)

_PERIOD_OF: dict[BarInterval, Callable[[date], date]] = {
    BarInterval.DAY_1: lambda on: on,
    BarInterval.WEEK_1: lambda on: on - timedelta(days=on.weekday()),
    BarInterval.MONTH_1: lambda on: on.replace(day=1),
}
"""What the trading days of one bar have in common."""


@dataclass(frozen=True, slots=True)
class BarQuery:
    """At most `limit` bars that open in [start, end), oldest first, as they look at `now`."""

    interval: BarInterval
    start: datetime
    end: datetime
    limit: int
    now: datetime


class SimulatedBars:
    """The bars of one instrument.

    Within a session they start at multiples of their interval from its open, and the last ends at its close.
    A span without a print has no bar. Nothing that happens after `now` shows in any of them.
    """

    def __init__(self, instrument: Instrument, path: PricePath, calendar: SessionCalendar) -> None:
        self._instrument = instrument
        self._path = path
        self._calendar = calendar

    def bars(self, query: BarQuery) -> list[Bar]:
        start, end = max(query.start, _FIRST_MOMENT), min(query.end, query.now + _INSTANT)
        query = BarQuery(query.interval, start, end, query.limit, query.now)
        length = query.interval.fixed_length
        if length is None:
            return self._calendar_bars(query)
        sessions = (self._session_bars(query, length, day) for day in self._calendar.overlapping(start, end))
        return list(islice(chain.from_iterable(sessions), query.limit))

    def next_span(self, interval: BarInterval, after: datetime) -> tuple[datetime, datetime]:
        """Open and close of the first bar that closes after `after`."""
        length = interval.fixed_length
        if length is None:
            periods = _periods(interval, self._calendar.since(after - _LONGER_THAN_A_MONTH))
            period = next(days for days in periods if days[-1].close > after)
            return period[0].open, period[-1].close
        day = self._calendar.before(after)
        if day is None or day.close <= after:
            day = next(self._calendar.since(after))
        opens = day.open + max(0, (after - day.open) // length) * length
        return opens, min(opens + length, day.close)

    def _session_bars(self, query: BarQuery, length: timedelta, day: TradingDay) -> Iterator[Bar]:
        first = max(0, _rounded_up(query.start - day.open, length))
        last = _rounded_up(min(query.end, day.close) - day.open, length)
        if length >= _MINUTE:  # Each of these has a print, so there is no need to look beyond the limit.
            last = min(last, first + query.limit)
        ends = min(day.open + last * length, day.close)
        minutes = range(first * length // _MINUTE, _rounded_up(ends - day.open, _MINUTE))
        for positions, units in self._pieces(day, length, minutes, query.now):
            inside = (positions >= first) & (positions < last)
            positions, units = positions[inside], units[:, inside]
            firsts = np.flatnonzero(np.diff(positions, prepend=-1))
            opens = [day.open + position * length for position in positions[firsts].tolist()]
            spans = [(moment, min(moment + length, day.close)) for moment in opens]
            yield from self._bars(query, spans, units, firsts)

    def _pieces(
        self, day: TradingDay, length: timedelta, minutes: range, now: datetime
    ) -> Iterator[tuple[NDArray[np.int64], Spans]]:
        """What the bars over `minutes` consist of, each unit with its bar's position, in parts of whole bars."""
        if length < _MINUTE:
            for minute in minutes:
                prints = self._printed(day, minute, now)
                yield minute * _MINUTE_SECONDS + prints.slots // _SECOND_SLOTS, prints.spans
        elif minutes:
            hours = range(minutes.start // HOUR_MINUTES, -(-minutes.stop // HOUR_MINUTES))
            if length < _HOUR:
                units = np.hstack([self._minutes(day, hour, now) for hour in hours])
                yield _positions(hours.start * HOUR_MINUTES, units, length // _MINUTE), units
            else:
                units = self._hours(day, now)[:, hours.start : hours.stop]
                yield _positions(hours.start, units, length // _HOUR), units

    def _calendar_bars(self, query: BarQuery) -> list[Bar]:
        periods = _periods(query.interval, self._calendar.since(query.start - _LONGER_THAN_A_MONTH))
        opened = takewhile(lambda days: days[0].open < query.end, periods)
        chosen = list(islice((days for days in opened if days[0].open >= query.start), query.limit))
        traded = [[day for day in days if day.open <= query.now] for days in chosen]
        units = self._days(list(chain.from_iterable(traded)), query.now)
        firsts = np.cumsum([0, *map(len, traded)])[:-1]
        spans = [(days[0].open, days[-1].close) for days in chosen]
        return list(self._bars(query, spans, units, firsts[firsts < units.shape[1]]))

    def _days(self, days: Sequence[TradingDay], now: datetime) -> Spans:
        """The sessions of `days`; the last one as far as it got, if it got anywhere."""
        if not days:
            return np.empty((LOTS + 1, 0))
        spans = self._path.days(days)
        if days[-1].close <= now:
            return spans
        return np.hstack((spans[:, :-1], _whole(self._hours(days[-1], now))))

    def _hours(self, day: TradingDay, now: datetime) -> Spans:
        hours = self._path.hours(day)
        over = (now - day.open) // _HOUR
        if now >= day.close:
            return hours
        return np.hstack((hours[:, :over], _whole(self._minutes(day, over, now))))

    def _minutes(self, day: TradingDay, hour: int, now: datetime) -> Spans:
        minutes = self._path.minutes(day, hour)
        running = (now - day.open) // _MINUTE
        over = running - hour * HOUR_MINUTES
        if over >= minutes.shape[1]:
            return minutes
        return np.hstack((minutes[:, :over], _whole(self._printed(day, running, now).spans)))

    def _printed(self, day: TradingDay, minute: int, now: datetime) -> Prints:
        prints = self._path.prints(day, minute)
        elapsed = (now - day.open - minute * _MINUTE) // SLOT
        count = int(np.searchsorted(prints.slots, elapsed, side="right"))
        return Prints(prints.slots[:count], prints.spans[:, :count])

    def _bars(
        self,
        query: BarQuery,
        spans: Sequence[tuple[datetime, datetime]],
        units: Spans,
        firsts: NDArray[np.int64],
    ) -> Iterator[Bar]:
        """One bar for each of `firsts`, the column of `units` with which it begins."""
        if not firsts.size:
            return
        symbol, tick, lot = self._instrument.symbol, self._instrument.tick_size, self._instrument.lot_size
        made = merged(units, firsts)
        prices = np.rint(made[:4] / float(tick)).astype(np.int64).T.tolist()
        for (opens, closes), (open_, high, low, close), lots, prints in zip(
            spans[: firsts.size], prices, made[LOTS].tolist(), made[PRINTS].tolist(), strict=True
        ):
            yield Bar(
                symbol=symbol,
                interval=query.interval,
                open_time=opens,
                close_time=closes,
                open=open_ * tick,
                high=high * tick,
                low=low * tick,
                close=close * tick,
                volume=Decimal(lots) * lot,
                trade_count=int(prints),
                partial=closes > query.now,
            )


def _periods(interval: BarInterval, days: Iterable[TradingDay]) -> Iterator[list[TradingDay]]:
    period_of = _PERIOD_OF[interval]
    for _, group in groupby(days, key=lambda day: period_of(day.date)):
        yield list(group)


def _rounded_up(span: timedelta, length: timedelta) -> int:
    return -(-span // length)


def _positions(first: int, units: Spans, units_a_bar: int) -> NDArray[np.int64]:
    return (first + np.arange(units.shape[1])) // units_a_bar


def _whole(spans: Spans) -> Spans:
    """All of `spans` as one, or none if there is none."""
    return merged(spans, np.zeros(1, np.int64)) if spans.shape[1] else spans
