"""Random walks and random parameters for every indicator there is."""

from collections.abc import Sequence
from decimal import Decimal
from math import inf, nan
from random import Random

import numpy as np

from adapters.indicators.talib_adapter import TalibIndicators
from application.ports.indicators import Computed, Series
from domain.market_data.indicator import BarField, Indicator, IndicatorCall, IndicatorParameter, ParameterKind

INDICATORS = TalibIndicators()
NAMES = [indicator.name for indicator in INDICATORS.all()]
LONGEST_PERIOD = 20


def walk(seed: int, rows: int, *, coarse: bool = False) -> dict[BarField, list[float]]:
    """Bars that are consistent in themselves. `coarse`: on a grid that makes many of them equal, and some empty."""
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(chance.normal(0, 0.01, rows)))
    opened = close * (1 + chance.normal(0, 0.004, rows))
    high = np.maximum(opened, close) * (1 + np.abs(chance.normal(0, 0.004, rows)))
    low = np.minimum(opened, close) * (1 - np.abs(chance.normal(0, 0.004, rows)))
    volume = chance.integers(0, 10_000, rows).astype(np.float64)
    if coarse:
        opened, high, low, close = (np.round(column) for column in (opened, high, low, close))
        volume[chance.random(rows) < 0.3] = 0
    columns = dict(zip(BarField, (opened, high, low, close, volume), strict=True))
    return {field: [float(value) for value in column] for field, column in columns.items()}


def with_gaps(columns: dict[BarField, list[float]], chance: Random) -> dict[BarField, list[float]]:
    """The same with no number here and there, and in one row of each field for sure."""
    holed = {field: [nan if chance.random() < 0.02 else one for one in column] for field, column in columns.items()}
    for column in holed.values():
        column[chance.randrange(len(column))] = chance.choice([nan, inf, -inf])
    return holed


def series(call: IndicatorCall, columns: dict[BarField, list[float]], first: int = 0) -> list[Series]:
    return [Series.of(columns[field][first:]) for field in call.fields]


def a_call(indicator: Indicator, chance: Random) -> IndicatorCall:
    """With a value for each parameter, and a field for each input, by chance; they go together."""
    parameters = {parameter.name: _value(parameter, chance) for parameter in indicator.parameters}
    if indicator.name == "MAVP":
        parameters["maxperiod"] += parameters["minperiod"]
    fields = {one.name: chance.choice(list(BarField)) for one in indicator.inputs if one.selectable}
    return indicator.call(parameters, fields if chance.random() < 0.5 else {})


def _value(parameter: IndicatorParameter, chance: Random) -> Decimal:
    if parameter.kind is ParameterKind.CHOICE:
        return Decimal(chance.choice(parameter.choices)[0])
    if parameter.kind is ParameterKind.INTEGER:
        assert parameter.least is not None
        return Decimal(chance.randint(int(parameter.least), LONGEST_PERIOD))
    value = parameter.default * Decimal(chance.randint(5, 20)) / 10
    return value if parameter.most is None else min(value, parameter.most)


def rows_of(computed: Computed) -> list[tuple[float, ...]]:
    """Each row's values, NaN in rows without any."""
    nothing = (nan,) * len(computed.outputs)
    rows = list(zip(*computed.outputs, strict=True))
    return [nothing if row < computed.first else tuple(map(float, values)) for row, values in enumerate(rows)]


def same(left: Sequence[float], right: Sequence[float]) -> bool:
    """To the last bit, with no value being the same as no value."""
    return len(left) == len(right) and all(a == b or (a != a and b != b) for a, b in zip(left, right, strict=True))
