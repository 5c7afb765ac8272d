"""What every implementation of Indicators owes its callers, for every indicator that it has."""

from math import inf, isfinite, nan
from random import Random

import pytest

from adapters.indicators.installed import InstalledIndicators
from application.ports.indicators import Indicators, Series
from domain.errors import NotFound
from domain.market_data.indicator import BarField
from tests.support.indicators import INDICATORS, NAMES, a_call, rows_of, same, series, walk, with_gaps

_ROWS = 160


@pytest.fixture(params=[InstalledIndicators(), INDICATORS], ids=["installed", "talib"])
def indicators(request: pytest.FixtureRequest) -> Indicators:
    chosen: Indicators = request.param
    return chosen


def test_a_series_knows_whether_it_is_whole() -> None:
    assert Series.of([1, 2.5]).whole
    assert not Series.of([1, nan, 3]).whole
    assert not Series.of([1, inf]).whole
    assert Series.of([nan, 1, 2]).part(1, 3).whole
    assert list(Series.of([1, 2, 3]).part(1, 3).values) == [2, 3]


def test_indicators_are_listed_by_name_and_found_by_it(indicators: Indicators) -> None:
    assert [one.name for one in indicators.all()] == sorted(one.name for one in indicators.all())
    assert indicators.find("RSI").display_name == "Relative Strength Index"


def test_an_unknown_indicator_is_not_found(indicators: Indicators) -> None:
    with pytest.raises(NotFound) as refused:
        indicators.find("RSI2")
    assert refused.value.reason == "INDICATOR_NOT_FOUND"


@pytest.mark.parametrize("name", NAMES)
def test_bar_by_bar_gives_what_all_at_once_gives(name: str) -> None:
    """Whatever the parameters, from any history on, over bars that lack a number, and for a bar that is running."""
    for seed in range(4):
        chance = Random(f"{name}{seed}")
        indicator = INDICATORS.find(name)
        call = indicator.call() if seed == 0 else a_call(indicator, chance)
        columns = with_gaps(walk(seed, _ROWS, coarse=seed % 2 == 1), chance)
        expected = rows_of(INDICATORS.compute(call, series(call, columns)))
        begin = chance.choice([0, 1, 30, 120])
        live = INDICATORS.open(call, [one.part(0, begin) for one in series(call, columns)])
        rows = list(zip(*(columns[field] for field in call.fields), strict=True))
        for place in range(begin, _ROWS):
            fork = live.copy()
            for running in (rows[place - 1], rows[place], [nan] * len(rows[place])):
                peeked = live.peek(running)
            assert same(live.peek(rows[place]), expected[place]), (call, place)
            assert all(value != value for value in peeked)
            assert same(live.update(rows[place]), expected[place]), (call, place)
            if all(map(isfinite, rows[place])):
                assert same(live.values, expected[place])
            assert same(fork.update(rows[place]), expected[place])


@pytest.mark.parametrize("name", NAMES)
def test_a_row_that_lacks_a_number_has_no_value_and_spoils_no_other(name: str) -> None:
    chance = Random(name)
    call = a_call(INDICATORS.find(name), chance)
    columns = with_gaps(walk(7, _ROWS), chance)
    whole = [row for row in range(_ROWS) if all(isfinite(columns[field][row]) for field in call.fields)]
    found = rows_of(INDICATORS.compute(call, series(call, columns)))
    dense = {field: [column[row] for row in whole] for field, column in columns.items()}
    expected = dict(zip(whole, rows_of(INDICATORS.compute(call, series(call, dense))), strict=True))
    assert len(whole) < _ROWS
    for row in range(_ROWS):
        assert same(found[row], expected.get(row, (nan,) * len(found[row])))


@pytest.mark.parametrize("name", NAMES)
def test_later_rows_change_no_earlier_value(name: str) -> None:
    call = a_call(INDICATORS.find(name), Random(name))
    inputs = series(call, walk(3, _ROWS))
    whole = rows_of(INDICATORS.compute(call, inputs))
    for end in (0, 1, 57, _ROWS - 1):
        part = rows_of(INDICATORS.compute(call, [one.part(0, end) for one in inputs]))
        assert len(part) == end
        assert all(same(*pair) for pair in zip(part, whole, strict=False))


@pytest.mark.parametrize("name", NAMES)
def test_the_lookback_is_the_number_of_rows_without_a_value(name: str) -> None:
    indicator = INDICATORS.find(name)
    for call in (indicator.call(), a_call(indicator, Random(name))):
        lookback = INDICATORS.history(call).lookback
        found = rows_of(INDICATORS.compute(call, series(call, walk(5, lookback + 40))))
        assert all(value != value for row in found[:lookback] for value in row)
        if name not in _WITHOUT:
            assert all(value == value for value in found[lookback])


_WITHOUT = {"ACOS", "ASIN", "COSH", "DIV", "EXP", "FRACTAL", "SINH"}
"""These have no value at some numbers, or one that no double can hold; FRACTAL only has one where there is a peak."""


@pytest.mark.parametrize("name", NAMES)
def test_extreme_prices_are_taken_and_bar_by_bar_gives_the_same_for_them(name: str) -> None:
    chance = Random(name)
    call = a_call(INDICATORS.find(name), chance)
    columns = {field: [chance.choice([0.0, 1e-300, 1.0, 1e3, 1e300]) for _ in range(80)] for field in BarField}
    expected = rows_of(INDICATORS.compute(call, series(call, columns)))
    live = INDICATORS.open(call, [Series.of([]) for _ in call.fields])
    for place, row in enumerate(zip(*(columns[field] for field in call.fields), strict=True)):
        values = live.update(row)
        if all(map(isfinite, values)):
            assert same(values, expected[place])
        else:
            assert [isfinite(value) for value in values] == [isfinite(value) for value in expected[place]]
