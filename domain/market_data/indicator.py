"""Technical indicators: what each reads, is tuned by and gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import plain
from domain.errors import InvalidArgument
from domain.terms import Term


class BarField(Term):
    """The fields of a bar that a series can be made of."""

    OPEN = "open"
    HIGH = "high"
    LOW = "low"
    CLOSE = "close"
    VOLUME = "volume"


class ParameterKind(Term):
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    CHOICE = "CHOICE"


class OutputKind(Term):
    """How the values of an output are to be read: PATTERN and INTEGER are whole numbers."""

    LINE = "LINE"
    HISTOGRAM = "HISTOGRAM"
    PATTERN = "PATTERN"
    INTEGER = "INTEGER"


@dataclass(frozen=True, slots=True)
class IndicatorInput:
    """A series that is read. Only where it is `selectable`, a call may read another field than the `default`."""

    name: str
    default: BarField
    selectable: bool


@dataclass(frozen=True, slots=True)
class IndicatorParameter:
    """A number that an indicator is tuned by. Bounds are inclusive, None where there is none.

    `choices` are the values of a CHOICE with what each stands for; empty for the other kinds.
    """

    name: str
    display_name: str
    description: str
    kind: ParameterKind
    default: Decimal
    least: Decimal | None = None
    most: Decimal | None = None
    choices: tuple[tuple[int, str], ...] = ()

    def refusal(self, value: Decimal) -> str | None:
        """The rule that `value` breaks; None when it can be used."""
        if self.kind is not ParameterKind.DECIMAL and value != value.to_integral_value():
            return f"must be a whole number, and is {plain(value)}"
        if self.choices and int(value) not in (number for number, _ in self.choices):
            return f"must be one of {', '.join(str(number) for number, _ in self.choices)}, and is {plain(value)}"
        if self.least is not None and value < self.least:
            return f"must be at least {plain(self.least)}, and is {plain(value)}"
        if self.most is not None and value > self.most:
            return f"must be at most {plain(self.most)}, and is {plain(value)}"
        return None


@dataclass(frozen=True, slots=True)
class IndicatorOutput:
    name: str
    kind: OutputKind


@dataclass(frozen=True, slots=True)
class IndicatorCall:
    """An indicator with everything chosen: a value for each parameter, and a field for each input, in order."""

    name: str
    parameters: tuple[Decimal, ...]
    fields: tuple[BarField, ...]


@dataclass(frozen=True, slots=True)
class IndicatorHistory:
    """How far back a value reaches.

    `lookback` bars at the beginning have no value. In `unstable_period` further bars a value still shows where the
    series began: behind them it is, to one part in 10^9, what it would be over a longer history, but for a
    formula that divides by next to nothing. 0: it depends on the last `lookback` + 1 bars alone. None: each value
    depends on all before it, for ever.
    """

    lookback: int
    unstable_period: int | None


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator. `history` is at the default parameters; `overlay`: the outputs are prices."""

    name: str
    display_name: str
    group: str
    inputs: tuple[IndicatorInput, ...]
    parameters: tuple[IndicatorParameter, ...]
    outputs: tuple[IndicatorOutput, ...]
    history: IndicatorHistory
    overlay: bool

    def call(
        self, parameters: Mapping[str, Decimal] | None = None, fields: Mapping[str, BarField] | None = None
    ) -> IndicatorCall:
        """What is not given has its default.

        Raises InvalidArgument for a name that it does not have, and for a value out of range; the field is that
        of ComputeIndicator, for example `parameters["timeperiod"]`.
        """
        parameters, fields = parameters or {}, fields or {}
        _require_known("parameters", parameters, [parameter.name for parameter in self.parameters])
        _require_known("inputs", fields, [one.name for one in self.inputs])
        return IndicatorCall(
            self.name,
            tuple(_value_of(parameter, parameters) for parameter in self.parameters),
            tuple(_field_of(one, fields) for one in self.inputs),
        )


def _require_known(field: str, given: Mapping[str, object], known: list[str]) -> None:
    for name in given:
        if name not in known:
            there_are = f"this indicator has {', '.join(known)}" if known else "this indicator has none"
            raise InvalidArgument(f'{field}["{name}"]', f"there is no such name: {there_are}")


def _value_of(parameter: IndicatorParameter, given: Mapping[str, Decimal]) -> Decimal:
    value = given.get(parameter.name, parameter.default)
    if (rule := parameter.refusal(value)) is not None:
        raise InvalidArgument(f'parameters["{parameter.name}"]', rule)
    return value


def _field_of(one: IndicatorInput, given: Mapping[str, BarField]) -> BarField:
    field = given.get(one.name, one.default)
    if field is not one.default and not one.selectable:
        raise InvalidArgument(f'inputs["{one.name}"]', f"cannot be chosen: the formula reads {one.default.value}")
    return field
