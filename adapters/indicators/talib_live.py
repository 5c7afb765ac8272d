"""An indicator carried forward bar by bar with TA-Lib's streams, which need a history to begin with."""

from array import array
from collections.abc import Iterable, Sequence
from math import isfinite, nan
from typing import Any

import numpy as np
from talib import stream

from adapters.indicators.talib_columns import POSITIONS, Arguments, Column


class TalibLive:
    """Collects rows until there are enough to open TA-Lib's stream; from then on the stream has all that matters.

    `outputs` is how many values there are at a row.
    """

    def __init__(
        self, function: str, arguments: Arguments, lookback: int, columns: Sequence[Column], outputs: int
    ) -> None:
        """Carries on from `columns`, which are whole."""
        self._function = function
        self._arguments = arguments
        self._lookback = lookback
        self._rows = len(columns[0])
        self._waiting: tuple[array[float], ...] = ()
        self._stream: Any = None
        self._nothing = (nan,) * outputs
        self._values = self._nothing
        if self._rows > lookback:
            self._open(columns)
        else:
            self._waiting = tuple(array("d", column) for column in columns)

    @property
    def values(self) -> tuple[float, ...]:
        return self._values

    def update(self, row: Sequence[float]) -> tuple[float, ...]:
        if not all(map(isfinite, row)):
            return self._nothing
        self._rows += 1
        if self._stream is not None:
            self._values = self._told(self._stream.update(*row), self._rows)
            return self._values
        for column, number in zip(self._waiting, row, strict=True):
            column.append(number)
        if self._rows > self._lookback:
            self._open([np.array(column) for column in self._waiting])
            self._waiting = ()
        return self._values

    def peek(self, row: Sequence[float]) -> tuple[float, ...]:
        if not all(map(isfinite, row)):
            return self._nothing
        if self._stream is not None:
            return self._told(self._stream.peek(*row), self._rows + 1)
        return self.copy().update(row)

    def copy(self) -> "TalibLive":
        other = TalibLive.__new__(TalibLive)
        other.__dict__.update(self.__dict__)
        other._waiting = tuple(array("d", column) for column in self._waiting)
        other._stream = self._stream and self._stream.copy()
        return other

    def _open(self, columns: Sequence[Column]) -> None:
        self._stream = getattr(stream, self._function)(*columns, **self._arguments)
        self._values = self._told(self._stream.value, self._rows)

    def _told(self, said: float | tuple[float, ...], rows: int) -> tuple[float, ...]:
        """What the stream says at the last of so many rows, as the port has it."""
        values: Iterable[float] = said if isinstance(said, tuple) else (said,)
        if self._function in POSITIONS:
            return tuple(rows - 1 - place for place in values)
        return tuple(values)
