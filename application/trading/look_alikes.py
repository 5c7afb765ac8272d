"""The orders that were placed lately, by what makes two of them look the same."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from domain.span import span
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
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
    """Each by its present terms. `known_from`: every order placed since then is in here; None while nobody asks."""

    def __init__(self) -> None:
        self.known_from: datetime | None = None
        self._placed: deque[tuple[datetime, str]] = deque()
        self._looks: dict[str, _Look] = {}
        self._alike: dict[_Look, dict[str, None]] = {}

    def knows(self, since: datetime) -> bool:
        return self.known_from is not None and self.known_from <= since

    def forget(self) -> None:
        """Nobody asks any more."""
        self.known_from = None
        for part in (self._placed, self._looks, self._alike):
            part.clear()

    def load(self, orders: Iterable[Order], since: datetime) -> None:
        """Be what `orders`, all that were placed since then, oldest first, say."""
        self.forget()
        self.known_from = since
        for order in orders:
            self.add(order)

    def add(self, order: Order) -> None:
        if self.known_from is not None:
            self._placed.append((order.created_time, order.order_id))
            self._keep(order)

    def change(self, order: Order) -> None:
        """Its terms are others now, or its broker has rejected it."""
        if order.order_id in self._looks:
            self.remove(order)
            if order.state is not OrderStatus.REJECTED:
                self._keep(order)

    def remove(self, order: Order) -> None:
        """As if it had never been placed."""
        self._forget(order.order_id)

    def find(self, terms: OrderTerms, now: datetime, window: Decimal, without: str = "") -> str:
        """The id of an order, not `without`, that looks the same and was placed in the last `window` seconds."""
        since = now - span(window)
        while self._placed and self._placed[0][0] < since:
            self._forget(self._placed.popleft()[1])
            self.known_from = since
        return next((order_id for order_id in self._alike.get(_look(terms), ()) if order_id != without), "")

    def _keep(self, order: Order) -> None:
        look = self._looks[order.order_id] = _look(order.terms)
        self._alike.setdefault(look, {})[order.order_id] = None

    def _forget(self, order_id: str) -> None:
        look = self._looks.pop(order_id, None)
        alike = self._alike.get(look) if look is not None else None
        if look is not None and alike is not None:
            alike.pop(order_id, None)
            if not alike:
                del self._alike[look]
