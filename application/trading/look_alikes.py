"""The orders that were placed lately, by what makes two of them look the same."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_terms import OrderTerms

_Look: TypeAlias = tuple[Any, ...]


def _look(terms: OrderTerms) -> _Look:
    return (
        terms.symbol,
        terms.side,
        terms.quantity,
        terms.type,
        terms.limit_price,
        terms.stop_price,
        terms.trail_offset,
        terms.trail_percent,
    )


class LookAlikes:
    """`known_from`: every order placed since then is in here. Nothing is kept while nobody asks."""

    def __init__(self) -> None:
        self.known_from: datetime | None = None
        self._placed: deque[tuple[datetime, _Look, str]] = deque()
        self._newest: dict[_Look, tuple[datetime, str]] = {}

    def knows(self, since: datetime) -> bool:
        return self.known_from is not None and self.known_from <= since

    def load(self, orders: Iterable[Order], since: datetime) -> None:
        """Be what `orders`, all that were placed since then, oldest first, say."""
        self._placed.clear()
        self._newest.clear()
        self.known_from = since
        for order in orders:
            self.add(order)

    def add(self, order: Order) -> None:
        if self.known_from is not None:
            look = _look(order.terms)
            self._placed.append((order.created_time, look, order.order_id))
            self._newest[look] = (order.created_time, order.order_id)

    def remove(self, order: Order) -> None:
        """Undo the last `add`; of others that look the same, the newest before it stands again."""
        if self.known_from is None:
            return
        self._placed.pop()
        look = _look(order.terms)
        self._newest.pop(look, None)
        newest = next((entry for entry in reversed(self._placed) if entry[1] == look), None)
        if newest is not None:
            self._newest[look] = newest[0], newest[2]

    def find(self, terms: OrderTerms, now: datetime, window: Decimal, without: str = "") -> str:
        """The id of an order, not `without`, that looks the same and was placed in the last `window` seconds."""
        since = now - timedelta(seconds=float(window))
        while self._placed and self._placed[0][0] < since:
            placed, look, _ = self._placed.popleft()
            newest = self._newest.get(look)
            if newest is not None and newest[0] == placed:
                del self._newest[look]
            self.known_from = since
        time, order_id = self._newest.get(_look(terms), (None, ""))
        return order_id if time is not None and time >= since and order_id != without else ""
