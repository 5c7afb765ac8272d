from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, shape, source_interval
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

WORKDAYS = frozenset(range(5))
NEW_YORK = TradingHours(
    "America/New_York",
    time(9, 30),
    time(16),
    WORKDAYS,
    frozenset({date(2026, 11, 26)}),
    frozenset({(date(2026, 11, 27), time(13))}),
    pre_market_opens=time(4),
    post_market_closes=time(20),
)
DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))
TOKYO = TradingHours("Asia/Tokyo", time(9), time(15), WORKDAYS)
LONDON = TradingHours("Europe/London", time(8), time(16, 30), WORKDAYS)
KOLKATA = TradingHours("Asia/Kolkata", time(9, 15), time(15, 30), WORKDAYS)

MINUTE_1, MINUTE_30, HOUR_1, HOUR_4 = (
    BarInterval.MINUTE_1,
    BarInterval.MINUTE_30,
    BarInterval.HOUR_1,
    BarInterval.HOUR_4,
)
DAY_1, WEEK_1, MONTH_1 = BarInterval.DAY_1, BarInterval.WEEK_1, BarInterval.MONTH_1
MINUTE = timedelta(minutes=1)
LATER = datetime(2027, 6, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(at: datetime, low: int = 10, high: int = 12, volume: int = 5, trades: int | None = 2) -> RawBar:
    """Opens at its low and closes at its high."""
    prices = Decimal(low), Decimal(high), Decimal(low), Decimal(high)
    return RawBar(at, *prices, Decimal(volume), Decimal(low + high) / 2, trades)


def shaped(
    rows: Sequence[RawBar | datetime | None],
    interval: BarInterval,
    source: BarInterval,
    hours: TradingHours = NEW_YORK,
    *,
    start: str = "2026-01-01",
    end: str = "2027-01-01",
    now: datetime = LATER,
    extended: bool = False,
) -> tuple[list[Bar], list[tuple[datetime, datetime]]]:
    wanted = Shape(
        "ACME", interval, source, hours, utc(start), utc(end), now, PriceAdjustment.SPLITS, extended_hours=extended
    )
    return shape(rows, wanted)


def spans(bars: Sequence[Bar]) -> list[tuple[datetime, datetime]]:
    return [(bar.open_time, bar.close_time) for bar in bars]


def half_hours(day: str, first: str, count: int) -> list[RawBar]:
    opens = utc(f"{day} {first}")
    return [row(opens + number * 30 * MINUTE, 10 + number, 12 + number) for number in range(count)]


# -- what a bar holds ---------------------------------------------------------------------------------------


def test_a_bar_of_several_rows_has_their_first_highest_lowest_last_and_all_their_trade() -> None:
    opens = utc("2026-11-20 14:30")
    rows = [
        RawBar(opens, Decimal(10), Decimal(15), Decimal(9), Decimal(11), Decimal(1), Decimal(12), 3),
        RawBar(opens + 30 * MINUTE, Decimal(11), Decimal(13), Decimal(8), Decimal(12), Decimal(3), Decimal(10), 4),
    ]
    (bar,), invalid = shaped(rows, HOUR_1, MINUTE_30)
    assert bar == Bar(
        symbol="ACME",
        interval=HOUR_1,
        open_time=opens,
        close_time=opens + 60 * MINUTE,
        open=Decimal(10),
        high=Decimal(15),
        low=Decimal(8),
        close=Decimal(12),
        volume=Decimal(4),
        trade_count=7,
        vwap=Decimal("10.5"),
        adjustment=PriceAdjustment.SPLITS,
    )
    assert invalid == []


def test_what_one_row_does_not_say_the_bar_does_not_say_either() -> None:
    known, silent = row(utc("2026-11-20 14:30")), row(utc("2026-11-20 15:00"), trades=None)._replace(vwap=None)
    (bar,), _ = shaped([known, silent], HOUR_1, MINUTE_30)
    assert (bar.vwap, bar.trade_count) == (None, None)


def test_a_row_without_trade_does_not_hide_the_average_of_the_others() -> None:
    known, idle = row(utc("2026-11-20 14:30")), row(utc("2026-11-20 15:00"), volume=0)._replace(vwap=None)
    (bar,), _ = shaped([known, idle], HOUR_1, MINUTE_30)
    assert bar.vwap == 11


def test_an_average_that_is_no_price_is_left_out() -> None:
    for average in (Decimal("NaN"), Decimal(0)):
        (bar,), _ = shaped([row(utc("2026-11-20 14:30"))._replace(vwap=average)], MINUTE_1, MINUTE_1)
        assert bar.vwap is None


def test_a_row_that_says_that_nothing_was_traded_is_no_bar() -> None:
    filler = row(utc("2026-11-20 14:31"), 10, 10, volume=0, trades=0)
    bars, invalid = shaped([row(utc("2026-11-20 14:30")), filler], MINUTE_1, MINUTE_1)
    assert [bar.open_time for bar in bars] == [utc("2026-11-20 14:30")]
    assert invalid == []


def test_a_row_without_volume_is_a_bar_where_the_source_counts_no_trades() -> None:
    bars, _ = shaped([row(utc("2026-11-20 14:30"), volume=0, trades=None)], MINUTE_1, MINUTE_1, DEALERS)
    assert [bar.volume for bar in bars] == [0]


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


# -- what is running ----------------------------------------------------------------------------------------


def test_a_bar_whose_span_is_not_over_is_partial_and_it_is_the_last() -> None:
    rows = half_hours("2026-11-20", "14:30", 13)
    bars, _ = shaped(rows, HOUR_1, MINUTE_30, now=utc("2026-11-20 16:10"))
    assert [f"{bar.open_time:%H:%M} {bar.partial} {bar.volume}" for bar in bars] == ["14:30 False 10", "15:30 True 10"]


def test_a_bar_is_complete_from_the_close_of_its_last_session_on() -> None:
    rows = [row(utc("2026-11-20 05:00"))]
    for now, partial in (("2026-11-20 20:59", True), ("2026-11-20 21:00", False)):
        for interval in (DAY_1, WEEK_1):
            bars, _ = shaped(rows, interval, DAY_1, now=utc(now))
            assert [bar.partial for bar in bars] == [partial]


def test_a_recorded_row_is_known_when_its_own_span_is_over() -> None:
    wanted = Shape(
        "ACME",
        HOUR_1,
        MINUTE_30,
        NEW_YORK,
        utc("2026-11-20 00:00"),
        utc("2026-11-21 00:00"),
        utc("2026-11-20 15:59"),
        PriceAdjustment.RAW,
        recorded=True,
    )
    bars, _ = shape(half_hours("2026-11-20", "14:30", 13), wanted)
    assert [f"{bar.open_time:%H:%M} {bar.partial} {bar.volume}" for bar in bars] == ["14:30 False 10"]
    bars, _ = shape(half_hours("2026-11-20", "14:30", 13), replace(wanted, now=utc("2026-11-20 16:00")))
    assert [f"{bar.open_time:%H:%M} {bar.partial} {bar.volume}" for bar in bars] == ["14:30 False 10", "15:30 True 5"]


def test_a_row_of_the_day_before_its_session_has_begun_is_not_shown() -> None:
    assert shaped([row(utc("2026-11-20 05:00"))], DAY_1, DAY_1, now=utc("2026-11-20 14:29")) == ([], [])


def test_the_running_row_may_be_stamped_by_its_last_trade() -> None:
    bars, invalid = shaped([row(utc("2026-11-20 14:30:17"))], MINUTE_1, MINUTE_1, now=utc("2026-11-20 14:30:40"))
    assert [(bar.open_time, bar.partial) for bar in bars] == [(utc("2026-11-20 14:30"), True)]
    assert invalid == []


def test_a_row_off_the_grid_never_replaces_the_one_on_it() -> None:
    rows = [row(utc("2026-11-20 14:30"), volume=7), row(utc("2026-11-20 14:30:17"), volume=0)]
    bars, _ = shaped(rows, MINUTE_1, MINUTE_1, now=utc("2026-11-20 14:30:40"))
    assert [bar.volume for bar in bars] == [7]


def test_rows_on_another_grid_than_the_sessions_are_refused_rather_than_moved() -> None:
    bars, invalid = shaped([row(utc("2026-11-20 15:00")), row(utc("2026-11-20 16:00"))], HOUR_1, HOUR_1)
    assert bars == []
    assert invalid == [(utc("2026-11-20 14:30"), utc("2026-11-20 16:30"))]


# -- what is broken -----------------------------------------------------------------------------------------

SOUND = row(utc("2026-11-20 14:30"), 10, 12)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(SOUND._replace(high=Decimal(11)), id="close-above-the-high"),
        pytest.param(SOUND._replace(low=Decimal(11)), id="open-below-the-low"),
        pytest.param(SOUND._replace(low=Decimal(0), open=Decimal(0)), id="no-price"),
        pytest.param(SOUND._replace(volume=Decimal(-1)), id="negative-volume"),
        pytest.param(SOUND._replace(close=Decimal("NaN")), id="not-a-number"),
        pytest.param(SOUND._replace(high=Decimal("Infinity")), id="infinite"),
        pytest.param(SOUND._replace(volume=Decimal("NaN")), id="volume-not-a-number"),
        pytest.param(SOUND.open_time, id="values-that-could-not-be-read"),
    ],
)
def test_a_row_that_contradicts_itself_is_an_invalid_span(broken: RawBar | datetime) -> None:
    following = row(utc("2026-11-20 14:31"))
    bars, invalid = shaped([broken, following], MINUTE_1, MINUTE_1)
    assert [bar.open_time for bar in bars] == [following.open_time]
    assert invalid == [(utc("2026-11-20 14:30"), utc("2026-11-20 14:31"))]


def test_a_sound_row_of_the_same_time_makes_up_for_a_broken_one() -> None:
    orders: list[list[RawBar | datetime | None]] = [[SOUND, SOUND.open_time], [SOUND.open_time, SOUND]]
    for rows in orders:
        bars, invalid = shaped(rows, MINUTE_1, MINUTE_1)
        assert ([bar.open_time for bar in bars], invalid) == ([SOUND.open_time], [])


def test_of_two_sound_rows_of_one_time_the_later_counts() -> None:
    bars, _ = shaped([SOUND, SOUND._replace(volume=Decimal(9))], MINUTE_1, MINUTE_1)
    assert [bar.volume for bar in bars] == [9]


def test_there_is_no_bar_where_one_of_its_rows_is_broken() -> None:
    rows: list[RawBar | datetime | None] = [*half_hours("2026-11-20", "14:30", 13)]
    rows[3] = utc("2026-11-20 16:00")
    bars, invalid = shaped(rows, HOUR_1, MINUTE_30)
    assert [f"{bar.open_time:%H:%M}" for bar in bars] == ["14:30", "16:30", "17:30", "18:30", "19:30", "20:30"]
    assert invalid == [(utc("2026-11-20 15:30"), utc("2026-11-20 16:30"))]


def test_invalid_spans_that_touch_are_one() -> None:
    broken = [utc("2026-11-20 14:30") + number * MINUTE for number in (0, 1, 2, 5)]
    _, invalid = shaped(broken, MINUTE_1, MINUTE_1)
    assert invalid == [
        (utc("2026-11-20 14:30"), utc("2026-11-20 14:33")),
        (utc("2026-11-20 14:35"), utc("2026-11-20 14:36")),
    ]


def test_a_broken_row_outside_the_session_spoils_nothing() -> None:
    assert shaped([utc("2026-11-20 12:00"), utc("2026-11-21 15:00")], MINUTE_1, MINUTE_1) == ([], [])


def test_a_row_of_unknown_time_may_have_been_anywhere_between_its_neighbours() -> None:
    first, second = utc("2026-11-20 20:30"), utc("2026-11-23 15:30")
    bars, invalid = shaped([row(first), None, row(second)], MINUTE_30, MINUTE_30)
    assert [bar.open_time for bar in bars] == [first, second]
    assert invalid == [(utc("2026-11-23 14:30"), utc("2026-11-23 15:30"))]


def test_a_row_of_unknown_time_among_rows_without_a_gap_spoils_nothing() -> None:
    rows = half_hours("2026-11-20", "14:30", 2)
    bars, invalid = shaped([rows[0], None, rows[1]], HOUR_1, MINUTE_30)
    assert (len(bars), invalid) == (1, [])


def test_bars_that_may_lack_a_row_of_unknown_time_are_not_given() -> None:
    rows = half_hours("2026-11-20", "14:30", 13)
    bars, invalid = shaped([*rows[:2], None, *rows[3:]], HOUR_1, MINUTE_30)
    assert len(bars) == 6
    assert invalid == [(utc("2026-11-20 15:30"), utc("2026-11-20 16:30"))]


def test_a_last_row_of_unknown_time_leaves_the_rest_of_the_range_in_doubt() -> None:
    bars, invalid = shaped(
        [row(utc("2026-11-20 14:30")), None], MINUTE_30, MINUTE_30, end="2026-11-20 23:00", now=utc("2026-11-24")
    )
    assert len(bars) == 1
    assert invalid == [(utc("2026-11-20 15:00"), utc("2026-11-20 21:00"))]


def test_nothing_makes_nothing() -> None:
    assert shaped([], HOUR_1, MINUTE_30) == ([], [])


# -- properties ---------------------------------------------------------------------------------------------

STARTS = {NEW_YORK: utc("2026-11-23 00:00"), DEALERS: utc("2026-03-06 00:00"), ALWAYS_OPEN: utc("2026-11-27 00:00")}
PRICES = st.decimals(Decimal("0.01"), Decimal(1000), places=2)
VOLUMES = st.decimals(Decimal(0), Decimal(10_000), places=3)


@st.composite
def tapes(draw: st.DrawFn) -> tuple[TradingHours, list[RawBar]]:
    """Sound rows of minutes of six days, in order and each time once."""
    hours = draw(st.sampled_from(list(STARTS)))
    minutes = draw(st.lists(st.integers(0, 6 * 24 * 60), unique=True, max_size=40).map(sorted))
    rows = []
    for minute in minutes:
        first, second, last, volume = draw(PRICES), draw(PRICES), draw(PRICES), draw(VOLUMES)
        high, low = max(first, second, last), min(first, second, last)
        average = draw(st.none() | st.just((high + low) / 2))
        rows.append(RawBar(STARTS[hours] + minute * MINUTE, first, high, low, last, volume, average, minute))
    return hours, rows


INTERVALS = st.sampled_from([MINUTE_1, BarInterval.MINUTE_5, MINUTE_30, HOUR_1, HOUR_4, DAY_1, WEEK_1, MONTH_1])


@given(tapes(), INTERVALS, st.data())
def test_neither_order_nor_repetition_of_the_rows_matters(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, data: st.DataObject
) -> None:
    hours, rows = tape
    again = data.draw(st.lists(st.sampled_from(rows), max_size=10)) if rows else []
    shuffled = data.draw(st.permutations([*rows, *again]))
    assert shaped(shuffled, interval, MINUTE_1, hours) == shaped(rows, interval, MINUTE_1, hours)


@given(tapes(), INTERVALS, st.booleans())
def test_every_bar_is_consistent_in_order_and_in_its_session(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, extended: bool
) -> None:
    hours, rows = tape
    bars, invalid = shaped(rows, interval, MINUTE_1, hours, extended=extended)
    longest = interval.fixed_length or timedelta(days=31)
    open_hours = hours.extended() if extended and interval.fixed_length else hours
    for bar in bars:
        session = open_hours.session_at(bar.open_time)
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.vwap is None or bar.low <= bar.vwap <= bar.high
        assert timedelta(0) < bar.close_time - bar.open_time <= longest
        assert session is not None
        if interval.fixed_length is not None:
            assert (bar.open_time - session.open) % interval.fixed_length == timedelta(0)
            assert bar.close_time == min(bar.open_time + interval.fixed_length, session.close)
    assert all(before.close_time <= after.open_time for before, after in pairwise(bars))
    assert invalid == []


@given(tapes(), INTERVALS)
def test_gaps_are_not_filled_and_no_trade_of_the_sessions_is_lost(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval
) -> None:
    hours, rows = tape
    bars, _ = shaped(rows, interval, MINUTE_1, hours)
    inside = [row for row in rows if hours.session_at(row.open_time) is not None and (row.trade_count or row.volume)]
    for bar in bars:
        assert any(bar.open_time <= row.open_time < bar.close_time for row in inside)
    assert sum(bar.volume for bar in bars) == sum(row.volume for row in inside)
    assert sum(bar.trade_count or 0 for bar in bars) == sum(row.trade_count or 0 for row in inside)


@given(tapes(), st.sampled_from([HOUR_1, HOUR_4, DAY_1, WEEK_1, MONTH_1]), st.sampled_from([MINUTE_1, MINUTE_30]))
def test_a_bar_made_by_way_of_finer_bars_is_the_one_made_of_the_rows(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, way: BarInterval
) -> None:
    hours, rows = tape
    finer, _ = shaped(rows, way, MINUTE_1, hours)
    again = [
        RawBar(one.open_time, one.open, one.high, one.low, one.close, one.volume, None, one.trade_count)
        for one in finer
    ]
    direct, _ = shaped([row._replace(vwap=None) for row in rows], interval, MINUTE_1, hours)
    assert shaped(again, interval, way, hours)[0] == direct


@given(tapes(), INTERVALS, st.integers(0, 6 * 24 * 60))
def test_nothing_of_the_future_shows_and_only_the_last_bar_can_be_partial(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, minute: int
) -> None:
    hours, rows = tape
    now = STARTS[hours] + minute * MINUTE
    bars, _ = shaped(rows, interval, MINUTE_1, hours, now=now)
    past, _ = shaped([row for row in rows if row.open_time <= now], interval, MINUTE_1, hours, now=now)
    assert bars == past
    assert [bar.partial for bar in bars] == [bar.close_time > now for bar in bars]
    assert not any(bar.partial for bar in bars[:-1])


@given(tapes(), INTERVALS, st.integers(0, 6 * 24 * 60), st.integers(0, 6 * 24 * 60))
def test_the_rows_that_are_said_to_be_needed_are_enough(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, first: int, second: int
) -> None:
    hours, rows = tape
    start, end = (STARTS[hours] + minute * MINUTE for minute in sorted((first, second + 1)))
    wanted = Shape("ACME", interval, MINUTE_1, hours, start, end, LATER, PriceAdjustment.RAW)
    since, until = rows_needed(wanted)
    assert shape([row for row in rows if since <= row.open_time < until], wanted) == shape(rows, wanted)


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


# -- which rows to ask for ----------------------------------------------------------------------------------

EVERYTHING = tuple(BarInterval)


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
