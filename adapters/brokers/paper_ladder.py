"""Orders by key, best first, so that a new price touches only the orders that it reaches."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from decimal import Decimal
from operator import attrgetter

from adapters.brokers.paper_order import PaperOrder

_KEY = attrgetter("key")


class Level:
    """The orders at one key, oldest first. OrderedDict, as a dict's first entry gets slow to find."""

    __slots__ = ("key", "ladder", "orders")

    def __init__(self, ladder: "Ladder", key: Decimal) -> None:
        self.ladder = ladder
        self.key = key
        self.orders: OrderedDict[PaperOrder, None] = OrderedDict()

    def remove(self, order: PaperOrder) -> None:
        del self.orders[order]
        self.ladder.removed_from(self)


class Ladder:
    """The greatest key is the best; within a key, whoever came first. The best is at the list's cheap end."""

    __slots__ = ("_levels", "_size")

    def __init__(self) -> None:
        self._levels: list[Level] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[PaperOrder]:
        """All orders, best first."""
        return (order for level in reversed(self._levels) for order in level.orders)

    def add(self, key: Decimal, order: PaperOrder) -> None:
        levels = self._levels
        at = bisect_left(levels, key, key=_KEY)
        if at == len(levels) or levels[at].key != key:
            levels.insert(at, Level(self, key))
        order.level = levels[at]
        order.level.orders[order] = None
        self._size += 1

    def first(self, edge: Decimal) -> PaperOrder | None:
        """The best order, if its key is at least `edge`."""
        if not self._levels or self._levels[-1].key < edge:
            return None
        return next(iter(self._levels[-1].orders))

    def removed_from(self, level: Level) -> None:
        self._size -= 1
        if not level.orders:
            del self._levels[bisect_left(self._levels, level.key, key=_KEY)]

    def absorb(self, other: "Ladder") -> "Ladder":
        """One ladder with the orders of both. Only the fewer ones are moved."""
        few, many = (self, other) if len(self) < len(other) else (other, self)
        for level in few._levels:
            for order in level.orders:
                many.add(level.key, order)
        return many


def withdraw(order: PaperOrder) -> None:
    """Take `order` from its place, if it has one."""
    if order.level is not None:
        order.level.remove(order)
        order.level = None
