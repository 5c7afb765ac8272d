"""What bars hold of their rows, while they run too, and what becomes of rows that are broken."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from domain.market_data.bar import Bar, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, shape
from tests.support.bar_shapes import (
    DAY_1,
    DEALERS,
    HOUR_1,
    MINUTE,
    MINUTE_1,
    MINUTE_30,
    NEW_YORK,
    WEEK_1,
    half_hours,
    row,
    shaped,
    utc,
)

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
