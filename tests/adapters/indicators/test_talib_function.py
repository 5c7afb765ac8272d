"""What TA-Lib says of its functions, as indicators."""

from decimal import Decimal

import pytest
import talib

from domain.errors import InvalidArgument
from domain.market_data.indicator import BarField, IndicatorInput, OutputKind, ParameterKind
from tests.support.indicators import INDICATORS, NAMES


def test_every_function_of_talib_is_an_indicator() -> None:
    assert sorted(talib.get_functions()) == NAMES  # type: ignore[no-untyped-call]  # it has no annotations
    assert len(NAMES) >= 200


def test_an_indicator_has_all_that_a_form_needs() -> None:
    bands = INDICATORS.find("BBANDS")
    assert (bands.display_name, bands.group, bands.overlay) == ("Bollinger Bands", "Overlap Studies", True)
    assert bands.inputs == (IndicatorInput("price", BarField.CLOSE, selectable=True),)
    assert [output.name for output in bands.outputs] == ["upperband", "middleband", "lowerband"]
    period, up, down, average = bands.parameters
    assert (period.name, period.display_name, period.description) == ("timeperiod", "Time Period", "Time period.")
    assert period.kind is ParameterKind.INTEGER
    assert (period.default, period.least, period.most) == (Decimal(20), Decimal(2), Decimal(100_000))
    assert up.kind is ParameterKind.DECIMAL
    assert (up.default, up.least, up.most) == (Decimal(2), None, None)
    assert down.name == "nbdevdn"
    assert average.kind is ParameterKind.CHOICE
    assert average.default == 0
    assert average.choices[1] == (1, "Exponential Moving Average")


def test_inputs_that_the_formula_fixes_cannot_be_chosen() -> None:
    fields = {one.name: (one.default, one.selectable) for one in INDICATORS.find("OBV").inputs}
    assert fields == {"price": (BarField.CLOSE, True), "volume": (BarField.VOLUME, False)}
    assert [(one.name, one.selectable) for one in INDICATORS.find("ATR").inputs] == [
        ("high", False),
        ("low", False),
        ("close", False),
    ]


def test_functions_of_two_series_read_two_that_can_be_chosen() -> None:
    for name in ("CORREL", "BETA"):
        fields = [(one.name, one.default, one.selectable) for one in INDICATORS.find(name).inputs]
        assert fields == [("price0", BarField.HIGH, True), ("price1", BarField.LOW, True)]
    assert [one.name for one in INDICATORS.find("MAVP").inputs] == ["price", "periods"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("CDLENGULFING", [OutputKind.PATTERN]),
        ("HT_TRENDMODE", [OutputKind.INTEGER]),
        ("MINMAXINDEX", [OutputKind.INTEGER] * 2),
        ("MACD", [OutputKind.LINE, OutputKind.LINE, OutputKind.HISTOGRAM]),
    ],
)
def test_outputs_say_how_they_are_to_be_read(name: str, kinds: list[OutputKind]) -> None:
    assert [output.kind for output in INDICATORS.find(name).outputs] == kinds


def test_what_is_built_of_unstable_functions_is_unstable_though_talib_does_not_say_so() -> None:
    assert INDICATORS.find("MACD").history.unstable_period == 1_175
    assert INDICATORS.find("SMA").history.unstable_period == 0
    assert INDICATORS.find("OBV").history.unstable_period is None


def test_the_type_of_a_moving_average_decides_how_long_it_remembers() -> None:
    average = INDICATORS.find("MA")
    for number, unstable in ((0, 0), (2, 0), (1, 1_000), (13, 1_000)):
        assert INDICATORS.history(average.call({"matype": Decimal(number)})).unstable_period == unstable
    long = average.call({"matype": Decimal(1), "timeperiod": Decimal(200)})
    assert INDICATORS.history(long).unstable_period == 5_000


def test_parameters_that_do_not_go_together_are_refused() -> None:
    call = INDICATORS.find("MAVP").call({"minperiod": Decimal(9), "maxperiod": Decimal(3)})
    with pytest.raises(InvalidArgument, match="minperiod, maxperiod, matype do not go together") as refused:
        INDICATORS.history(call)
    assert refused.value.field == "parameters"


def test_names_and_groups_keep_the_rules_of_the_contract() -> None:
    for indicator in INDICATORS.all():
        assert indicator.name.isupper()
        assert len(indicator.name) <= 32
        assert indicator.inputs
        assert indicator.outputs
        assert all(parameter.refusal(parameter.default) is None for parameter in indicator.parameters)
        assert all(parameter.name == parameter.name.lower() for parameter in indicator.parameters)
