"""One calculation of TA-Lib over rows that are all whole."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import talib
from numpy.typing import NDArray

Column: TypeAlias = NDArray[np.float64]
Output: TypeAlias = NDArray[np.float64] | NDArray[np.int32]
Arguments: TypeAlias = Mapping[str, int | float]

POSITIONS: Final = frozenset({"MAXINDEX", "MININDEX", "MINMAXINDEX"})
"""They tell a place in the array, which depends on where it begins: it becomes a number of rows back."""


def outputs_of(function: str, arguments: Arguments, columns: Sequence[Column]) -> list[Output]:
    """Rows before the lookback mean nothing."""
    compute: Any = getattr(talib, function)
    result = compute(*columns, **arguments)
    outputs: list[Output] = list(result) if isinstance(result, tuple) else [result]
    if function in POSITIONS:
        places = np.arange(len(columns[0]), dtype=np.int32)
        return [places - output for output in outputs]
    return outputs


def spread(output: Output, lookback: int, rows: NDArray[np.intp], length: int) -> Column:
    """The values of some `rows` of a column of that `length`, with NaN in between."""
    column = np.full(length, np.nan)
    column[rows[lookback:]] = output[lookback:]
    return column


def whole_rows(columns: Sequence[Column]) -> NDArray[np.intp]:
    """The rows that have a number in each column."""
    return np.flatnonzero(np.logical_and.reduce([np.isfinite(column) for column in columns]))
