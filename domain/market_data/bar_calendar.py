"""Which spans bars cover: multiples of their interval from the open of a session, or the venue's days and longer."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.market_data.bar import BarInterval
from domain.market_data.trading_hours import Session, TradingHours

Span = tuple[datetime, datetime]

_DAY = timedelta(days=1)
_LONGEST_PERIOD = timedelta(days=33)
_INSTANT = timedelta(microseconds=1)
_LONGEST_CLOSURE_DAYS = 15


def sessions_from(hours: TradingHours, at: datetime) -> Iterator[Session]:
    """The session that is running at `at`, and all later ones that the calendar knows."""
    return hours.sessions(at)


def last_session_before(hours: TradingHours, at: datetime) -> Session | None:
    """The last session that opened before `at`; None when none did within the longest closure."""
    for days in range(1, _LONGEST_CLOSURE_DAYS + 1):
        found = None
        for session in hours.sessions(at - days * _DAY):
            if session.open >= at:
                break
            found = session
        if found is not None:
            return found
    return None


def expected_open(hours: TradingHours, interval: BarInterval, at: datetime) -> datetime | None:
    """When the first bar at or after `at` should open, by the contract's rules for bars; None if never."""
    length = interval.fixed_length
    if length is None:
        return _period_open(hours, interval, at)
    for session in hours.sessions(at):
        opens = session.open + max(0, -((session.open - at) // length)) * length
        if opens < session.close:
            return opens
    return None


def expected_close(hours: TradingHours, interval: BarInterval, at: datetime) -> datetime | None:
    """When the bar that is running at `at`, or the first one after it, is complete; None if never."""
    span = span_at(hours, interval, at)
    return None if span is None else span[1]


def span_at(hours: TradingHours, interval: BarInterval, at: datetime) -> Span | None:
    """The span of the bar that is running at `at`, or of the first one after it."""
    length = interval.fixed_length
    if length is None:
        return next((span for _, span in periods_from(hours, interval, at)), None)
    for session in hours.sessions(at):
        opens = session.open + max(0, (at - session.open) // length) * length
        return opens, min(opens + length, session.close)
    return None


def session_day(hours: TradingHours, session: Session) -> date:
    """The venue's day that the session belongs to; Sunday evening belongs to Monday."""
    return (session.close - _INSTANT).astimezone(ZoneInfo(hours.time_zone)).date()


def period_of(interval: BarInterval, day: date) -> date:
    """The first calendar day of the bar of a day or longer that holds `day`."""
    if interval is BarInterval.WEEK_1:
        return day - day.weekday() * _DAY
    return day.replace(day=1) if interval is BarInterval.MONTH_1 else day


def periods_from(hours: TradingHours, interval: BarInterval, at: datetime) -> Iterator[tuple[date, Span]]:
    """The bars of a day or longer that are running at `at` or open later: their first calendar day and span."""
    running: tuple[date, Span] | None = None
    for session in hours.sessions(at - _LONGEST_PERIOD):
        period = period_of(interval, session_day(hours, session))
        if running is not None and running[0] == period:
            running = (period, (running[1][0], session.close))
            continue
        if running is not None and running[1][1] > at:
            yield running
        running = (period, (session.open, session.close))
    if running is not None and running[1][1] > at:
        yield running


def _period_open(hours: TradingHours, interval: BarInterval, at: datetime) -> datetime | None:
    for _, (opens, _) in periods_from(hours, interval, at):
        if opens >= at:
            return opens
    return None
