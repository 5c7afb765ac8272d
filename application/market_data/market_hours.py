"""What trading hours say about a moment: whether the market is open, until when, and when a bar should open."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.market_data.bar import BarInterval
from domain.market_data.bar_calendar import expected_open, last_session_before, periods_from, sessions_from
from domain.market_data.trading_hours import TradingHours

__all__ = ["MarketState", "expected_close", "expected_open", "last_session_before", "market_state", "sessions_from"]

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


def expected_close(hours: TradingHours, interval: BarInterval, at: datetime) -> datetime | None:
    """When the bar that runs at `at`, or the next one, should be complete; None if there is none."""
    length = interval.fixed_length
    if length is None:
        return next((closes for _, (_, closes) in periods_from(hours, interval, at)), None)
    session = next(sessions_from(hours, at), None)
    if session is None:
        return None
    return min(session.close, session.open + (max(timedelta(0), at - session.open) // length + 1) * length)
