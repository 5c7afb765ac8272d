"""The order: its terms, what the broker has made of it, and every change it can go through.

An Order is a value: each change gives a new one, so an event can hold the order as it was after it.
"""

from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from domain.decimals import ZERO, settle
from domain.errors import PreconditionFailed, VersionMismatch, Violation
from domain.trading.aggregates.order_lifecycle import (
    BY_QUANTITY,
    CLOSED,
    LIFECYCLE,
    OrderStatus,
)
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason, GroupType, OrderType, TimeInForce


# Without slots on purpose: copying a __dict__ is what makes a change cheap on the way of an order.
@dataclass(frozen=True)
class Order:
    """One order. `state` is the FIX state without pending requests; `status` is what callers see.

    `version` counts the changes from 1; `sequence` is that of the newest journal event about it. `initial_quantity`
    is what was asked for first, whatever became of it. `filled_notional` is the sum of quantity x price over the fills.
    `reserve_price` is the price per unit at which the open quantity counts against the account's limits.
    `held` marks an order that has not been sent to a broker: a child that waits for its parent's fills, or one that
    goes out when the order `waits_for`, with which it could trade, has ended.
    `replace_terms` are the terms asked for by a replace that is pending, sent as `replace_version`; they
    count at `replace_price`.
    `active_stop_price` is where a trailing stop stands, and any stop when it triggered; None while no broker has said.
    `trail_version` is the `replace_version` of the replace that gave the trail its distance, 0 for none.
    """

    order_id: str
    account_id: str
    terms: OrderTerms
    initial_quantity: Decimal
    broker: str
    currency: str
    created_time: datetime
    updated_time: datetime
    state: OrderStatus = OrderStatus.PENDING_NEW
    version: int = 1
    created_sequence: int = 0
    sequence: int = 0
    broker_order_id: str = ""
    filled_quantity: Decimal = ZERO
    filled_notional: Decimal = ZERO
    fees: Decimal = ZERO
    fee_currency: str = ""
    active_stop_price: Decimal | None = None
    trail_version: int = 0
    cancel_pending: bool = False
    replace_terms: OrderTerms | None = None
    replace_version: int = 0
    replace_price: Decimal = ZERO
    reserve_price: Decimal = ZERO
    reject_reason: str = ""
    cancel_reason: CancelReason | None = None
    reason_text: str = ""
    parent_order_id: str = ""
    group_id: str = ""
    group_type: GroupType | None = None
    held: bool = False
    waits_for: str = ""

    @staticmethod
    def new(**fields: Any) -> "Order":
        """An order with these fields, the rest as declared: the constructor without its thirty assignments."""
        order = object.__new__(Order)
        order.__dict__.update(_DEFAULTS)
        order.__dict__.update(fields)
        return order

    @property
    def status(self) -> OrderStatus:
        if self.cancel_pending:
            return OrderStatus.PENDING_CANCEL
        if self.replace_terms is not None:
            return OrderStatus.PENDING_REPLACE
        return self.state

    @property
    def awaits_position(self) -> bool:
        """Whether it is to close what its parent has yet to open: until then there is nothing that it reduces."""
        return self.held and self.terms.reduce_only and not self.waits_for

    @property
    def is_open(self) -> bool:
        """Whether its status is not final: it can still trade, as far as is known, or a broker owes an answer.

        UNKNOWN counts as open, and so does an order that filled while a request about it is pending: a
        replace may yet let it trade on.
        """
        return self.state not in CLOSED or self.cancel_pending or self.replace_terms is not None

    @property
    def leaves_quantity(self) -> Decimal:
        """What can still be filled (FIX LeavesQty): zero once closed."""
        if self.state in CLOSED:
            return ZERO
        return max(ZERO, self.terms.quantity - self.filled_quantity)

    @property
    def can_be_replaced(self) -> bool:
        """Whether it works at a broker with no request pending, so that a replace could be asked for now."""
        return self.state in _WORKING and not self.cancel_pending and self.replace_terms is None

    @property
    def average_fill_price(self) -> Decimal | None:
        """FIX AvgPx: filled notional over filled quantity, None before the first fill."""
        if not self.filled_quantity:
            return None
        return settle(self.filled_notional / self.filled_quantity)

    def changed(self, now: datetime, sequence: int, **changes: Any) -> "Order":
        """This order with `changes`, as the next version, made by journal event `sequence`."""
        after = object.__new__(Order)
        after.__dict__.update(self.__dict__)
        after.__dict__.update(changes, updated_time=now, sequence=sequence, version=self.version + 1)
        return after

    # -- what a caller may ask for ------------------------------------------------------------------

    def require_version(self, expected: int | None) -> None:
        if expected is not None and expected != self.version:
            raise VersionMismatch(
                f"expected_version: the order is at version {self.version}, not {expected}",
                order_id=self.order_id,
                expected_version=str(expected),
                current_version=str(self.version),
            )

    def require_open(self, verb: str) -> None:
        if not self.is_open:
            raise self.refused("ORDER_NOT_OPEN", f"the order is {self.status.value}: nothing is left to {verb}")

    def require_replaceable(self) -> None:
        self.require_open("replace")
        if not self.can_be_replaced:
            why = f"the order is {self.status.value}: it can be replaced once it works and no request is pending"
            raise self.refused("ORDER_NOT_REPLACEABLE", why)

    def refused(self, reason: str, why: str) -> PreconditionFailed:
        """The refusal of something asked of this order in the state it is in."""
        return PreconditionFailed(
            why,
            [Violation(reason, self.order_id, why)],
            reason=reason,
            order_id=self.order_id,
            status=self.status.value,
        )

    # -- what a broker reports -----------------------------------------------------------------------

    def effect_of(self, report: ExecutionReport) -> dict[str, Any] | None:
        """The changes that `report` makes, or None when it is stale: late, repeated, or about another replace.

        TRADE, TRADE_CANCEL and TRADE_CORRECT are not taken here but by `with_fill_change`, after the caller
        has checked the execution id.
        """
        if report.type is ExecType.STOP_MOVED and not self._is_news_of_the_trail(report):
            return None
        changes = self._state_changes(report)
        if not changes:
            return None
        if report.broker_order_id and not self.broker_order_id:
            changes["broker_order_id"] = report.broker_order_id
        if report.type in _STOP_REPORTS and report.price is not None:
            changes["active_stop_price"] = report.price
            if report.type is ExecType.STOP_MOVED:
                changes["trail_version"] = report.request_version
        if report.reason:
            changes["reason_text"] = report.reason
        return changes | self._causes(report, changes.get("state", self.state))

    def _is_news_of_the_trail(self, report: ExecutionReport) -> bool:
        """Within one trail a stop moves in the order's favour alone; what moved another way was overtaken.

        A replace that changes the distance begins another trail, which may stand anywhere. The first word of it may
        overtake the broker's answer to the replace.
        """
        if self.terms.type is not OrderType.TRAILING_STOP or report.price is None:
            return False
        if report.request_version != self.trail_version:
            return report.request_version > self.trail_version
        stands = self.active_stop_price
        return stands is None or self.terms.side.sign * (report.price - stands) < ZERO

    def _state_changes(self, report: ExecutionReport) -> dict[str, Any]:
        """The state that follows, and the pending request that `report` answers; closing ends them all."""
        changes: dict[str, Any] = {}
        follows = LIFECYCLE[self.state]
        if report.type in follows and report.type is not ExecType.REPLACED:
            changes["state"] = follows[report.type]
        closes = changes.get("state") in CLOSED
        if self.cancel_pending and (closes or report.type is ExecType.CANCEL_REJECTED):
            changes["cancel_pending"] = False
        if self.replace_terms is not None and (closes or self._answers_replace(report)):
            changes |= self._replace_settled(report)
        return changes

    def _causes(self, report: ExecutionReport, state: OrderStatus) -> dict[str, Any]:
        """Why it was rejected or cancelled; a cancel that was asked for and did not come about has no cause."""
        if state is OrderStatus.REJECTED:
            return {"reject_reason": "BROKER_REJECTED", "cancel_reason": None}
        if report.type is ExecType.ABSENT:
            return {"cancel_reason": CancelReason.NEVER_SUBMITTED}
        if state is OrderStatus.CANCELED:
            unasked = _UNASKED.get(self.terms.time_in_force, CancelReason.BROKER)
            return {"cancel_reason": self.cancel_reason or unasked}
        if report.type in (ExecType.CANCEL_REJECTED, ExecType.EXPIRED):
            return {"cancel_reason": None}
        return {}

    def with_fill_change(self, quantity: Decimal, notional: Decimal, fee: Decimal, type: ExecType) -> dict[str, Any]:
        """The changes that an execution makes: `quantity`, `notional` and `fee` are added (a bust subtracts).

        More than the terms in force allow, and no more than a pending replace asks for, proves that it is in force.
        """
        filled = self.filled_quantity + quantity
        follows = LIFECYCLE[self.state].get(type, self.state)
        changes: dict[str, Any] = {
            "filled_quantity": filled,
            "filled_notional": self.filled_notional + notional,
            "fees": self.fees + fee,
            "state": self._state_by_quantity(filled, self.terms) if follows is BY_QUANTITY else follows,
        }
        asked = self.replace_terms
        if asked is not None and self.terms.quantity < filled <= asked.quantity:
            changes |= self._replaced_by(asked) | {"state": self._state_by_quantity(filled, asked)}
        return changes

    def _answers_replace(self, report: ExecutionReport) -> bool:
        is_answer = report.type in (ExecType.REPLACED, ExecType.REPLACE_REJECTED)
        return is_answer and report.request_version == self.replace_version

    def _replace_settled(self, report: ExecutionReport) -> dict[str, Any]:
        asked = self.replace_terms
        if report.type is not ExecType.REPLACED or asked is None or ExecType.REPLACED not in LIFECYCLE[self.state]:
            return _NOTHING_ASKED
        # A fill may have overtaken the replace: the quantity in force is never below what is filled.
        terms = asked if asked.quantity >= self.filled_quantity else replace(asked, quantity=self.filled_quantity)
        follows = LIFECYCLE[self.state][ExecType.REPLACED]
        if follows is BY_QUANTITY or terms.quantity == self.filled_quantity:
            follows = self._state_by_quantity(self.filled_quantity, terms)
        return self._replaced_by(terms) | {"state": follows}

    def _replaced_by(self, terms: OrderTerms) -> dict[str, Any]:
        """The changes, besides the state, that the pending replace makes once it is in force."""
        changes = _NOTHING_ASKED | {"terms": terms, "reserve_price": self.replace_price}
        if terms.trail != self.terms.trail and self.trail_version < self.replace_version:
            changes |= {"active_stop_price": None, "trail_version": self.replace_version}
        return changes

    @staticmethod
    def _state_by_quantity(filled: Decimal, terms: OrderTerms) -> OrderStatus:
        if filled <= ZERO:  # all was busted; a stop that has traded has triggered
            return OrderStatus.TRIGGERED if terms.type in _STOPS else OrderStatus.NEW
        return OrderStatus.FILLED if filled >= terms.quantity else OrderStatus.PARTIALLY_FILLED


_DEFAULTS = {field.name: field.default for field in fields(Order) if field.default is not MISSING}

_NOTHING_ASKED: Final[dict[str, Any]] = {"replace_terms": None, "replace_version": 0, "replace_price": ZERO}
_WORKING = frozenset({OrderStatus.NEW, OrderStatus.TRIGGERED, OrderStatus.PARTIALLY_FILLED})
_STOP_REPORTS = frozenset({ExecType.STOP_MOVED, ExecType.TRIGGERED})
_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_UNASKED = {
    TimeInForce.IOC: CancelReason.NOT_FILLED_AT_ONCE,
    TimeInForce.FOK: CancelReason.NOT_FILLED_AT_ONCE,
}
