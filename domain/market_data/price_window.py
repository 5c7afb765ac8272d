"""The lowest and highest price of a moving window, in constant time a price."""

from collections import deque
from datetime import datetime
from decimal import Decimal

from domain.decimals import ZERO
from domain.span import span


class _Extreme:
    """The largest value of the window: values that a later, larger one outlives are dropped at once."""

    def __init__(self) -> None:
        self._kept: deque[tuple[datetime, Decimal]] = deque()

    def add(self, at: datetime, value: Decimal) -> None:
        while self._kept and self._kept[-1][1] <= value:
            self._kept.pop()
        self._kept.append((at, value))

    def since(self, start: datetime) -> Decimal | None:
        while self._kept and self._kept[0][0] < start:
            self._kept.popleft()
        return self._kept[0][1] if self._kept else None


class PriceWindow:
    """Prices of the last `seconds`, given in the order of time."""

    def __init__(self, seconds: Decimal) -> None:
        self._length = span(seconds)
        self._high = _Extreme()
        self._low = _Extreme()
        self.last: datetime | None = None

    def add(self, at: datetime, price: Decimal) -> None:
        self._high.add(at, price)
        self._low.add(at, -price)
        self.last = at

    def range(self, now: datetime) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest of the prices at `now` less the window or later, None when there is none."""
        high, low = self._high.since(now - self._length), self._low.since(now - self._length)
        return None if high is None or low is None else (ZERO - low, high)
