"""Recording what is asked of a broker about an order that it has; the asking itself follows the commit."""

from decimal import Decimal

from application.trading.account_book import AccountBook
from domain.decimals import ONE
from domain.errors import Throttled
from domain.risk.services.pre_trade_check import check_cancel
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason


def count_cancel(book: AccountBook, reason: CancelReason) -> None:
    """A caller asks for a cancel; raises Throttled when these come too fast. All others pass uncounted."""
    limit = book.limits.cancel_rate
    if limit is None or reason is not CancelReason.REQUESTED:
        return
    result = check_cancel(book.limits, book.risk_state, book.now)
    if result is not None and not result.passed:
        missing = ONE - book.risk_state.tokens("CANCEL_RATE", limit, book.now)
        raise Throttled(result.message, float(missing * limit.period / limit.count), rule="CANCEL_RATE")
    book.take_token("CANCEL_RATE", limit)


def request_cancel(book: AccountBook, order: Order, reason: CancelReason, text: str = "") -> Order:
    """Record the cancel of an open order: at once when no broker has it, else as a request to the broker."""
    if order.held:
        changes = {"state": OrderStatus.CANCELED, "held": False, "cancel_reason": reason, "reason_text": text}
        return book.change(order, EventType.ORDER_CANCELED, changes, reason=text)
    changes = {"cancel_pending": True, "cancel_reason": reason}
    after = book.change(order, EventType.CANCEL_REQUESTED, changes, reason=text)
    book.outbound.append((book.broker.cancel, after))
    return after


def request_replace(book: AccountBook, order: Order, terms: OrderTerms, price: Decimal) -> Order:
    """Record that `terms` were asked for, which count at `price`; pass that on to the broker after the commit."""
    version = order.version + 1
    changes = {"replace_terms": terms, "replace_version": version, "replace_price": price}
    after = book.change(order, EventType.REPLACE_REQUESTED, changes)
    book.outbound.append((book.broker.replace, after, terms, version))
    return after
