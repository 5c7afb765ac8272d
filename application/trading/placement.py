"""What placing orders has in common: the check, the new order, the repeatable answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.examination import CheckedOrder
from domain.errors import AlreadyExists, InvalidArgument, OrderNotPlaced, Violation
from domain.risk.services.pre_trade_check import violations
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import GroupType


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to a placement: the order as it was placed, by event `sequence` (0 when only checked)."""

    order: Order
    sequence: int
    replayed: bool = False
    check: CheckedOrder | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """The part that a new order plays beside others: in a group, or as one that waits for another to end."""

    group_id: str = ""
    group_type: GroupType | None = None
    parent_order_id: str = ""
    held: bool = False
    waits_for: str = ""


ALONE = Role()


class CheckFailed(OrderNotPlaced):
    """An order that was only checked, or placed with others or not at all, breaks a rule: nothing is recorded."""

    def __init__(self, check: CheckedOrder, terms: OrderTerms) -> None:
        failed = violations(check.results, terms.client_order_id)
        super().__init__(_refused_text(failed), failed)
        self.check = check


def needs_of(terms: OrderTerms) -> Needs:
    return Needs(client_order_ids=(terms.client_order_id,), symbols=(terms.symbol,))


def check_distinct(orders: Iterable[tuple[str, OrderTerms]]) -> None:
    """Raise InvalidArgument when two orders of one request share a client order id; each comes with its path."""
    seen: set[str] = set()
    for path, terms in orders:
        if terms.client_order_id in seen:
            raise InvalidArgument(f"{path}.client_order_id", "must differ from those of the request's other orders")
        seen.add(terms.client_order_id)


def new_order(book: AccountBook, terms: OrderTerms, checked: CheckedOrder, role: Role = ALONE) -> Order:
    """The order that `terms` make, as the next event of the book would record it."""
    return Order.new(
        order_id=book.ids.new_id(),
        account_id=book.account_id,
        terms=terms,
        initial_quantity=terms.quantity,
        broker=book.account.broker,
        currency=checked.currency,
        created_time=book.now,
        updated_time=book.now,
        created_sequence=book.next_sequence,
        sequence=book.next_sequence,
        reserve_price=checked.reserve_price,
        group_id=role.group_id,
        group_type=role.group_type,
        parent_order_id=role.parent_order_id,
        held=role.held,
        waits_for=role.waits_for,
    )


def accept(book: AccountBook, terms: OrderTerms, checked: CheckedOrder, role: Role = ALONE) -> Placed:
    """Record the order as placed, and send it on after the commit unless it is held."""
    event = book.place(new_order(book, terms, checked, role), EventType.ORDER_PLACED)
    order = event.order
    assert order is not None  # noqa: S101 # an ORDER_PLACED event always has its order
    if not order.held:
        book.outbound.append((book.broker.submit, order))
    return Placed(order, event.sequence)


def refuse(book: AccountBook, terms: OrderTerms, checked: CheckedOrder) -> OrderNotPlaced:
    """Record the order as rejected, so that its id is burned and the answer repeatable."""
    failed = violations(checked.results, terms.client_order_id)
    order = replace(
        new_order(book, terms, checked),
        state=OrderStatus.REJECTED,
        reject_reason=failed[0].rule,
        reason_text="; ".join(violation.description for violation in failed),
    )
    book.place(order, EventType.ORDER_REJECTED, violations=tuple(failed))
    return _not_placed(failed, order)


def _not_placed(failed: Sequence[Violation], order: Order, **more: str) -> OrderNotPlaced:
    ids = {"order_id": order.order_id, "client_order_id": order.terms.client_order_id}
    return OrderNotPlaced(_refused_text(failed), failed, **ids, **more)


def _refused_text(failed: Sequence[Violation]) -> str:
    return "order refused: " + "; ".join(violation.description for violation in failed)


def replayed(book: AccountBook, terms: OrderTerms) -> Placed | None:
    """The first answer to this client order id, None when it is new.

    Raises AlreadyExists for other content, and the first refusal again for an order that was refused.
    """
    first = book.placements.get(terms.client_order_id)
    if first is None or first.order is None:
        return None
    if first.order.terms != terms:
        raise AlreadyExists(
            "client_order_id: used before in this account with other content",
            client_order_id=terms.client_order_id,
            order_id=first.order.order_id,
        )
    if first.type is EventType.ORDER_REJECTED:
        raise _not_placed(first.violations, first.order, replayed="true")
    return Placed(first.order, first.sequence, replayed=True)
