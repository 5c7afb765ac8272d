"""Indicators and their values, as the contract shows them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import Final

from application.market_data.queries.compute_indicator_query import MOST_HISTORY
from domain.decimals import plain, settle
from domain.market_data.bar import Bar
from domain.market_data.indicator import (
    BarField,
    Indicator,
    IndicatorInput,
    IndicatorOutput,
    IndicatorParameter,
    OutputKind,
    ParameterKind,
)
from quantmesh.marketdata.v1 import indicator_pb2
from server.mapping.common import decimal_or_empty, enum_table, reversed_table, to_timestamp

_FIELDS: Final = enum_table(indicator_pb2.BarField, BarField, "BAR_FIELD")
_FIELD_OF: Final = reversed_table(_FIELDS)
_PARAMETER_KINDS: Final = enum_table(indicator_pb2.IndicatorParameterKind, ParameterKind, "INDICATOR_PARAMETER_KIND")
_OUTPUT_KINDS: Final = enum_table(indicator_pb2.IndicatorOutputKind, OutputKind, "INDICATOR_OUTPUT_KIND")

_BEYOND: Final = Decimal(10) ** 20


def to_indicator(one: Indicator) -> indicator_pb2.Indicator:
    """One that remembers all bars for ever reads as many as the server reads at most."""
    unstable = MOST_HISTORY if one.history.unstable_period is None else one.history.unstable_period
    return indicator_pb2.Indicator(
        name=one.name,
        display_name=one.display_name,
        group=one.group,
        inputs=map(_to_input, one.inputs),
        parameters=map(_to_parameter, one.parameters),
        outputs=map(_to_output, one.outputs),
        lookback=one.history.lookback,
        has_unstable_period=unstable > 0,
        unstable_period=unstable,
        overlay=one.overlay,
    )


def _to_input(one: IndicatorInput) -> indicator_pb2.IndicatorInput:
    return indicator_pb2.IndicatorInput(name=one.name, default_field=_FIELDS[one.default], selectable=one.selectable)


def _to_parameter(one: IndicatorParameter) -> indicator_pb2.IndicatorParameter:
    return indicator_pb2.IndicatorParameter(
        name=one.name,
        display_name=one.display_name,
        description=one.description,
        kind=_PARAMETER_KINDS[one.kind],
        default_value=plain(one.default),
        min_value=decimal_or_empty(one.least),
        max_value=decimal_or_empty(one.most),
        choices=[indicator_pb2.IndicatorChoice(value=str(value), display_name=name) for value, name in one.choices],
    )


def _to_output(one: IndicatorOutput) -> indicator_pb2.IndicatorOutput:
    return indicator_pb2.IndicatorOutput(name=one.name, kind=_OUTPUT_KINDS[one.kind])


def from_parameters(parameters: Mapping[str, str]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in parameters.items()}


def from_inputs(inputs: Mapping[str, int]) -> dict[str, BarField]:
    return {name: _FIELD_OF[field] for name, field in inputs.items()}


def to_row(bar: Bar, values: Sequence[float]) -> indicator_pb2.IndicatorRow:
    return indicator_pb2.IndicatorRow(
        open_time=to_timestamp(bar.open_time),
        close_time=to_timestamp(bar.close_time),
        values=map(value_text, values),
        partial=bar.partial,
    )


def value_text(value: float) -> str:
    """A double by its 15 leading digits, as many as it can tell apart everywhere, at most 18 of them after the point.

    Empty where there is no value, and where the contract's decimals are too short for it.
    """
    if not isfinite(value):
        return ""
    text = f"{value:.15g}"
    # Only these have an exponent, or a sign on a zero.
    if "e" not in text and value != 0:
        return text
    number = Decimal(text)
    return plain(settle(number)) if abs(number) < _BEYOND else ""
