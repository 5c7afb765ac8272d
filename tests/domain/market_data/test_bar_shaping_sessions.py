"""Where bars lie in the sessions of their venue, and of which rows they can be made there."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal

import pytest

from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, source_interval
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from tests.support.bar_shapes import (
    DAY_1,
    DEALERS,
    HOUR_1,
    HOUR_4,
    LATER,
    MINUTE,
    MINUTE_1,
    MINUTE_30,
    MONTH_1,
    NEW_YORK,
    WEEK_1,
    WORKDAYS,
    half_hours,
    row,
    shaped,
    utc,
)

TOKYO = TradingHours("Asia/Tokyo", time(9), time(15), WORKDAYS)
LONDON = TradingHours("Europe/London", time(8), time(16, 30), WORKDAYS)
KOLKATA = TradingHours("Asia/Kolkata", time(9, 15), time(15, 30), WORKDAYS)


def spans(bars: Sequence[Bar]) -> list[tuple[datetime, datetime]]:
    return [(bar.open_time, bar.close_time) for bar in bars]


# -- where bars lie -----------------------------------------------------------------------------------------


def test_hours_of_new_york_are_anchored_at_half_past_nine_and_the_last_is_short() -> None:
    bars, _ = shaped(half_hours("2026-11-20", "14:30", 13), HOUR_1, MINUTE_30)
    assert [f"{opens:%H:%M}-{closes:%H:%M}" for opens, closes in spans(bars)] == [
        "14:30-15:30",
        "15:30-16:30",
        "16:30-17:30",
        "17:30-18:30",
        "18:30-19:30",
        "19:30-20:30",
        "20:30-21:00",
    ]


def test_only_the_regular_session_is_shown_unless_more_is_asked_for() -> None:
    rows = half_hours("2026-11-20", "09:00", 32)
    regular, _ = shaped(rows, HOUR_4, MINUTE_30)
    extended, _ = shaped(rows, HOUR_4, MINUTE_30, extended=True)
    assert [f"{bar.open_time:%H:%M}" for bar in regular] == ["14:30", "18:30"]
    assert [f"{bar.open_time:%H:%M}" for bar in extended] == ["09:00", "13:00", "17:00", "21:00"]
    assert sum(bar.volume for bar in extended) == 32 * 5


def test_days_are_of_the_regular_session_also_when_extended_hours_are_asked_for() -> None:
    bars, _ = shaped(half_hours("2026-11-20", "09:00", 32), DAY_1, MINUTE_30, extended=True)
    assert [(bar.open_time, bar.volume) for bar in bars] == [(utc("2026-11-20 14:30"), Decimal(13 * 5))]


def test_a_day_of_an_early_close_ends_early_and_its_evening_too() -> None:
    rows = half_hours("2026-11-27", "09:00", 32)
    regular, _ = shaped(rows, DAY_1, MINUTE_30)
    extended, _ = shaped(rows, HOUR_1, MINUTE_30, extended=True)
    assert spans(regular) == [(utc("2026-11-27 14:30"), utc("2026-11-27 18:00"))]
    assert extended[-1].close_time == utc("2026-11-27 22:00")


def test_rows_of_holidays_and_weekends_are_no_bars() -> None:
    rows = [*half_hours("2026-11-26", "14:30", 4), *half_hours("2026-11-28", "14:30", 4)]
    assert shaped(rows, HOUR_1, MINUTE_30) == ([], [])


@pytest.mark.parametrize(
    ("day", "opens"),
    [("2026-03-06", "14:30"), ("2026-03-09", "13:30"), ("2026-10-30", "13:30"), ("2026-11-02", "14:30")],
)
def test_bars_follow_the_venues_clock_over_changes_of_daylight_saving(day: str, opens: str) -> None:
    bars, _ = shaped(half_hours(day, "12:30", 20), DAY_1, MINUTE_30)
    assert [bar.open_time for bar in bars] == [utc(f"{day} {opens}")]
    assert bars[0].volume == 13 * 5


def test_the_day_on_which_clocks_change_is_an_hour_shorter_or_longer_around_the_clock() -> None:
    rows = [row(utc("2026-03-07 22:00") + number * 60 * MINUTE) for number in range(24 * 3)]
    week = replace(DEALERS, weekdays=frozenset(range(7)))
    bars, _ = shaped(rows, DAY_1, HOUR_1, week)
    assert [bar.close_time - bar.open_time for bar in bars][:2] == [timedelta(hours=23), timedelta(hours=24)]
    assert [bar.volume for bar in bars][:2] == [23 * 5, 24 * 5]


@pytest.mark.parametrize(
    "stamp",
    [
        pytest.param("2026-11-20 00:00", id="midnight-utc"),
        pytest.param("2026-11-20 05:00", id="midnight-of-the-venue"),
        pytest.param("2026-11-20 14:30", id="open-of-the-session"),
        pytest.param("2026-11-20 21:00", id="close-of-the-session"),
    ],
)
def test_a_row_of_a_day_is_that_days_however_it_is_stamped(stamp: str) -> None:
    bars, _ = shaped([row(utc(stamp))], DAY_1, DAY_1)
    assert spans(bars) == [(utc("2026-11-20 14:30"), utc("2026-11-20 21:00"))]


@pytest.mark.parametrize(
    ("hours", "stamp", "opens"),
    [
        pytest.param(TOKYO, "2026-11-19 15:00", "2026-11-20 00:00", id="tokyo-by-its-midnight"),
        pytest.param(TOKYO, "2026-11-20 00:00", "2026-11-20 00:00", id="tokyo-by-that-of-utc"),
        pytest.param(LONDON, "2026-07-09 23:00", "2026-07-10 07:00", id="london-in-summer"),
        pytest.param(DEALERS, "2026-11-20 00:00", "2026-11-19 22:00", id="currencies-by-utc"),
        pytest.param(DEALERS, "2026-11-19 22:00", "2026-11-19 22:00", id="currencies-by-their-open"),
        pytest.param(ALWAYS_OPEN, "2026-11-21 00:00", "2026-11-21 00:00", id="coins"),
    ],
)
def test_days_of_every_venue_find_their_session(hours: TradingHours, stamp: str, opens: str) -> None:
    bars, _ = shaped([row(utc(stamp))], DAY_1, DAY_1, hours)
    assert [bar.open_time for bar in bars] == [utc(opens)]


def days_of_november() -> list[RawBar]:
    return [row(utc("2026-11-01 05:00") + number * timedelta(days=1), 10 + number, 12 + number) for number in range(30)]


def test_weeks_begin_with_their_first_session_and_end_with_the_last() -> None:
    bars, _ = shaped(days_of_november(), WEEK_1, DAY_1)
    assert spans(bars)[-2:] == [
        (utc("2026-11-23 14:30"), utc("2026-11-27 18:00")),
        (utc("2026-11-30 14:30"), utc("2026-12-04 21:00")),
    ]
    assert bars[-2].volume == 4 * 5


def test_months_begin_with_their_first_session_and_end_with_the_last() -> None:
    bars, _ = shaped(days_of_november(), MONTH_1, DAY_1)
    assert spans(bars) == [(utc("2026-11-02 14:30"), utc("2026-11-30 21:00"))]
    assert [int(value) for value in (bars[0].volume, bars[0].low, bars[0].high)] == [20 * 5, 11, 41]


@pytest.mark.parametrize("stamp", ["2026-11-15 05:00", "2026-11-16 00:00", "2026-11-16 05:00", "2026-11-16 14:30"])
def test_a_row_of_a_week_may_be_stamped_by_its_sunday_or_monday(stamp: str) -> None:
    bars, _ = shaped([row(utc(stamp))], WEEK_1, WEEK_1)
    assert spans(bars) == [(utc("2026-11-16 14:30"), utc("2026-11-20 21:00"))]


def test_a_row_of_a_month_may_be_stamped_by_a_first_without_a_session() -> None:
    bars, _ = shaped([row(utc("2026-11-01 00:00"))], MONTH_1, MONTH_1)
    assert spans(bars) == [(utc("2026-11-02 14:30"), utc("2026-11-30 21:00"))]


def test_only_bars_that_open_in_the_range_are_given_and_the_last_of_them_is_whole() -> None:
    rows = half_hours("2026-11-20", "14:30", 13)
    bars, _ = shaped(rows, HOUR_1, MINUTE_30, start="2026-11-20 14:31", end="2026-11-20 16:31")
    assert [f"{bar.open_time:%H:%M} {bar.volume}" for bar in bars] == ["15:30 10", "16:30 10"]


# -- which rows to ask for ----------------------------------------------------------------------------------

EVERYTHING = tuple(BarInterval)


@pytest.mark.parametrize(("interval", "source"), [(DAY_1, DAY_1), (WEEK_1, DAY_1), (MONTH_1, DAY_1), (WEEK_1, WEEK_1)])
def test_rows_needed_reach_back_to_the_midnight_of_the_first_day_and_on_to_the_end_of_the_last_bar(
    interval: BarInterval, source: BarInterval
) -> None:
    wanted = Shape(
        "ACME",
        interval,
        source,
        NEW_YORK,
        utc("2026-11-02 14:30"),
        utc("2026-11-24 18:00"),
        LATER,
        PriceAdjustment.RAW,
    )
    since, until = rows_needed(wanted)
    assert since <= utc("2026-11-02 00:00")
    assert until >= {DAY_1: utc("2026-11-24 05:00"), WEEK_1: utc("2026-11-27 05:00")}.get(
        interval, utc("2026-11-30 05:00")
    )


@pytest.mark.parametrize(
    ("wanted", "hours", "source"),
    [
        (HOUR_1, NEW_YORK, MINUTE_30),
        (HOUR_4, NEW_YORK, MINUTE_30),
        (HOUR_1, NEW_YORK.extended(), HOUR_1),
        (HOUR_4, NEW_YORK.extended(), HOUR_1),
        (HOUR_1, LONDON, MINUTE_30),
        (HOUR_1, KOLKATA, BarInterval.MINUTE_15),
        (HOUR_4, DEALERS, HOUR_1),
        (HOUR_1, ALWAYS_OPEN, HOUR_1),
        (HOUR_4, ALWAYS_OPEN, HOUR_4),
        (MINUTE_1, NEW_YORK, MINUTE_1),
        (DAY_1, NEW_YORK, DAY_1),
        (WEEK_1, NEW_YORK, DAY_1),
        (MONTH_1, ALWAYS_OPEN, DAY_1),
    ],
)
def test_the_coarsest_rows_that_lie_right_are_chosen(
    wanted: BarInterval, hours: TradingHours, source: BarInterval
) -> None:
    assert source_interval(wanted, EVERYTHING, hours) is source


def test_what_is_not_on_offer_is_made_of_what_is() -> None:
    assert source_interval(DAY_1, (MINUTE_1, HOUR_1), NEW_YORK) is MINUTE_1
    assert source_interval(WEEK_1, (WEEK_1, MINUTE_1), NEW_YORK) is WEEK_1


@pytest.mark.parametrize(("wanted", "offered"), [(MINUTE_1, (HOUR_1, DAY_1)), (HOUR_1, (HOUR_1,)), (DAY_1, (WEEK_1,))])
def test_without_rows_that_lie_right_there_is_none(wanted: BarInterval, offered: tuple[BarInterval, ...]) -> None:
    with pytest.raises(ValueError, match=f"no bars on offer make bars of {wanted.value}"):
        source_interval(wanted, offered, NEW_YORK)
