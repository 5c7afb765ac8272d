"""What a call of an indicator may say."""

from decimal import Decimal

import pytest

from domain.errors import InvalidArgument
from domain.market_data.indicator import (
    BarField,
    Indicator,
    IndicatorCall,
    IndicatorHistory,
    IndicatorInput,
    IndicatorOutput,
    IndicatorParameter,
    OutputKind,
    ParameterKind,
)

_AVERAGE = Indicator(
    name="AVERAGE",
    display_name="Average",
    group="Averages",
    inputs=(
        IndicatorInput("price", BarField.CLOSE, selectable=True),
        IndicatorInput("volume", BarField.VOLUME, selectable=False),
    ),
    parameters=(
        IndicatorParameter("period", "Period", "How long.", ParameterKind.INTEGER, Decimal(9), Decimal(2), Decimal(99)),
        IndicatorParameter("weight", "Weight", "How heavy.", ParameterKind.DECIMAL, Decimal("0.5")),
        IndicatorParameter(
            "kind", "Kind", "Which.", ParameterKind.CHOICE, Decimal(0), choices=((0, "Simple"), (2, "Other"))
        ),
    ),
    outputs=(IndicatorOutput("real", OutputKind.LINE),),
    history=IndicatorHistory(8, 0),
    overlay=True,
)


def test_what_a_call_does_not_say_has_its_default() -> None:
    assert _AVERAGE.call() == IndicatorCall(
        "AVERAGE", (Decimal(9), Decimal("0.5"), Decimal(0)), (BarField.CLOSE, BarField.VOLUME)
    )


def test_a_call_chooses_values_and_fields_by_name() -> None:
    call = _AVERAGE.call({"kind": Decimal(2), "weight": Decimal(-3)}, {"price": BarField.HIGH})
    assert call.parameters == (Decimal(9), Decimal(-3), Decimal(2))
    assert call.fields == (BarField.HIGH, BarField.VOLUME)


def test_a_fixed_input_may_be_named_with_the_field_that_it_has() -> None:
    assert _AVERAGE.call(fields={"volume": BarField.VOLUME}) == _AVERAGE.call()


@pytest.mark.parametrize("value", ["2", "99", "50.0"])
def test_bounds_are_inclusive_and_a_whole_number_may_have_places(value: str) -> None:
    assert _AVERAGE.call({"period": Decimal(value)}).parameters[0] == Decimal(value)


@pytest.mark.parametrize(
    ("parameters", "fields", "field", "rule"),
    [
        ({"period": "1"}, {}, 'parameters["period"]', "must be at least 2, and is 1"),
        ({"period": "100"}, {}, 'parameters["period"]', "must be at most 99, and is 100"),
        ({"period": "2.5"}, {}, 'parameters["period"]', "must be a whole number, and is 2.5"),
        ({"kind": "1"}, {}, 'parameters["kind"]', "must be one of 0, 2, and is 1"),
        ({"kind": "0.5"}, {}, 'parameters["kind"]', "must be a whole number, and is 0.5"),
        (
            {"length": "3"},
            {},
            'parameters["length"]',
            "there is no such name: this indicator has period, weight, kind",
        ),
        ({}, {"close": BarField.CLOSE}, 'inputs["close"]', "there is no such name: this indicator has price, volume"),
        ({}, {"volume": BarField.CLOSE}, 'inputs["volume"]', "cannot be chosen: the formula reads volume"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_field(
    parameters: dict[str, str], fields: dict[str, BarField], field: str, rule: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        _AVERAGE.call({name: Decimal(value) for name, value in parameters.items()}, fields)
    assert (refused.value.field, refused.value.rule) == (field, rule)
