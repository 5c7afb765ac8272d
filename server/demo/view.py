"""What the demo has seen, as far as the screen and the final proof need it. Filled from the streams alone."""

import time
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_event_pb2 import OrderEvent
from quantmesh.trading.v1.order_pb2 import (
    ORDER_STATUS_CANCELED,
    ORDER_STATUS_EXPIRED,
    ORDER_STATUS_FILLED,
    ORDER_STATUS_REJECTED,
    Order,
)
from quantmesh.trading.v1.portfolio_pb2 import Portfolio
from server.demo.failures import DemoFailed

FINAL: Final = frozenset({ORDER_STATUS_FILLED, ORDER_STATUS_CANCELED, ORDER_STATUS_REJECTED, ORDER_STATUS_EXPIRED})


class Line(NamedTuple):
    """One line of the log; `style` is rich's name for how it looks."""

    seconds: float
    title: str
    text: str
    style: str


@dataclass(slots=True)
class View:
    """`seconds` is how long the demo is to trade. `title` heads the next line of the log.

    `events_until` and `fills_until`: the streams are complete up to these sequences of the journal.
    """

    seconds: float
    title: str = ""
    log: list[Line] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    portfolio: Portfolio = field(default_factory=Portfolio)
    events_until: int = 0
    fills_until: int = 0
    started: float = field(default_factory=time.monotonic)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def say(self, text: str, style: str = "") -> None:
        self.log.append(Line(self.elapsed, self.title, text, style))
        self.title = ""

    def take_event(self, event: OrderEvent) -> None:
        """Raises DemoFailed when the journal's numbers are not dense."""
        if event.sequence != self.events_until + 1:
            raise DemoFailed(f"event {event.sequence} of the journal came after event {self.events_until}")
        self.events_until = event.sequence
        if event.HasField("order"):
            self.orders[event.order.order_id] = event.order

    def take_fill(self, fill: Fill) -> None:
        self.fills.append(fill)
        self.fills_until = fill.sequence

    def open_orders(self) -> list[Order]:
        """Oldest first."""
        return [order for order in self.orders.values() if order.status not in FINAL]

    def closed_orders(self) -> list[Order]:
        """Those that ended last come first."""
        closed = (order for order in self.orders.values() if order.status in FINAL)
        return sorted(closed, key=lambda order: order.sequence, reverse=True)
