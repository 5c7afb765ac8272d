"""The indicators of the process: TA-Lib's, loaded when they are first asked for, if TA-Lib is installed."""

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec

from application.ports.indicators import Computed, Indicators, LiveIndicator, Series
from domain.errors import PreconditionFailed, Violation
from domain.market_data.indicator import Indicator, IndicatorCall, IndicatorHistory

_INSTALL = "pip install -e '.[indicators]'"


class InstalledIndicators:
    """`package` is what must be installed for `adapters.indicators.talib_adapter`."""

    def __init__(self, package: str = "talib") -> None:
        self._package = package

    def all(self) -> Sequence[Indicator]:
        return self._indicators.all()

    def find(self, name: str) -> Indicator:
        return self._indicators.find(name)

    def history(self, call: IndicatorCall) -> IndicatorHistory:
        return self._indicators.history(call)

    def compute(self, call: IndicatorCall, inputs: Sequence[Series]) -> Computed:
        return self._indicators.compute(call, inputs)

    def open(self, call: IndicatorCall, inputs: Sequence[Series]) -> LiveIndicator:
        return self._indicators.open(call, inputs)

    @cached_property
    def _indicators(self) -> Indicators:
        if find_spec(self._package) is None:
            reason = "PROVIDER_NOT_CONFIGURED"
            lack = f"the package {self._package} is not installed: {_INSTALL}"
            raise PreconditionFailed(
                f"indicators: {lack}", [Violation(reason, "indicators", lack)], reason=reason, provider="indicators"
            )
        adapter = import_module("adapters.indicators.talib_adapter")
        loaded: Indicators = adapter.TalibIndicators()
        return loaded
