"""Indicators by TA-Lib.

TA-Lib's functions are pure but for settings of the whole process (unstable periods, candles), which nobody here
changes. They let go of the interpreter's lock while they calculate.
"""

from collections.abc import Sequence

import numpy as np
import talib

from adapters.indicators.talib_columns import outputs_of, spread, whole_rows
from adapters.indicators.talib_function import TalibFunction
from adapters.indicators.talib_live import TalibLive
from application.ports.indicators import Computed, LiveIndicator, Series
from domain.errors import NotFound
from domain.market_data.indicator import Indicator, IndicatorCall, IndicatorHistory


def _names() -> list[str]:
    names: list[str] = talib.get_functions()  # type: ignore[no-untyped-call]  # it has no annotations
    return names


class TalibIndicators:
    def __init__(self) -> None:
        self._functions = {name: TalibFunction(name) for name in sorted(_names())}

    def all(self) -> Sequence[Indicator]:
        return [function.indicator for function in self._functions.values()]

    def find(self, name: str) -> Indicator:
        return self._function(name).indicator

    def history(self, call: IndicatorCall) -> IndicatorHistory:
        return self._function(call.name).history(call.parameters)

    def compute(self, call: IndicatorCall, inputs: Sequence[Series]) -> Computed:
        function = self._function(call.name)
        lookback = function.history(call.parameters).lookback
        arguments = function.arguments(call.parameters)
        columns = [np.frombuffer(series.values, dtype=np.float64) for series in inputs]
        if all(series.whole for series in inputs):
            outputs = outputs_of(call.name, arguments, columns)
            return Computed(tuple(output.data for output in outputs), min(lookback, len(columns[0])))
        rows = whole_rows(columns)
        outputs = outputs_of(call.name, arguments, [column[rows] for column in columns])
        return Computed(tuple(spread(one, lookback, rows, len(columns[0])).data for one in outputs), 0)

    def open(self, call: IndicatorCall, inputs: Sequence[Series]) -> LiveIndicator:
        function = self._function(call.name)
        lookback = function.history(call.parameters).lookback
        columns = [np.frombuffer(series.values, dtype=np.float64) for series in inputs]
        rows = whole_rows(columns)
        return TalibLive(
            function=call.name,
            arguments=function.arguments(call.parameters),
            lookback=lookback,
            columns=[column[rows] for column in columns],
            outputs=len(function.indicator.outputs),
        )

    def _function(self, name: str) -> TalibFunction:
        try:
            return self._functions[name]
        except KeyError:
            raise NotFound(
                f"indicator: there is no indicator {name!r}; ListIndicators has those that there are",
                reason="INDICATOR_NOT_FOUND",
                indicator=name,
            ) from None
