"""What trading hours say about a moment: whether the market is open, until when, and when a bar should open."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.market_data.bar import BarInterval
from domain.market_data.trading_hours import Session, TradingHours

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_LONGEST_CLOSURE_DAYS = 15
_UNBROKEN_SESSIONS = 15
"""So many sessions one after the other without a break are trading around the clock."""


@dataclass(frozen=True, slots=True)
class MarketState:
    """`next_change` is when `open` turns, None when it never does or no session is known."""

    open: bool
    next_change: datetime | None


def market_state(hours: TradingHours, at: datetime) -> MarketState:
    sessions = sessions_from(hours, at)
    session = next(sessions, None)
    if session is None or session.open > at:
        return MarketState(False, None if session is None else session.open)
    for following, _ in zip(sessions, range(_UNBROKEN_SESSIONS), strict=False):
        if following.open > session.close:
            return MarketState(True, session.close)
        session = following
    return MarketState(True, None)


def sessions_from(hours: TradingHours, at: datetime) -> Iterator[Session]:
    """The session that is running at `at`, and all later ones that the calendar knows."""
    try:
        while True:
            session = hours.next_session(at)
            yield session
            at = session.close
    except (ValueError, OverflowError):
        return


def last_session_before(hours: TradingHours, at: datetime) -> Session | None:
    """The last session that opened before `at`; None when none did within the longest closure."""
    for days in range(1, _LONGEST_CLOSURE_DAYS + 1):
        found = None
        for session in sessions_from(hours, at - days * _DAY):
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
    for session in sessions_from(hours, at):
        opens = session.open + max(0, -((session.open - at) // length)) * length
        if opens < session.close:
            return opens
    return None


def _period_open(hours: TradingHours, interval: BarInterval, at: datetime) -> datetime | None:
    before = last_session_before(hours, at)
    period = _period(hours, interval, before) if before is not None else None
    for session in sessions_from(hours, at):
        if session.open >= at and _period(hours, interval, session) != period:
            return session.open
    return None


def _period(hours: TradingHours, interval: BarInterval, session: Session) -> date:
    """The first day of the bar that holds `session`; Sunday evening belongs to Monday."""
    day = (session.close - _INSTANT).astimezone(ZoneInfo(hours.time_zone)).date()
    if interval is BarInterval.WEEK_1:
        return day - day.weekday() * _DAY
    return day.replace(day=1) if interval is BarInterval.MONTH_1 else day
