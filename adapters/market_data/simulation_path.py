"""The price path of one simulated instrument, as a tree that is opened only where somebody looks.

A cell of 64 days becomes days, a day's session hours, an hour minutes, and a minute prints. A node knows
its open, high, low, close, number of prints and volume before it is opened; its children are drawn so that
together they have exactly these. So a bar of any length is the bar of the prints in it, without making them.

Between two known prices runs a Brownian bridge, and its extremes follow the law of a bridge's maximum. The
prices at the cells' ends are independent draws around the reference price, which is what keeps the level.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from adapters.market_data.simulation_random import Floats, Level, draws, normal, stream, uniform
from adapters.market_data.simulation_sessions import TradingDay
from domain.market_data.trading_hours import TradingHours

Spans = Floats
"""One row for each of the names below, one column for each span of time. Counts are whole floats.

PRINTS is a number of trades, LOTS their volume. VARIANCE is what the price's change has over the span.
"""
OPEN, HIGH, LOW, CLOSE, VARIANCE, PRINTS, LOTS = range(7)

HOUR_MINUTES = 60
MINUTE_SLOTS = 240
SLOT = timedelta(minutes=1) / MINUTE_SLOTS
MIN_PRINTS = 4
MAX_PRINTS_PER_MINUTE = 50
MIN_PRINTS_PER_MINUTE = 8
"""Of the average. Days vary by half, hours and minutes by a quarter: a minute has 4 to 240 prints."""

_CELL_DAYS = 64
_CELLS_A_YEAR = 365 / _CELL_DAYS
_WEEK, _SATURDAY = 7, 5
_EPOCH_WEEKDAY = 3
_WEEKEND_VARIANCE = 0.1
_OVERNIGHT_VARIANCE = 0.25
_DOUBLINGS = 20
_NODES_KEPT = 4

Levels = Callable[[int], Floats]
"""The logarithm of price over reference at the starts of a cell's days, and at the end of the last."""


@dataclass(frozen=True, slots=True)
class PathTerms:
    """What an instrument's path is drawn from: `volatility` (above 0) is a year's, `print_lots` a print's mean size.

    `hours` tell whether the price moves while the market is closed: overnight, and (a little) at weekends.
    """

    key: int
    reference_price: float
    volatility: float
    prints_per_minute: float
    print_lots: float
    hours: TradingHours


@dataclass(frozen=True, slots=True)
class Prints:
    """The trades of one minute: `slots` (ascending, each once) are quarters of a second from its start."""

    slots: NDArray[np.int64]
    spans: Spans


class PricePath:
    """Opens the tree. The nodes on the way to the present are remembered, anything else is made again."""

    def __init__(self, terms: PathTerms, levels: Levels | None = None) -> None:
        self._terms = terms
        self._overnight = 0.0 if terms.hours.opens == terms.hours.closes else _OVERNIGHT_VARIANCE
        self._weekend = 1.0 if len(terms.hours.weekdays) == _WEEK else _WEEKEND_VARIANCE
        self._levels = levels or self.levels
        self._cell = lru_cache(_NODES_KEPT)(self._open_cell)
        self.hours = lru_cache(_NODES_KEPT)(self._open_day)
        self.minutes = lru_cache(_NODES_KEPT)(self._open_hour)
        self.prints = lru_cache(_NODES_KEPT)(self._open_minute)

    def levels(self, cell: int) -> Floats:
        """The path's own Levels: a bridge from this cell's anchor to the next one's."""
        variance = self._daily_variance(cell)
        walk = normal(draws(stream(self._terms.key, Level.WALK, cell), 1, _CELL_DAYS)[0])
        return _bridge(self._anchor(cell), self._anchor(cell + 1), variance, walk)

    def days(self, days: Sequence[TradingDay]) -> Spans:
        """The whole sessions of `days` (ascending, at least one)."""
        numbers = np.array([day.number for day in days])
        first = days[0].number // _CELL_DAYS
        cells = [self._cell(cell) for cell in range(first, days[-1].number // _CELL_DAYS + 1)]
        spans = np.hstack(cells)[:, numbers - first * _CELL_DAYS]
        spans[PRINTS] = np.floor(spans[PRINTS] * np.array([day.minutes for day in days]))
        spans[LOTS] = np.floor(spans[PRINTS] * spans[LOTS])
        return spans

    def _open_day(self, day: TradingDay) -> Spans:
        """The hours of a session, counted from its open; the last may be shorter."""
        full, rest = divmod(day.minutes, HOUR_MINUTES)
        minutes = np.array([HOUR_MINUTES] * full + [rest] * (rest > 0))
        return _split(self.days([day])[:, 0], minutes, self._stream(Level.HOURS, day, 0))

    def _open_hour(self, day: TradingDay, hour: int) -> Spans:
        """The minutes of an hour of a session."""
        minutes = min(HOUR_MINUTES, day.minutes - hour * HOUR_MINUTES)
        return _split(self.hours(day)[:, hour], np.ones(minutes), self._stream(Level.MINUTES, day, hour))

    def _open_minute(self, day: TradingDay, minute: int) -> Prints:
        """The prints of a minute of a session."""
        hour, minute_of_hour = divmod(minute, HOUR_MINUTES)
        return _prints(self.minutes(day, hour)[:, minute_of_hour], self._stream(Level.PRINTS, day, minute))

    def _open_cell(self, cell: int) -> Spans:
        """Every day of a cell, session or not; PRINTS is a minute's mean and LOTS a print's, of that day."""
        terms = self._terms
        overnight = self._overnight
        drawn = draws(stream(terms.key, Level.SESSION, cell), 4, _CELL_DAYS)
        variance = self._daily_variance(cell)
        levels = self._levels(cell)
        starts, ends = levels[:-1], levels[1:]
        gap = overnight * (ends - starts) + np.sqrt(overnight * (1 - overnight) * variance) * normal(drawn[0])
        opens, session = starts + gap, (1 - overnight) * variance
        highs = _reach(opens, ends, session, normal(drawn[1]))
        lows = -_reach(-opens, -ends, session, normal(drawn[2]))
        prices = terms.reference_price * _exponential(np.vstack((opens, highs, lows, ends)))
        sizes = 1 + (terms.print_lots - 1) * (0.5 + uniform(drawn[3]))
        prints = self._activity(cell) * terms.prints_per_minute
        return np.vstack((prices, session * prices[OPEN] ** 2, prints, sizes))

    def _anchor(self, cell: int) -> float:
        """Where a cell starts. Half a cell's variance makes its change have the whole of it."""
        deviation = self._terms.volatility * math.sqrt(0.5 / _CELLS_A_YEAR)
        return deviation * float(normal(draws(stream(self._terms.key, Level.ANCHOR, cell), 1, 1))[0, 0])

    def _activity(self, cell: int) -> Floats:
        """How busy each day is, from half to one and a half: it trades more, and it moves more."""
        return 0.5 + uniform(draws(stream(self._terms.key, Level.ACTIVITY, cell), 1, _CELL_DAYS)[0])

    def _daily_variance(self, cell: int) -> Floats:
        """Of the logarithm of the price, from each day's start to the next."""
        weekdays = (np.arange(_CELL_DAYS) + cell * _CELL_DAYS + _EPOCH_WEEKDAY) % _WEEK
        weights = np.where(weekdays < _SATURDAY, 1.0, self._weekend)
        a_week = _SATURDAY + (_WEEK - _SATURDAY) * self._weekend
        a_day = self._terms.volatility * self._terms.volatility / (_CELLS_A_YEAR * _CELL_DAYS)
        return weights * self._activity(cell) * (a_day * _WEEK / a_week)

    def _stream(self, level: Level, day: TradingDay, position: int) -> int:
        return stream(self._terms.key, level, (day.number << 16) + position)


def crossed(legs: Sequence[tuple[int, Levels]]) -> Levels:
    """The Levels of a cross rate, from the two pairs that it must agree with, each times 1 or -1."""
    return lambda cell: np.sum([sign * levels(cell) for sign, levels in legs], axis=0)


def merged(spans: Spans, firsts: NDArray[np.int64]) -> Spans:
    """Neighbouring spans made into one each: column firsts[i] and all before firsts[i + 1]."""
    lasts = np.append(firsts[1:], spans.shape[1]) - 1
    return np.vstack(
        (
            spans[OPEN, firsts],
            np.maximum.reduceat(spans[HIGH], firsts),
            np.minimum.reduceat(spans[LOW], firsts),
            spans[CLOSE, lasts],
            np.add.reduceat(spans[VARIANCE:], firsts, axis=1),
        )
    )


def _split(node: Floats, minutes: NDArray[np.int64] | Floats, stream: int) -> Spans:
    """The children of `node`, one for each entry of `minutes`, which says how long it is."""
    open_, high, low, close, variance, prints, lots = node.tolist()
    drawn = draws(stream, 5, len(minutes))
    reserved = MIN_PRINTS * minutes
    child_prints = reserved + _shares(prints - reserved.sum(), minutes * (0.75 + 0.5 * uniform(drawn[0])))
    child_lots = child_prints + _shares(lots - prints, child_prints * (0.5 + uniform(drawn[1])))
    child_variance = variance * child_prints / prints
    path = _folded(_bridge(open_, close, child_variance, normal(drawn[2])), low, high)
    starts, ends = path[:-1], path[1:]
    highs = _topped(_reach(starts, ends, child_variance, normal(drawn[3])), high)
    lows = -_topped(_reach(-starts, -ends, child_variance, normal(drawn[4])), -low)
    return np.vstack((starts, highs, lows, ends, child_variance, child_prints, child_lots))


def _prints(node: Floats, stream: int) -> Prints:
    """The prints of a minute: the first is its open, the last its close, two between its high and low."""
    open_, high, low, close, variance, prints, lots = node.tolist()
    count = int(prints)
    drawn = draws(stream, 3, MINUTE_SLOTS)
    slots = np.sort(np.argsort(drawn[0], kind="stable")[:count])
    steps = np.full(count - 1, variance / (count - 1))
    prices = _folded(_bridge(open_, close, steps, normal(drawn[1, : count - 1])), low, high)
    inner = np.argsort(prices[1:-1], kind="stable")
    prices[1 + inner[-1]], prices[1 + inner[0]] = high, low
    sizes = 1 + _shares(lots - prints, 0.1 + uniform(drawn[2, :count]) ** 2)
    ones = np.ones(count)
    return Prints(slots, np.vstack((prices, prices, prices, prices, ones * variance / prints, ones, sizes)))


def _shares(total: float, weights: Floats) -> Floats:
    """`total` (whole) dealt out by weight in whole numbers; weight 0 gets nothing."""
    running = np.cumsum(weights)
    dealt = np.floor(running * (total / running[-1]))
    dealt[running == running[-1]] = total
    return np.diff(dealt, prepend=0.0)


def _bridge(start: float, end: float, variance: Floats, normals: Floats) -> Floats:
    """A walk from `start` to `end` with a step for each variance: len(variance) + 1 points."""
    walk = np.cumsum(np.sqrt(variance) * normals)
    time = np.cumsum(variance)
    points = np.empty(len(variance) + 1)
    points[0] = start
    points[1:] = start + walk + (end - start - walk[-1]) * (time / time[-1])
    points[-1] = end
    return points


def _reach(starts: Floats, ends: Floats, variance: Floats, normals: Floats) -> Floats:
    """The highest point of bridges: (a + b + sqrt((b - a)^2 + 2 v E)) / 2 with E exponential of mean 1.

    A squared normal number, of mean 1 as well, stands for E, because a logarithm is not rounded exactly.
    """
    reach = (starts + ends + np.sqrt((ends - starts) ** 2 + 2 * variance * normals**2)) / 2
    return np.maximum(reach, np.maximum(starts, ends))


def _topped(highs: Floats, high: float) -> Floats:
    """`highs` below `high`, but for the highest, which is `high`."""
    top = np.argmax(highs)
    highs = np.minimum(highs, high)
    highs[top] = high
    return highs


def _folded(path: Floats, low: float, high: float) -> Floats:
    """`path` reflected at `low` and `high`; its ends, which lie between them, stay as they are."""
    reflected = high - np.abs(high - (low + np.abs(path - low)))
    reflected = np.clip(reflected, low, high)
    reflected[0], reflected[-1] = path[0], path[-1]
    return reflected


def _exponential(values: Floats) -> Floats:
    """(1 + x / n)^n for a large n that is a power of two: e^x to seven digits, by multiplication alone."""
    result = 1 + values / 2.0**_DOUBLINGS
    for _ in range(_DOUBLINGS):
        result = result * result
    return result
