from datetime import UTC, date, datetime, time, timedelta

import pytest

from application.market_data.market_hours import (
    expected_close,
    expected_open,
    last_session_before,
    market_state,
    sessions_from,
)
from domain.market_data.bar import BarInterval
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

WORKDAYS = frozenset(range(5))
NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), WORKDAYS, frozenset({date(2026, 11, 26)}))
DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))
NEVER = TradingHours("UTC", time(9), time(10), frozenset())


def utc(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    """In November 2026, of which the 20th is a Friday."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "at", "is_open", "next_change"),
    [
        (NEW_YORK, utc(20, 17), True, utc(20, 21)),
        (NEW_YORK, utc(20, 14, 30), True, utc(20, 21)),
        (NEW_YORK, utc(20, 21), False, utc(23, 14, 30)),
        (NEW_YORK, utc(25, 22), False, utc(27, 14, 30)),
        (DEALERS, utc(18, 12), True, utc(20, 22)),
        (DEALERS, utc(21, 12), False, utc(22, 22)),
        (ALWAYS_OPEN, utc(21), True, None),
        (NEVER, utc(20, 9), False, None),
    ],
    ids=["open", "at-the-open", "at-the-close", "holiday", "night-after-night", "weekend", "always", "never"],
)
def test_a_market_says_whether_it_is_open_and_when_that_changes(
    hours: TradingHours, at: datetime, is_open: bool, next_change: datetime | None
) -> None:
    state = market_state(hours, at)
    assert (state.open, state.next_change) == (is_open, next_change)


def test_sessions_follow_each_other_without_weekends_and_holidays() -> None:
    days = [session.open.day for session, _ in zip(sessions_from(NEW_YORK, utc(24)), range(4), strict=False)]
    assert days == [24, 25, 27, 30]


@pytest.mark.parametrize(
    ("at", "opened"),
    [(utc(20, 17), utc(20, 14, 30)), (utc(20, 14, 30), utc(19, 14, 30)), (utc(23), utc(20, 14, 30))],
)
def test_the_last_session_is_the_one_that_opened_last_be_it_over_or_not(at: datetime, opened: datetime) -> None:
    session = last_session_before(NEW_YORK, at)
    assert session is not None
    assert session.open == opened


def test_without_any_session_there_is_none_before() -> None:
    assert last_session_before(NEVER, utc(20)) is None


@pytest.mark.parametrize(
    ("interval", "at", "opens"),
    [
        (BarInterval.MINUTE_1, utc(20, 17), utc(20, 17)),
        (BarInterval.MINUTE_1, utc(20, 17, 0, 1), utc(20, 17, 1)),
        (BarInterval.HOUR_1, utc(20, 17), utc(20, 17, 30)),
        (BarInterval.HOUR_4, utc(20, 18, 31), utc(23, 14, 30)),
        (BarInterval.MINUTE_5, utc(20, 20, 59), utc(23, 14, 30)),
        (BarInterval.DAY_1, utc(20, 14, 30), utc(20, 14, 30)),
        (BarInterval.DAY_1, utc(20, 17), utc(23, 14, 30)),
        (BarInterval.WEEK_1, utc(18), utc(23, 14, 30)),
        (BarInterval.WEEK_1, utc(16), utc(16, 14, 30)),
        (BarInterval.MONTH_1, utc(3), datetime(2026, 12, 1, 14, 30, tzinfo=UTC)),
        (BarInterval.MONTH_1, utc(1), utc(2, 14, 30)),
    ],
)
def test_bars_open_on_their_grid_from_the_open_of_the_session_or_with_their_period(
    interval: BarInterval, at: datetime, opens: datetime
) -> None:
    assert expected_open(NEW_YORK, interval, at) == opens


@pytest.mark.parametrize(
    ("interval", "at", "closes"),
    [
        (BarInterval.MINUTE_1, utc(20, 17), utc(20, 17, 1)),
        (BarInterval.MINUTE_1, utc(20, 17, 0, 59), utc(20, 17, 1)),
        (BarInterval.HOUR_1, utc(20, 17), utc(20, 17, 30)),
        (BarInterval.HOUR_4, utc(20, 18, 31), utc(20, 21)),
        (BarInterval.MINUTE_5, utc(20, 21), utc(23, 14, 35)),
        (BarInterval.DAY_1, utc(20, 17), utc(20, 21)),
        (BarInterval.DAY_1, utc(20, 21), utc(23, 21)),
        (BarInterval.WEEK_1, utc(18), utc(20, 21)),
        (BarInterval.WEEK_1, utc(22), utc(27, 21)),
        (BarInterval.MONTH_1, utc(3), utc(30, 21)),
    ],
)
def test_a_bar_is_complete_at_the_end_of_its_interval_or_of_the_last_session_in_it(
    interval: BarInterval, at: datetime, closes: datetime
) -> None:
    assert expected_close(NEW_YORK, interval, at) == closes


def test_a_week_of_currencies_begins_on_sunday_evening() -> None:
    assert expected_open(DEALERS, BarInterval.WEEK_1, utc(18)) == utc(22, 22)


def test_no_bar_is_expected_where_there_is_never_a_session() -> None:
    for interval in (BarInterval.MINUTE_1, BarInterval.DAY_1):
        assert expected_open(NEVER, interval, utc(20)) is None
        assert expected_close(NEVER, interval, utc(20)) is None


def test_the_calendar_may_end_without_an_error() -> None:
    last = datetime.max.replace(tzinfo=UTC) - timedelta(hours=1)
    assert list(sessions_from(NEW_YORK, last)) == []
