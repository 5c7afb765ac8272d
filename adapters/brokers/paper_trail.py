"""Trailing stops of one side of one symbol: their stops follow the market, and never move away from it.

Orders that have seen the same best price share an anchor, so a market that runs moves one number and not
each order. Prices here carry the side's sign: a buy trails the lowest ask, a sell the highest bid, and both
are the lowest signed price; the stop of either lies above its anchor.
"""

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal
from functools import reduce
from itertools import chain

from adapters.brokers.paper_ladder import Ladder, withdraw
from adapters.brokers.paper_order import PaperOrder
from domain.decimals import PLACES, ZERO

_NOT_YET = Decimal("Infinity")
_QUANTUM = Decimal(1).scaleb(-PLACES)


class _Group:
    """Orders with one anchor, nearest stop first: by offset, and by percentage. `moved`: and that is news."""

    __slots__ = ("anchor", "by_offset", "by_percent", "moved")

    def __init__(self, anchor: Decimal) -> None:
        self.anchor = anchor
        self.moved = False
        self.by_offset = Ladder()
        self.by_percent = Ladder()

    def __len__(self) -> int:
        return len(self.by_offset) + len(self.by_percent)

    def __iter__(self) -> Iterator[PaperOrder]:
        return chain(self.by_offset, self.by_percent)

    def add(self, order: PaperOrder) -> None:
        if order.terms.trail_offset is not None:
            self.by_offset.add(-order.terms.trail_offset, order)
        else:
            self.by_percent.add(-_percent(order), order)

    def absorb(self, other: "_Group") -> "_Group":
        self.by_offset = self.by_offset.absorb(other.by_offset)
        self.by_percent = self.by_percent.absorb(other.by_percent)
        return self

    def reached(self, price: Decimal) -> PaperOrder | None:
        """An order whose stop lies at or below `price`."""
        risen = price - self.anchor
        return self.by_offset.first(-risen) or self.by_percent.first(-100 * risen / abs(self.anchor))

    def stop_of(self, order: PaperOrder) -> Decimal:
        if order.terms.trail_offset is not None:
            return self.anchor + order.terms.trail_offset
        return self.anchor + abs(self.anchor) * _percent(order) / 100


class Trail:
    """All groups of one side. Takes and gives prices with the side's sign.

    `moved`: there may be something for `take_moved`.
    """

    def __init__(self) -> None:
        self.moved = False
        self._newcomers = _Group(_NOT_YET)
        self._groups: list[_Group] = []

    def __len__(self) -> int:
        return len(self._newcomers) + sum(map(len, self._groups))

    def add(self, order: PaperOrder) -> None:
        """Trail from the next price that `move` is told."""
        self._newcomers.add(order)

    def add_with_stop(self, order: PaperOrder, stop: Decimal) -> None:
        """Trail from the anchor that belongs to `stop`, which is no news."""
        if order.terms.trail_offset is not None:
            anchor = stop - order.terms.trail_offset
        else:
            anchor = stop / (1 + (1 if stop > 0 else -1) * _percent(order) / 100)
            anchor = anchor.quantize(_QUANTUM, ROUND_FLOOR)  # what is lost in rounding must not loosen the stop
        self._groups.append(_Group(anchor))
        self._groups[-1].add(order)

    def move(self, price: Decimal) -> Iterator[tuple[PaperOrder, Decimal]]:
        """Follow the market to `price`; gives, and lets go of, each order that it triggers, with its stop."""
        passed = [group for group in self._groups if group.anchor >= price]
        moved = len(self._newcomers) > 0 or any(group.moved or group.anchor > price for group in passed)
        merged = reduce(_Group.absorb, passed, self._newcomers)
        merged.anchor, merged.moved = price, moved
        self.moved = self.moved or moved
        self._newcomers = _Group(_NOT_YET)
        self._groups = [merged, *(group for group in self._groups if group.anchor < price)]
        for group in self._groups:
            while (order := group.reached(price)) is not None:
                withdraw(order)
                yield order, group.stop_of(order)
        self._groups = [group for group in self._groups if group]

    def take_moved(self) -> Iterator[tuple[PaperOrder, Decimal]]:
        """The orders that have begun to trail or were moved since the last call, each with its stop."""
        self.moved = False
        for group in self._groups:
            if group.moved:
                group.moved = False
                yield from ((order, group.stop_of(order)) for order in group)


def _percent(order: PaperOrder) -> Decimal:
    return order.terms.trail_percent or ZERO
