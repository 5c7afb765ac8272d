from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from application.market_data.bar_gaps import BarGap, GapReason, gap_at_end, gap_at_start, gaps_between
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.trading_hours import TradingHours

NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), frozenset(range(5)), frozenset({date(2026, 11, 26)}))
ONE = Decimal(1)
HOUR = timedelta(hours=1)
DAY = timedelta(hours=6, minutes=30)


def utc(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


def bar(opens: datetime, length: timedelta = HOUR, interval: BarInterval = BarInterval.HOUR_1) -> Bar:
    return Bar("ACME", interval, opens, opens + length, ONE, ONE, ONE, ONE, ONE, 1)


def day(number: int) -> Bar:
    return bar(utc(number, 14, 30), DAY, BarInterval.DAY_1)


def missing(start: datetime, end: datetime) -> BarGap:
    return BarGap(start, end, GapReason.NO_TRADES)


def test_neighbouring_bars_have_no_gap_nor_have_those_on_both_sides_of_a_night() -> None:
    bars = [bar(utc(19, 19, 30)), bar(utc(19, 20, 30), HOUR / 2), bar(utc(20, 14, 30)), bar(utc(20, 15, 30))]
    assert list(gaps_between(NEW_YORK, bars)) == []


def test_days_have_no_gap_over_weekends_and_holidays() -> None:
    assert list(gaps_between(NEW_YORK, [day(number) for number in (20, 23, 24, 25, 27, 30)])) == []


def test_a_missing_bar_within_a_session_is_a_gap_from_its_open_to_its_close() -> None:
    bars = [bar(utc(20, 14, 30)), bar(utc(20, 17, 30)), bar(utc(20, 19, 30))]
    assert list(gaps_between(NEW_YORK, bars)) == [
        missing(utc(20, 15, 30), utc(20, 17, 30)),
        missing(utc(20, 18, 30), utc(20, 19, 30)),
    ]


def test_a_gap_over_nights_begins_and_ends_where_the_market_was_open() -> None:
    evening, afternoon = bar(utc(18, 18, 30)), bar(utc(20, 17, 30))
    assert list(gaps_between(NEW_YORK, [evening, afternoon])) == [missing(utc(18, 19, 30), utc(20, 17, 30))]
    assert list(gaps_between(NEW_YORK, [bar(utc(18, 20, 30), HOUR / 2), bar(utc(20, 14, 30))])) == [
        missing(utc(19, 14, 30), utc(19, 21))
    ]


def test_missing_days_are_one_gap_from_open_to_close() -> None:
    assert list(gaps_between(NEW_YORK, [day(19), day(25)])) == [missing(utc(20, 14, 30), utc(24, 21))]


def test_before_the_first_bar_only_what_should_open_there_is_missing() -> None:
    first = utc(20, 16, 30)
    assert gap_at_start(NEW_YORK, BarInterval.HOUR_1, utc(20, 15, 31), first) is None
    assert gap_at_start(NEW_YORK, BarInterval.HOUR_1, utc(20, 15, 30), first) == missing(utc(20, 15, 30), first)
    assert gap_at_start(NEW_YORK, BarInterval.HOUR_1, utc(20, 12), utc(20, 14, 30)) is None


def test_an_empty_weekend_misses_nothing() -> None:
    assert gap_at_start(NEW_YORK, BarInterval.HOUR_1, utc(21, 0), utc(22, 0)) is None


def test_behind_the_last_bar_only_what_should_be_complete_is_missing() -> None:
    last = bar(utc(20, 14, 30))
    assert gap_at_end(NEW_YORK, last, utc(20, 16, 29)) == []
    assert gap_at_end(NEW_YORK, last, utc(20, 16, 31)) == [missing(utc(20, 15, 30), utc(20, 16, 30))]
    assert gap_at_end(NEW_YORK, last, utc(21, 12)) == [missing(utc(20, 15, 30), utc(20, 21))]


def test_nothing_is_missing_behind_the_last_bar_of_a_session_or_a_day() -> None:
    assert gap_at_end(NEW_YORK, bar(utc(20, 20, 30), HOUR / 2), utc(22, 12)) == []
    assert gap_at_end(NEW_YORK, day(19), utc(24, 12)) == []
