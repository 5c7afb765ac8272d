"""An order as the paper venue holds it."""

from decimal import Decimal
from typing import TYPE_CHECKING

from domain.decimals import ZERO
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecutionReport
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, TimeInForce

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.brokers.paper_ladder import Level

_STOP_TYPES = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_LIMIT_TYPES = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_ONE_SHOT = frozenset({TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS})


class PaperOrder:
    """Mutable, and compared by identity.

    `rested`: it has met the market without crossing it, so from then on it makes, at its own price; before,
    it takes, at the quote's. `one_shot`: it trades in one instant or not at all, at once, at the opening or
    at the close. `called`: its opening has begun. `told` counts the reports ever made. `resumed_version` is the
    order's version when the venue took it over after a restart, else 0. `trail_stop` is where its trailing stop stands
    as far as quantmesh was told, `trail_version` the request version of the replace that gave the trail its distance,
    0 for none. `level` is its place on a ladder, `deadline` the moment at which the venue must turn to it by its time
    in force, which counts from `created_time`.
    """

    __slots__ = (
        "account_id",
        "broker_order_id",
        "called",
        "client_order_id",
        "created_time",
        "currency",
        "deadline",
        "done",
        "filled",
        "level",
        "limit_price",
        "one_shot",
        "order_id",
        "reports",
        "rested",
        "resumed_version",
        "terms",
        "told",
        "trail_stop",
        "trail_version",
        "triggered",
    )

    def __init__(self, order: Order, broker_order_id: str) -> None:
        self.account_id = order.account_id
        self.order_id = order.order_id
        self.client_order_id = order.terms.client_order_id
        self.currency = order.currency
        self.created_time = order.created_time
        self.broker_order_id = broker_order_id
        self.filled: Decimal = ZERO
        self.reports: list[ExecutionReport] = []
        self.told = 0
        self.rested = False
        self.triggered = False
        self.called = False
        self.done = False
        self.resumed_version = 0
        self.trail_stop: Decimal | None = None
        self.trail_version = 0
        self.level: Level | None = None
        self.deadline: datetime | None = None
        self.terms = order.terms
        self.take(order.terms, anew=False)

    def take(self, terms: OrderTerms, *, anew: bool, request_version: int = 0) -> None:
        """Have `terms` from now on; `anew` as if it came with them. At another distance a trail begins again."""
        if anew:
            self.rested = False
        if terms.trail != self.terms.trail:
            self.trail_stop, self.trail_version = None, request_version
        self.terms = terms
        self.limit_price = terms.limit_price if terms.type in _LIMIT_TYPES else None
        self.one_shot = terms.time_in_force in _ONE_SHOT

    def resume(self, order: Order) -> None:
        """Stand where `order`, which is working, is believed to stand."""
        if order.replace_terms is not None and order.trail_version == order.replace_version:
            self.take(order.replace_terms, anew=False)  # its stop has moved by them, so they were in force
        self.resumed_version = order.version
        self.filled = order.filled_quantity
        self.trail_stop, self.trail_version = order.active_stop_price, order.trail_version
        self.triggered = order.state is OrderStatus.TRIGGERED or self.filled > ZERO
        self.rested = not self.one_shot

    @property
    def leaves(self) -> Decimal:
        return self.terms.quantity - self.filled

    @property
    def awaits_trigger(self) -> bool:
        return self.terms.type in _STOP_TYPES and not self.triggered
