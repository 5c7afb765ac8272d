"""Carrying out what an order's group asks for after the order changed."""

from dataclasses import replace

from application.trading.account_book import SYSTEM, AccountBook
from application.trading.leave import may_leave
from application.trading.requests import request_cancel, request_replace
from domain.decimals import ONE
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_group import GroupAction, GroupStep, next_steps
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_type import CancelReason


def follow_group(book: AccountBook, changed: Order) -> None:
    """Take every step that follows from `changed` for the other members of its group, until none is left."""
    if not changed.group_id or changed.group_type is None:
        return
    actor, book.actor = book.actor, SYSTEM
    try:
        instrument = book.quotes.instrument(changed.terms.symbol)
        lot_size = instrument.lot_size if instrument else ONE
        while steps := next_steps(changed.group_type, book.group(changed.group_id), lot_size):
            for step in steps:
                _take(book, step)
    finally:
        book.actor = actor


def _take(book: AccountBook, step: GroupStep) -> None:
    order = book.orders[step.order.order_id]
    terms = replace(order.terms, quantity=step.quantity)
    if step.action is GroupAction.CANCEL:
        never_filled = order.state is OrderStatus.PENDING_NEW and order.held
        request_cancel(book, order, CancelReason.PARENT_ENDED if never_filled else CancelReason.GROUP)
    elif step.action is GroupAction.RESIZE:
        request_replace(book, order, terms, order.reserve_price)
    elif not may_leave(book.controls, order):
        request_cancel(book, order, CancelReason.KILL_SWITCH)
    else:
        released = book.change(order, EventType.ORDER_ACTIVATED, {"held": False, "terms": terms})
        book.outbound.append((book.broker.submit, released))
