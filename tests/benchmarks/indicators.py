"""What the port costs: indicators over many bars, against TA-Lib called with the same arrays."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final

import numpy as np
import talib

from adapters.indicators.installed import InstalledIndicators
from application.ports.indicators import Series
from domain.market_data.indicator import BarField
from tests.benchmarks.bench import Bench
from tests.benchmarks.report import Row

_BARS: Final = 1_000_000
_RUNS: Final = 5
_AT_MOST: Final = 1.2
_NAMES: Final = ("SMA", "EMA", "RSI", "MACD", "BBANDS", "ATR", "ADX", "OBV", "CDLENGULFING")


def over_many_bars(bench: Bench) -> Iterator[Row]:
    """A million bars, or fewer when it is to be quick. The arrays are the same; a round is its best of a few runs."""
    columns = _columns(bench.sized(_BARS))
    series = {field: Series(column, whole=True) for field, column in columns.items()}
    arrays = {field: np.frombuffer(column, dtype=np.float64) for field, column in columns.items()}
    indicators = InstalledIndicators()
    for name in _NAMES:
        call = indicators.find(name).call()
        bare: Any = getattr(talib, name)
        ours = _timed(partial(indicators.compute, call, [series[field] for field in call.fields]))
        theirs = _timed(partial(bare, *(arrays[field] for field in call.fields)))
        base, found = bench.take_turns(f"{name} over {bench.sized(_BARS):,} bars", theirs, ours)
        yield Row("an indicator", name, "ms", base, found, against="bare TA-Lib", at_most=_AT_MOST)


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    """How long it takes, in milliseconds."""

    def best() -> float:
        times: list[float] = []
        for _ in range(_RUNS):
            begin = perf_counter()
            work()
            times.append((perf_counter() - begin) * 1e3)
        return min(times)

    return best


def _columns(count: int) -> dict[BarField, "array[float]"]:
    chance = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(chance.normal(0, 0.001, count)))
    opened = close * (1 + chance.normal(0, 0.0005, count))
    high, low = np.maximum(opened, close) * 1.0005, np.minimum(opened, close) * 0.9995
    volume = chance.integers(1, 10_000, count)
    columns: Sequence[Any] = (opened, high, low, close, volume)
    return {field: array("d", column) for field, column in zip(BarField, columns, strict=True)}
