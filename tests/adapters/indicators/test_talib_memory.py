"""How long values remember, tried with every function: over a long series, and over what the table says is enough."""

from random import Random

import pytest

from application.ports.indicators import Series
from domain.market_data.indicator import IndicatorCall
from tests.support.indicators import INDICATORS, NAMES, a_call, rows_of, series, walk

_ROWS = 5_200
_COMPARED = 25
_NEGLIGIBLE = 1e-9
_WALKS = [walk(11, _ROWS), walk(12, _ROWS), walk(20, _ROWS, coarse=True)]
# The stochastic of an RSI divides by the span of RSIs that may lie side by side.
_DIVIDES_BY_NEXT_TO_NOTHING = {"STOCHRSI": 1e-6}


def _error(call: IndicatorCall, inputs: list[Series], before: int) -> float:
    """How far values with `before` rows before them lie from those over all rows, in terms of the largest."""
    first = _ROWS - _COMPARED - before
    whole = rows_of(INDICATORS.compute(call, inputs))[-_COMPARED:]
    part = rows_of(INDICATORS.compute(call, [one.part(first, _ROWS) for one in inputs]))[-_COMPARED:]
    error = 0.0
    for left, right in zip(zip(*whole, strict=True), zip(*part, strict=True), strict=True):
        scale = max((abs(value) for value in left if value == value), default=1.0) or 1.0
        for a, b in zip(left, right, strict=True):
            assert (a == a) == (b == b), call
            error = max(error, abs(a - b) / scale if a == a else 0.0)
    return error


@pytest.mark.parametrize("name", NAMES)
def test_behind_the_unstable_period_the_beginning_does_not_show(name: str) -> None:
    indicator = INDICATORS.find(name)
    chance = Random(name)
    calls = [indicator.call(), a_call(indicator, chance), a_call(indicator, chance)]
    for call, columns in zip(calls, _WALKS, strict=True):
        history = INDICATORS.history(call)
        if history.unstable_period is None:
            continue
        negligible = _DIVIDES_BY_NEXT_TO_NOTHING.get(name, _NEGLIGIBLE)
        assert _error(call, series(call, columns), history.lookback + history.unstable_period) <= negligible, call


@pytest.mark.parametrize("name", NAMES)
def test_what_has_an_unstable_period_does_show_where_it_began(name: str) -> None:
    indicator = INDICATORS.find(name)
    unstable = indicator.history.unstable_period
    if unstable == 0:
        return
    call = indicator.call()
    before = indicator.history.lookback + (2_000 if unstable is None else 0)
    assert max(_error(call, series(call, columns), before) for columns in _WALKS) > _NEGLIGIBLE
