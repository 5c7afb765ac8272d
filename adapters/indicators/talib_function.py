"""A function of TA-Lib as an indicator, from what TA-Lib says of itself."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

import talib
from talib import abstract

from adapters.indicators.talib_memory import unstable_period
from adapters.indicators.talib_ranges import range_of
from domain.errors import InvalidArgument
from domain.market_data.indicator import (
    BarField,
    Indicator,
    IndicatorHistory,
    IndicatorInput,
    IndicatorOutput,
    IndicatorParameter,
    OutputKind,
    ParameterKind,
)

_OVERLAP: Final = "Output scale same as input"
_CANDLESTICK: Final = "Output is a candlestick"
_HISTOGRAM: Final = "Histogram"
_WHOLE_NUMBERS: Final = frozenset({"integer", "minidx", "maxidx"})
_NO_PRICES: Final = frozenset({"AVGDEV"})
"""On the scale of prices, as TA-Lib says, and far from them: an average distance."""
_KINDS: Final = {0: ParameterKind.DECIMAL, 2: ParameterKind.INTEGER, 3: ParameterKind.CHOICE}
# MAVP's input of periods is no field of a bar; any will do, as values are brought into the range of its parameters.
_FIELDS: Final = {"periods": BarField.VOLUME}

_talib: Final[Any] = talib
_abstract: Final[Any] = abstract
"""Both have more than their stubs say."""


@dataclass(frozen=True)
class TalibFunction:
    """A function of TA-Lib, and the indicator that it is."""

    name: str

    @cached_property
    def indicator(self) -> Indicator:
        info = self._abstract().info
        flags = info["function_flags"] or ()
        return Indicator(
            name=self.name,
            display_name=info["display_name"],
            group=info["group"],
            inputs=tuple(_inputs(info["input_names"])),
            parameters=self.parameters,
            outputs=tuple(_outputs(info["output_flags"], _CANDLESTICK in flags)),
            history=self.history(tuple(parameter.default for parameter in self.parameters)),
            overlay=_OVERLAP in flags and self.name not in _NO_PRICES,
        )

    @cached_property
    def parameters(self) -> tuple[IndicatorParameter, ...]:
        return tuple(_parameter(self.name, place) for place in range(len(self._abstract().parameters)))

    def arguments(self, values: Sequence[Decimal]) -> dict[str, int | float]:
        """The values as TA-Lib takes them: only what is a decimal by kind is a double."""
        return {
            parameter.name: float(value) if parameter.kind is ParameterKind.DECIMAL else int(value)
            for parameter, value in zip(self.parameters, values, strict=True)
        }

    def history(self, values: Sequence[Decimal]) -> IndicatorHistory:
        """Raises InvalidArgument for values that are each in range and do not go together."""
        names = [parameter.name for parameter in self.parameters]
        function = self._abstract()
        function.set_parameters(self.arguments(values))
        lookback: int = function.lookback
        if lookback < 0:
            raise InvalidArgument("parameters", f"the values of {', '.join(names)} do not go together")
        return IndicatorHistory(lookback, unstable_period(self.name, dict(zip(names, values, strict=True))))

    def _abstract(self) -> Any:
        """A new one each time: it carries the values that were set last."""
        return _abstract.Function(self.name)


def _inputs(names: Mapping[str, str | Sequence[str]]) -> Iterator[IndicatorInput]:
    """In the order of the function's arguments. TA-Lib fixes the fields that it lists."""
    for name, fields in names.items():
        if isinstance(fields, str):
            yield IndicatorInput(name, _FIELDS[name] if name in _FIELDS else BarField(fields), selectable=True)
        else:
            yield from (IndicatorInput(field, BarField(field), selectable=False) for field in fields)


def _parameter(function: str, place: int) -> IndicatorParameter:
    info = _talib._ta_lib._ta_getOptInputParameterInfo(function.encode(), place)
    kind = _KINDS[info["type"]]
    least, most = range_of(function, info["name"], kind)
    return IndicatorParameter(
        name=info["name"],
        display_name=info["display_name"],
        description=info["help"].rstrip(".") + ".",
        kind=kind,
        default=Decimal(repr(info["default_value"])),
        least=least,
        most=most,
        choices=tuple(_choices()) if kind is ParameterKind.CHOICE else (),
    )


def _choices() -> Iterator[tuple[int, str]]:
    """The moving averages."""
    for number in sorted(value for value in vars(type(_talib.MA_Type)).values() if isinstance(value, int)):
        yield number, _talib.MA_Type[number]


def _outputs(flags: Mapping[str, Collection[str]], candlestick: bool) -> Iterator[IndicatorOutput]:
    for name, drawn in flags.items():
        if name in _WHOLE_NUMBERS:
            yield IndicatorOutput(name, OutputKind.PATTERN if candlestick else OutputKind.INTEGER)
        else:
            yield IndicatorOutput(name, OutputKind.HISTOGRAM if _HISTOGRAM in drawn else OutputKind.LINE)
