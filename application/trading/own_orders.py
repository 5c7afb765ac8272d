"""An order that could trade with another one of its account goes out only when that has ended."""

from application.trading.account_book import AccountBook
from application.trading.examination import CheckedOrder
from application.trading.leave import may_leave
from application.trading.placement import Placed, Role, accept
from application.trading.requests import request_cancel
from domain.trading.aggregates.order import Order
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason


def accept_past_own(book: AccountBook, terms: OrderTerms, checked: CheckedOrder) -> Placed:
    """Accept an order that passed the rules. An order of the account that it could trade with is canceled first."""
    resting = checked.waits_for
    if not resting:
        return accept(book, terms, checked)
    placed = accept(book, terms, checked, Role(held=True, waits_for=resting))
    _cancel(book, resting)
    return placed


def release_waiting(book: AccountBook, ended: Order) -> None:
    """Send the orders that waited for `ended`, or have them wait for the next that they could trade with."""
    for order_id in book.waiting_for.pop(ended.order_id, ()):
        order = book.orders.get(order_id)
        if order is None or not order.held or order.waits_for != ended.order_id:
            continue
        quote = book.quotes.latest(order.terms.symbol)
        resting = book.resting.match(order.terms, quote, book.limits.market_order_buffer)
        if not may_leave(book.controls, order):
            request_cancel(book, order, CancelReason.KILL_SWITCH)
        elif resting:
            book.change(order, EventType.ORDER_ACTIVATED, {"waits_for": resting})
            _cancel(book, resting)
        else:
            released = book.change(order, EventType.ORDER_ACTIVATED, {"held": False, "waits_for": ""})
            book.outbound.append((book.broker.submit, released))


def _cancel(book: AccountBook, order_id: str) -> None:
    order = book.orders[order_id]
    if not order.cancel_pending:
        request_cancel(book, order, CancelReason.SELF_MATCH)
