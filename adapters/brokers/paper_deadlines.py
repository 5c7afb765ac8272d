"""The moments at which the venue must turn to an order, whatever the market does."""

import heapq
from collections.abc import Iterator
from datetime import datetime

from adapters.brokers.paper_order import PaperOrder

_SLACK = 64


class Deadlines:
    """Orders by moment. Orders of one session share one, so an order costs one entry in a dictionary."""

    def __init__(self) -> None:
        self._orders: dict[datetime, dict[PaperOrder, None]] = {}
        self._moments: list[datetime] = []

    def set(self, order: PaperOrder, moment: datetime) -> None:
        """Turn to `order` at `moment` and at no other."""
        self.clear(order)
        order.deadline = moment
        if moment not in self._orders:
            self._orders[moment] = {}
            heapq.heappush(self._moments, moment)
        self._orders[moment][order] = None

    def clear(self, order: PaperOrder) -> None:
        if order.deadline is None:
            return
        orders = self._orders[order.deadline]
        del orders[order]
        if not orders:
            del self._orders[order.deadline]
            self._drop_empty_moments()
        order.deadline = None

    def next(self) -> datetime | None:
        while self._moments and self._moments[0] not in self._orders:
            heapq.heappop(self._moments)
        return self._moments[0] if self._moments else None

    def take_due(self, now: datetime) -> Iterator[list[PaperOrder]]:
        """The orders of each moment up to `now`, which then have no deadline any more."""
        while (moment := self.next()) is not None and moment <= now:
            orders = list(self._orders.pop(moment))
            for order in orders:
                order.deadline = None
            yield orders

    def _drop_empty_moments(self) -> None:
        if len(self._moments) > 2 * len(self._orders) + _SLACK:
            self._moments = list(self._orders)
            heapq.heapify(self._moments)
