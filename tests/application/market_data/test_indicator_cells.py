"""Cells of time, and what is calculated for each."""

from datetime import UTC, datetime, timedelta
from math import isnan

from application.market_data.indicator_cells import Window, cell_start, rows_of, windows
from application.ports.indicators import Series
from domain.market_data.bar import BarInterval
from tests.support.indicators import INDICATORS

_AT = datetime(2024, 3, 5, 17, 30, tzinfo=UTC)
_HOUR = timedelta(hours=1)


def test_a_cell_begins_at_the_same_time_for_all_that_lies_in_it() -> None:
    start = cell_start(BarInterval.HOUR_1, _AT)
    assert start <= _AT < start + 256 * _HOUR
    assert cell_start(BarInterval.HOUR_1, start) == start
    assert cell_start(BarInterval.HOUR_1, start + 256 * _HOUR - timedelta(microseconds=1)) == start
    assert cell_start(BarInterval.HOUR_1, start + 256 * _HOUR) == start + 256 * _HOUR


def test_times_before_the_epoch_have_cells_too() -> None:
    at = datetime(1931, 1, 1, tzinfo=UTC)
    assert cell_start(BarInterval.MONTH_1, at) <= at < cell_start(BarInterval.MONTH_1, at) + 256 * timedelta(days=31)


def test_each_cell_is_calculated_from_a_fixed_number_of_rows_before_it() -> None:
    start = cell_start(BarInterval.HOUR_1, _AT)
    opens = [start + hours * _HOUR for hours in (200, 255, 256, 400, 600)]
    assert windows(BarInterval.HOUR_1, opens, first=50, cell=30, depth=20) == [
        Window(10, 50, 52),
        Window(32, 52, 54),
        Window(34, 54, 55),
    ]


def test_where_history_begins_there_are_fewer() -> None:
    assert windows(BarInterval.HOUR_1, [_AT], first=3, cell=2, depth=20) == [Window(0, 3, 4)]


def test_what_remembers_for_ever_is_calculated_from_the_first_row_on() -> None:
    opens = [_AT + hours * _HOUR for hours in range(600)]
    assert windows(BarInterval.HOUR_1, opens, first=1_000, cell=0, depth=None) == [Window(0, 1_000, 1_600)]


def test_rows_before_the_lookback_have_no_value() -> None:
    call = INDICATORS.find("CDLDOJI").call()
    series = [Series.of([1.0] * 14)] * 4
    for window, values in (
        (Window(0, 8, 12), [None, None, 100, 100]),
        (Window(2, 12, 14), [100, 100]),
        (Window(0, 2, 4), [None, None]),
    ):
        rows = rows_of(INDICATORS, call, series, window)
        assert [None if isnan(row[0]) else row[0] for row in rows] == values
