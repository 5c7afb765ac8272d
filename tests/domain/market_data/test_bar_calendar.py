from datetime import UTC, date, datetime, time
from itertools import islice

import pytest

from domain.market_data.bar import BarInterval
from domain.market_data.bar_calendar import period_of, periods_from, session_day, span_at
from domain.market_data.trading_hours import ALWAYS_OPEN, Session, TradingHours

NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), frozenset(range(5)), frozenset({date(2026, 11, 26)}))
DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))
NEVER = TradingHours("UTC", time(9), time(10), frozenset())


def utc(day: int, hour: int = 0, minute: int = 0, month: int = 11) -> datetime:
    """In 2026, of which the 20th of November is a Friday."""
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "interval", "at", "span"),
    [
        (NEW_YORK, BarInterval.HOUR_1, utc(20, 15, 30), (utc(20, 15, 30), utc(20, 16, 30))),
        (NEW_YORK, BarInterval.HOUR_1, utc(20, 20, 59), (utc(20, 20, 30), utc(20, 21))),
        (NEW_YORK, BarInterval.HOUR_1, utc(20, 21), (utc(23, 14, 30), utc(23, 15, 30))),
        (NEW_YORK, BarInterval.DAY_1, utc(25, 21), (utc(27, 14, 30), utc(27, 21))),
        (DEALERS, BarInterval.WEEK_1, utc(18), (utc(15, 22), utc(20, 22))),
        (DEALERS, BarInterval.WEEK_1, utc(21), (utc(22, 22), utc(27, 22))),
        (ALWAYS_OPEN, BarInterval.MONTH_1, utc(30, 23), (utc(1), utc(1, month=12))),
    ],
)
def test_the_span_at_a_moment_is_that_of_the_running_bar_or_of_the_next(
    hours: TradingHours, interval: BarInterval, at: datetime, span: tuple[datetime, datetime]
) -> None:
    assert span_at(hours, interval, at) == span


def test_without_sessions_there_are_no_spans() -> None:
    for interval in (BarInterval.HOUR_1, BarInterval.DAY_1):
        assert span_at(NEVER, interval, utc(20)) is None


def test_sunday_evening_belongs_to_monday() -> None:
    assert session_day(DEALERS, Session(utc(22, 22), utc(23, 22))) == date(2026, 11, 23)


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    sunday = date(2026, 11, 22)
    assert period_of(BarInterval.WEEK_1, sunday) == date(2026, 11, 16)
    assert period_of(BarInterval.MONTH_1, sunday) == date(2026, 11, 1)
    assert period_of(BarInterval.DAY_1, sunday) == sunday


def test_periods_follow_one_another_from_the_running_one_on() -> None:
    months = list(islice(periods_from(NEW_YORK, BarInterval.MONTH_1, utc(20)), 2))
    assert months == [
        (date(2026, 11, 1), (utc(2, 14, 30), utc(30, 21))),
        (date(2026, 12, 1), (utc(1, 14, 30, month=12), utc(31, 21, month=12))),
    ]
