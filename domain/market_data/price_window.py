"""The lowest and highest price of a moving window, in constant time a price."""

from bisect import bisect_left
from collections import deque
from datetime import datetime
from decimal import Decimal

from domain.decimals import ZERO
from domain.span import span


class _Extreme:
    """The largest value of the window: values that a later, larger one outlives are dropped at once.

    What is left falls from value to value, so the first since some moment is the largest since then.
    """

    def __init__(self, most: int | None) -> None:
        self._kept: deque[tuple[datetime, Decimal]] = deque(maxlen=most)

    def add(self, at: datetime, value: Decimal) -> None:
        while self._kept and self._kept[-1][1] <= value:
            self._kept.pop()
        self._kept.append((at, value))

    def forget_before(self, start: datetime) -> None:
        while self._kept and self._kept[0][0] < start:
            self._kept.popleft()

    def since(self, start: datetime) -> Decimal | None:
        kept = self._kept
        if kept and kept[0][0] >= start:
            return kept[0][1]
        at = bisect_left(kept, start, key=_moment)
        return kept[at][1] if at < len(kept) else None


def _moment(kept: tuple[datetime, Decimal]) -> datetime:
    return kept[0]


class PriceWindow:
    """Prices of the last `seconds`, given in the order of time.

    `most` bounds what is kept of a market that only rises or only falls: then the oldest prices are forgotten first.
    """

    def __init__(self, seconds: Decimal, most: int | None = None) -> None:
        self._length = span(seconds)
        self._high = _Extreme(most)
        self._low = _Extreme(most)
        self.last: datetime | None = None

    def add(self, at: datetime, price: Decimal) -> None:
        for extreme in (self._high, self._low):
            extreme.forget_before(at - self._length)
        self._high.add(at, price)
        self._low.add(at, -price)
        self.last = at

    def range(self, now: datetime, seconds: Decimal | None = None) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest of the prices at `now` less the window or later, None when there is none.

        `seconds` looks at the last part of the window alone.
        """
        start = now - (self._length if seconds is None else min(self._length, span(seconds)))
        high, low = self._high.since(start), self._low.since(start)
        return None if high is None or low is None else (ZERO - low, high)
