"""Change an open order."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from application.trading.account_book import AccountBook
from application.trading.command import Needs, OrderRef
from application.trading.examination import CheckedOrder, examine
from application.trading.placement import Placed
from application.trading.requests import request_replace
from domain.errors import InvalidArgument, PreconditionFailed
from domain.risk.services.pre_trade_check import violations
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change; None stays as it is. `quantity` is the new whole, what has filled included."""

    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_offset: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce | None = None
    expire_time: datetime | None = None

    def apply(self, terms: OrderTerms) -> OrderTerms:
        """The changed terms; InvalidArgument for a price that the order's type does not have."""
        changes: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}
        for name in changes.keys() & _BELONGS_TO.keys():
            if terms.type not in _BELONGS_TO[name]:
                raise InvalidArgument(name, f"a {terms.type.value} order has none")
        if "trail_offset" in changes:
            changes["trail_percent"] = None
        elif "trail_percent" in changes:
            changes["trail_offset"] = None
        if self.time_in_force not in (None, TimeInForce.GTD):
            changes["expire_time"] = None
        return replace(terms, **changes)


# A stop that has traded has triggered.
_HAS_TRIGGERED = frozenset({OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})
_FIELDS = tuple(Change.__dataclass_fields__)
_BELONGS_TO = {
    "limit_price": (OrderType.LIMIT, OrderType.STOP_LIMIT),
    "stop_price": (OrderType.STOP, OrderType.STOP_LIMIT),
    "trail_offset": (OrderType.TRAILING_STOP,),
    "trail_percent": (OrderType.TRAILING_STOP,),
}


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """Ask the broker to change an order. The old terms stay in force until it has answered."""

    account_id: str
    actor: str
    ref: OrderRef
    change: Change
    expected_version: int | None = None
    validate_only: bool = False

    def needs(self) -> Needs:
        return self.ref.needs()._replace(valued=True)

    def decide(self, book: AccountBook) -> Placed:
        """`order` as it stands after the request was recorded; as it would be with `validate_only`."""
        order = self.ref.find(book)
        order.require_version(self.expected_version)
        order.require_open("replace")
        terms = self.change.apply(order.terms)
        if terms == order.terms:
            return Placed(order, order.sequence)
        if not order.held:
            order.require_replaceable()
        self._require_sense(book, order, terms)
        checked = self._checked(book, order, terms)
        if self.validate_only:
            return Placed(order.changed(book.now, order.sequence, terms=terms), 0, check=checked)
        if order.held:
            changes = {"terms": terms, "reserve_price": checked.reserve_price}
            after = book.change(order, EventType.ORDER_REPLACED, changes)
            return Placed(after, after.sequence)
        book.take_token("REPLACE_RATE", book.limits.replace_rate)
        after = request_replace(book, order, terms, checked.reserve_price)
        return Placed(after, after.sequence)

    def _require_sense(self, book: AccountBook, order: Order, terms: OrderTerms) -> None:
        terms.check("")
        if terms.quantity <= order.filled_quantity:
            why = f"quantity: {order.filled_quantity} has filled already, and the new quantity must be above that"
            raise order.refused("ORDER_NOT_REPLACEABLE", why)
        if terms.quantity != order.terms.quantity and order.group_id:
            raise order.refused("ORDER_NOT_REPLACEABLE", "quantity: follows the order's group and can't be set")
        if order.state in _HAS_TRIGGERED and (
            terms.stop_price != order.terms.stop_price
            or terms.trail_offset != order.terms.trail_offset
            or terms.trail_percent != order.terms.trail_percent
        ):
            raise order.refused("ORDER_NOT_REPLACEABLE", "stop_price: the stop has triggered")
        if not book.broker.capabilities.replace:
            raise order.refused("BROKER_NOT_CAPABLE", f"the broker {book.account.broker} can't replace orders")

    def _checked(self, book: AccountBook, order: Order, terms: OrderTerms) -> CheckedOrder:
        is_exit, held = order.awaits_position, order.held
        checked = examine(book, terms, without=order, is_exit=is_exit, held=held, explain=self.validate_only)
        if not checked.passed:
            failed = violations(checked.results, order.order_id)
            text = "; ".join(violation.description for violation in failed)
            if not self.validate_only:
                book.record(EventType.LIMIT_BREACHED, order_id=order.order_id, violations=tuple(failed))
            raise PreconditionFailed(
                f"replace refused: {text}", failed, reason="RISK_CHECK_FAILED", order_id=order.order_id
            )
        return checked
