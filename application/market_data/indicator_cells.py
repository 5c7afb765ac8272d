"""Why the value at a bar is the same, to the last digit, wherever a request starts.

Rounding errors, and what an average remembers of its first bar, make a value depend on the bar that a calculation
began with. So that bar is found from the time of the value alone: time is cut into cells of 256 times the longest bar
of the interval, and the values of a cell are calculated from a fixed number of bars before the cell's first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import nan

from application.market_data.bar_ranges import longest
from application.ports.indicators import Indicators, Series
from domain.market_data.bar import BarInterval
from domain.market_data.indicator import IndicatorCall

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BARS = 256


def cell_start(interval: BarInterval, at: datetime) -> datetime:
    """When the cell that `at` lies in begins."""
    return at - (at - _EPOCH) % (_BARS * longest(interval))


@dataclass(frozen=True, slots=True)
class Window:
    """Rows [first, end), calculated from row `start` on."""

    start: int
    first: int
    end: int


def windows(interval: BarInterval, opens: Sequence[datetime], first: int, cell: int, depth: int | None) -> list[Window]:
    """How the rows that open at `opens`, of which the first is row `first`, are to be calculated.

    `cell` is the first row of that row's cell. `depth` is how many rows come before a cell, None: all there are.
    """
    if depth is None:
        return [Window(0, first, first + len(opens))]
    starts = [cell_start(interval, at) for at in opens]
    bounds = [place for place in range(1, len(starts)) if starts[place] != starts[place - 1]]
    found = []
    for begin, end in zip([0, *bounds], [*bounds, len(starts)], strict=True):
        of_cell = first + begin if begin else cell
        found.append(Window(max(0, of_cell - depth), first + begin, first + end))
    return found


def rows_of(
    indicators: Indicators, call: IndicatorCall, series: Sequence[Series], window: Window
) -> list[tuple[float, ...]]:
    """The values at the rows of the window; what is not finite is none."""
    computed = indicators.compute(call, [one.part(window.start, window.end) for one in series])
    first = window.first - window.start
    without = max(0, min(computed.first - first, window.end - window.first))
    nothing = (nan,) * len(computed.outputs)
    return [nothing] * without + list(zip(*(output[first + without :] for output in computed.outputs), strict=True))
