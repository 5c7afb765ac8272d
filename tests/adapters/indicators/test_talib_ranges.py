"""Every bound is held against TA-Lib itself: it takes the bound, and refuses what lies beyond."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import talib

from domain.market_data.indicator import ParameterKind
from tests.support.indicators import INDICATORS

_BARS = np.linspace(90, 110, 40)
_BOUNDED = [
    (indicator.name, parameter)
    for indicator in INDICATORS.all()
    for parameter in indicator.parameters
    if parameter.kind is not ParameterKind.CHOICE
]


def _takes(name: str, parameter: str, value: Decimal, whole: bool) -> bool:
    """Whether TA-Lib calculates with the value. Limits that only go together are far apart."""
    others: dict[str, int] = {"maxperiod": 100_000} if (name, parameter) == ("MAVP", "minperiod") else {}
    if (name, parameter) == ("MAVP", "maxperiod"):
        others = {"minperiod": 1}
    function: Any = getattr(talib, name)
    try:
        columns = [_BARS] * len(INDICATORS.find(name).inputs)
        function(*columns, **others, **{parameter: int(value) if whole else float(value)})
    except Exception as error:
        assert "TA_BAD_PARAM" in str(error)  # noqa: PT017  # TA-Lib raises nothing more exact
        return False
    return True


@pytest.mark.parametrize(("name", "parameter"), _BOUNDED, ids=[f"{name}-{one.name}" for name, one in _BOUNDED])
def test_a_bound_is_taken_and_what_lies_beyond_is_refused(name: str, parameter: Any) -> None:
    whole = parameter.kind is ParameterKind.INTEGER
    step = Decimal(1) if whole else Decimal("0.001")
    assert _takes(name, parameter.name, parameter.default, whole)
    for bound, beyond in ((parameter.least, -step), (parameter.most, step)):
        if bound is not None:
            assert _takes(name, parameter.name, bound, whole)
            assert not _takes(name, parameter.name, bound + beyond, whole)
        elif not whole:
            widest = Decimal(10) ** 20
            assert _takes(name, parameter.name, widest if beyond > 0 else -widest, whole)


def test_each_choice_of_a_moving_average_is_taken_and_no_other() -> None:
    for indicator in INDICATORS.all():
        for parameter in indicator.parameters:
            if parameter.kind is ParameterKind.CHOICE:
                numbers = [number for number, _ in parameter.choices]
                assert numbers == list(range(14))
                assert all(_takes(indicator.name, parameter.name, Decimal(number), True) for number in numbers)
                assert not _takes(indicator.name, parameter.name, Decimal(14), True)
