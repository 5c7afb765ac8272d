"""The library is loaded when it is first needed, and when it is not there the line to install it is said."""

import subprocess
import sys

import pytest

from adapters.indicators.installed import InstalledIndicators
from domain.errors import PreconditionFailed
from domain.market_data.indicator import IndicatorCall

_LOADED = """
import sys
from adapters.indicators.installed import InstalledIndicators
indicators = InstalledIndicators()
assert "talib" not in sys.modules
indicators.find("RSI")
assert "talib" in sys.modules
"""


def test_a_missing_package_is_refused_with_the_line_that_installs_it() -> None:
    indicators = InstalledIndicators("a_package_that_is_not_there")
    call = IndicatorCall("RSI", (), ())
    for ask in (
        indicators.all,
        lambda: indicators.find("RSI"),
        lambda: indicators.history(call),
        lambda: indicators.compute(call, []),
        lambda: indicators.open(call, []),
    ):
        with pytest.raises(PreconditionFailed) as refused:
            ask()
        assert refused.value.reason == "PROVIDER_NOT_CONFIGURED"
        assert "pip install -e '.[indicators]'" in refused.value.violations[0].description


def test_the_library_is_imported_on_first_use() -> None:
    subprocess.run([sys.executable, "-c", _LOADED], check=True, timeout=30)
