"""Technical indicators over series of doubles: all at once, and bar by bar.

A row that lacks a number in one of the inputs (NaN or infinite there) has no value, and the other rows get the
values that they have where it does not exist: what is missing at one bar spoils no other.

Calculations are pure and may run on any thread; the long ones let other threads run.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

from domain.market_data.indicator import Indicator, IndicatorCall, IndicatorHistory


class Series:
    """A column of C doubles, one a row, oldest first; NaN where a row has none. `whole`: it has one in every row.

    It is looked through once, when it is made, so that each calculation on it is spared that.
    """

    __slots__ = ("values", "whole")

    def __init__(self, values: "memoryview | array[float]", whole: bool | None = None) -> None:
        """`values` is not copied and must not change. `whole` None: it is not known, and looked up."""
        self.values = memoryview(values)
        self.whole = all(map(isfinite, self.values)) if whole is None else whole

    @classmethod
    def of(cls, values: Iterable[float]) -> "Series":
        return cls(array("d", values))

    def __len__(self) -> int:
        return len(self.values)

    def part(self, first: int, end: int) -> "Series":
        """Rows from `first` up to `end`, not copied."""
        return Series(self.values[first:end], self.whole or None)


@dataclass(frozen=True, slots=True)
class Computed:
    """One column for each output, in order, as long as the inputs: of doubles, or of whole numbers.

    Rows before `first` have no value, whatever stands there. Behind them, what is not finite is no value.
    """

    outputs: tuple[Sequence[float], ...]
    first: int


class LiveIndicator(Protocol):
    """An indicator that is carried forward bar by bar.

    Each value is the same, to the last bit, as `Indicators.compute` over all rows until then gives for the last
    of them. What is not finite is no value. Not to be used by two threads at once.
    """

    @property
    def values(self) -> tuple[float, ...]:
        """One value for each output at the last row that was whole."""
        ...

    def update(self, row: Sequence[float]) -> tuple[float, ...]:
        """Take one more complete bar: one number for each input. One that lacks a number leaves no trace."""
        ...

    def peek(self, row: Sequence[float]) -> tuple[float, ...]:
        """What `update` would give, for a bar that is still running. Nothing is changed."""
        ...

    def copy(self) -> "LiveIndicator":
        """Another one at the same bar, independent from here on."""
        ...


class Indicators(Protocol):
    """Each method may raise PreconditionFailed: PROVIDER_NOT_CONFIGURED, when no library for it is installed.

    The first call may take a second: the library is loaded then.
    """

    def all(self) -> Sequence[Indicator]:
        """Every indicator, by name."""
        ...

    def find(self, name: str) -> Indicator:
        """Raises NotFound: INDICATOR_NOT_FOUND."""
        ...

    def history(self, call: IndicatorCall) -> IndicatorHistory:
        """Raises InvalidArgument for parameters that are each in range and do not go together."""
        ...

    def compute(self, call: IndicatorCall, inputs: Sequence[Series]) -> Computed:
        """`inputs` are in the order of the indicator's and of one length; they may be shorter than the lookback.

        Positions in the series are given as a number of whole rows back from the one that has the value. Raises
        InvalidArgument as `history` does.
        """
        ...

    def open(self, call: IndicatorCall, inputs: Sequence[Series]) -> LiveIndicator:
        """Carry on from `inputs`, which may be empty. Raises InvalidArgument as `history` does."""
        ...
