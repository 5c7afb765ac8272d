"""Indicators and their values on the wire."""

from math import inf, nan

import pytest

from quantmesh.marketdata.v1 import indicator_pb2
from server.mapping.indicators import to_indicator, value_text
from tests.support.indicators import INDICATORS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1 + 0.2, "0.3"),
        (187.25, "187.25"),
        (1 / 3, "0.333333333333333"),
        (-2 / 3, "-0.666666666666667"),
        (1e-4 / 3, "0.000033333333333333"),
        (1e-17, "0.00000000000000001"),
        (4e-19, "0"),
        (-4e-19, "0"),
        (-0.0, "0"),
        (100, "100"),
        (-100, "-100"),
        (123456789012345678.0, "123456789012346000"),
        (99999999999999800000.0, "99999999999999800000"),
        (99999999999999991611.0, ""),
        (1e20, ""),
        (-1e43, ""),
        (nan, ""),
        (inf, ""),
        (-inf, ""),
    ],
)
def test_a_value_has_fifteen_digits_and_is_empty_where_there_is_none(value: float, text: str) -> None:
    assert value_text(value) == text


def test_an_indicator_is_shown_with_all_it_has() -> None:
    shown = to_indicator(INDICATORS.find("STOCH"))
    assert (shown.name, shown.display_name, shown.group) == ("STOCH", "Stochastic", "Momentum Indicators")
    assert [(one.name, one.default_field, one.selectable) for one in shown.inputs] == [
        ("high", indicator_pb2.BAR_FIELD_HIGH, False),
        ("low", indicator_pb2.BAR_FIELD_LOW, False),
        ("close", indicator_pb2.BAR_FIELD_CLOSE, False),
    ]
    period, average = shown.parameters[0], shown.parameters[2]
    assert (period.name, period.default_value, period.min_value, period.max_value) == (
        "fastk_period",
        "5",
        "1",
        "100000",
    )
    assert period.kind == indicator_pb2.INDICATOR_PARAMETER_KIND_INTEGER
    assert average.kind == indicator_pb2.INDICATOR_PARAMETER_KIND_CHOICE
    assert (average.min_value, average.max_value) == ("", "")
    assert (average.choices[1].value, average.choices[1].display_name) == ("1", "Exponential Moving Average")
    assert [(one.name, one.kind) for one in shown.outputs] == [
        ("slowk", indicator_pb2.INDICATOR_OUTPUT_KIND_LINE),
        ("slowd", indicator_pb2.INDICATOR_OUTPUT_KIND_LINE),
    ]
    assert (shown.lookback, shown.has_unstable_period, shown.unstable_period, shown.overlay) == (8, False, 0, False)


@pytest.mark.parametrize(
    ("name", "unstable", "period"), [("SMA", False, 0), ("RSI", True, 1_000), ("OBV", True, 200_000)]
)
def test_how_much_history_is_read_is_shown(name: str, unstable: bool, period: int) -> None:
    shown = to_indicator(INDICATORS.find(name))
    assert (shown.has_unstable_period, shown.unstable_period) == (unstable, period)
