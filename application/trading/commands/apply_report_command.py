"""Take in what a broker reports about an order."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from application.risk.reactions import count_execution
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.group_steps import follow_group
from application.trading.own_orders import release_waiting
from domain.decimals import ZERO
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_group import restate_reason
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import CancelReason

_EVENTS = {
    ExecType.NEW: EventType.ORDER_ACCEPTED,
    ExecType.STOP_MOVED: EventType.STOP_MOVED,
    ExecType.TRIGGERED: EventType.ORDER_TRIGGERED,
    ExecType.CANCELED: EventType.ORDER_CANCELED,
    ExecType.CANCEL_REJECTED: EventType.CANCEL_REJECTED,
    ExecType.REPLACE_REJECTED: EventType.REPLACE_REJECTED,
    ExecType.REJECTED: EventType.ORDER_REJECTED,
    ExecType.EXPIRED: EventType.ORDER_EXPIRED,
    ExecType.UNCLEAR: EventType.SUBMISSION_UNKNOWN,
    ExecType.ABSENT: EventType.ORDER_CANCELED,
}

# After these a group is left as it is: asking again for what was just refused would go round for ever, and where a
# stop stands is no other member's matter.
_NOTHING_TO_GROUPS = frozenset({ExecType.CANCEL_REJECTED, ExecType.REPLACE_REJECTED, ExecType.STOP_MOVED})

_REBOOKING = frozenset({ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT})

# What tells that the broker has an order after all.
_SIGNS_OF_LIFE = frozenset({ExecType.NEW, ExecType.STOP_MOVED, ExecType.TRIGGERED, ExecType.TRADE})


@dataclass(frozen=True, slots=True)
class ApplyReport:
    """One report. Repeats, late ones and ones about orders that nobody knows change nothing. An execution id counts
    once in its account, whichever order it is reported for.

    A bust or correction that overtook its trade is kept and follows it.
    """

    report: ExecutionReport
    actor: str

    @property
    def account_id(self) -> str:
        return self.report.account_id

    def needs(self) -> Needs:
        executions = (self.report.execution_id,) if self.report.execution_id else ()
        return Needs(order_ids=(self.report.order_id,), execution_ids=executions)

    def rebooks(self, book: AccountBook) -> bool:
        """Whether it takes a fill back, so that the symbol's fills must be in the book before it is decided."""
        return self.report.type in _REBOOKING or (self.report.order_id, self.report.execution_id) in book.early

    def decide(self, book: AccountBook) -> None:
        order = book.orders.get(self.report.order_id)
        if order is None:
            return
        if order.cancel_reason is CancelReason.NEVER_SUBMITTED and self.report.type in _SIGNS_OF_LIFE:
            # The broker has it after all, though it had said it did not: nobody counts on it any more.
            book.outbound.append((book.broker.cancel, order))
        after = _ACTIONS.get(self.report.type, _change_state)(book, order, self.report)
        if after is None:
            return
        if order.state is OrderStatus.UNKNOWN and after.state is not OrderStatus.UNKNOWN:
            # It tells what is known of the order and changes nothing of it: a version that a caller expects stays good.
            after = replace(after, sequence=book.next_sequence)
            book.record(EventType.SUBMISSION_RESOLVED, after)
        if self.report.type not in _NOTHING_TO_GROUPS:
            follow_group(book, after)
        if not after.is_open and after.order_id in book.waiting_for:
            release_waiting(book, after)
        overtook = book.early.pop((order.order_id, self.report.execution_id), None)
        if overtook is not None:
            ApplyReport(overtook, self.actor).decide(book)


def _change_state(book: AccountBook, order: Order, report: ExecutionReport) -> Order | None:
    changes = order.effect_of(report)
    if changes is None:
        return None
    canceled = changes.get("state") is OrderStatus.CANCELED
    type = EventType.ORDER_CANCELED if canceled else _EVENTS[report.type]
    return book.change(order, type, changes, reason=report.reason)


def _replaced(book: AccountBook, order: Order, report: ExecutionReport) -> Order | None:
    """The answer to a replace of the caller's, or to one that the order's group asked for."""
    changes = order.effect_of(report)
    if changes is None:
        return None
    restated = restate_reason(order, book.group(order.group_id))
    type = EventType.ORDER_REPLACED if restated is None else EventType.ORDER_RESTATED
    return book.change(order, type, changes, reason=report.reason, restate_reason=restated)


def _trade(book: AccountBook, order: Order, report: ExecutionReport) -> Order | None:
    if report.execution_id in book.executions:
        return None
    fill = _fill(book, order, report)
    fill = replace(fill, realized_pnl=book.portfolio.realizes(fill))
    changes = _with(order, fill, None, ExecType.TRADE)
    if report.broker_order_id:
        changes["broker_order_id"] = order.broker_order_id or report.broker_order_id
    after = book.change(order, EventType.ORDER_FILLED, changes, fill=fill)
    book.book_fill(fill)
    count_execution(book, fill)
    return after


def _fill(book: AccountBook, order: Order, report: ExecutionReport) -> Fill:
    return Fill(
        fill_id=book.ids.new_id(),
        execution_id=report.execution_id,
        order_id=order.order_id,
        client_order_id=order.terms.client_order_id,
        account_id=order.account_id,
        symbol=order.terms.symbol,
        side=order.terms.side,
        quantity=report.quantity or ZERO,
        price=report.price or ZERO,
        currency=order.currency,
        fee=report.fee or ZERO,
        fee_currency=report.fee_currency or order.currency,
        liquidity=report.liquidity,
        strategy_id=order.terms.strategy_id,
        fill_time=report.time,
        sequence=book.next_sequence,
    )


def _bust(book: AccountBook, order: Order, report: ExecutionReport) -> Order | None:
    removed = _counting_fill(book, order, report)
    if removed is None:
        return None
    busted = replace(removed, busted=True)
    changes = _with(order, None, removed, ExecType.TRADE_CANCEL)
    after = book.change(order, EventType.FILL_BUSTED, changes, fill=busted, reason=report.reason)
    book.rebook_fill(busted, None, after.sequence)
    return after


def _correct(book: AccountBook, order: Order, report: ExecutionReport) -> Order | None:
    removed = _counting_fill(book, order, report)
    if removed is None or report.execution_id in book.executions:
        return None
    added = replace(
        _fill(book, order, report),
        quantity=report.quantity or removed.quantity,
        price=report.price or removed.price,
        fee=removed.fee if report.fee is None else report.fee,
        fee_currency=report.fee_currency or removed.fee_currency,
        liquidity=report.liquidity or removed.liquidity,
        fill_time=removed.fill_time,
        corrects_fill_id=removed.fill_id,
        corrects_sequence=removed.place,
    )
    busted = replace(removed, busted=True)
    changes = _with(order, added, removed, ExecType.TRADE_CORRECT)
    after = book.change(
        order, EventType.FILL_CORRECTED, changes, fill=added, replaced_fill=busted, reason=report.reason
    )
    book.rebook_fill(busted, added, after.sequence)
    return after


def _counting_fill(book: AccountBook, order: Order, report: ExecutionReport) -> Fill | None:
    """The fill that a bust or correction is about, None when it does not count (any more)."""
    fill = book.fills.get(order.order_id, {}).get(report.reference_id)
    if fill is None:
        book.early[order.order_id, report.reference_id] = report
        return None
    return None if fill.busted else fill


def _with(order: Order, added: Fill | None, removed: Fill | None, type: ExecType) -> dict[str, Any]:
    """The changes to the order when one fill comes and another goes. Its fees are those in one currency, the
    first that was charged: a fee in another currency is in its fill alone.
    """
    currency = order.fee_currency if order.fees or added is None else added.fee_currency

    def total(value: Callable[[Fill], Decimal]) -> Decimal:
        return (value(added) if added else ZERO) - (value(removed) if removed else ZERO)

    changes = order.with_fill_change(
        total(lambda fill: fill.quantity),
        total(lambda fill: fill.quantity * fill.price),
        total(lambda fill: fill.fee if fill.fee_currency == currency else ZERO),
        type,
    )
    return changes | {"fee_currency": currency}


_ACTIONS: dict[ExecType, Callable[[AccountBook, Order, ExecutionReport], Order | None]] = {
    ExecType.REPLACED: _replaced,
    ExecType.TRADE: _trade,
    ExecType.TRADE_CANCEL: _bust,
    ExecType.TRADE_CORRECT: _correct,
}
