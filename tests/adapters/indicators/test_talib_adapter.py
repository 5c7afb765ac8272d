"""Values are TA-Lib's own, to the last bit."""

from decimal import Decimal
from math import isfinite, isnan, nan

import numpy as np
import talib

from application.ports.indicators import Series
from domain.market_data.indicator import BarField
from tests.support.indicators import INDICATORS, rows_of, series, walk

_BARS = walk(1, 300)


def test_values_are_those_of_the_bare_library() -> None:
    call = INDICATORS.find("MACD").call({"fastperiod": Decimal(5)})
    computed = INDICATORS.compute(call, series(call, _BARS))
    bare = talib.MACD(np.array(_BARS[BarField.CLOSE]), fastperiod=5)
    assert computed.first == 33
    assert all(
        np.array_equal(ours, theirs, equal_nan=True) for ours, theirs in zip(computed.outputs, bare, strict=True)
    )


def test_inputs_are_read_in_the_order_of_the_function() -> None:
    call = INDICATORS.find("BETA").call(fields={"price0": BarField.VOLUME, "price1": BarField.CLOSE})
    computed = INDICATORS.compute(call, series(call, _BARS))
    bare = talib.BETA(np.array(_BARS[BarField.VOLUME]), np.array(_BARS[BarField.CLOSE]))
    assert np.array_equal(computed.outputs[0], bare, equal_nan=True)


def test_nothing_is_copied_where_every_row_is_whole() -> None:
    numbers = np.arange(50.0)
    call = INDICATORS.find("CDLDOJI").call()
    computed = INDICATORS.compute(call, [Series(numbers.data)] * 4)
    assert [len(output) for output in computed.outputs] == [50]
    assert computed.first == 10
    assert isinstance(computed.outputs[0][20], int)


def test_a_position_is_told_as_rows_back_from_the_bar() -> None:
    call = INDICATORS.find("MAXINDEX").call({"timeperiod": Decimal(3)})
    found = rows_of(INDICATORS.compute(call, [Series.of([1, 5, 2, 3, nan, 1, 9])]))
    assert [row[0] for row in found if not isnan(row[0])] == [1, 2, 1, 0]
    live = INDICATORS.open(call, [Series.of([1, 5, 2, 3])])
    assert live.peek([9]) == (0,)
    assert live.update([1]) == (1,)


def test_fewer_rows_than_the_lookback_have_no_value() -> None:
    for name in ("RSI", "CDL3BLACKCROWS", "MACD"):
        call = INDICATORS.find(name).call()
        for length in (0, 1, 5):
            found = rows_of(INDICATORS.compute(call, [Series.of([1.0] * length)] * len(call.fields)))
            assert len(found) == length
            assert all(isnan(value) for row in found for value in row)


def test_a_division_by_zero_has_no_value_and_spoils_no_other() -> None:
    call = INDICATORS.find("DIV").call()
    found = rows_of(INDICATORS.compute(call, [Series.of([1, 2, 3]), Series.of([2, 0, 3])]))
    assert [row[0] if isfinite(row[0]) else None for row in found] == [0.5, None, 1]
