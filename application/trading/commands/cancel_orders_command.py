"""Cancel every open order that matches a filter."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.group_steps import follow_group
from application.trading.requests import count_cancel, request_cancel
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_type import CancelReason, Side


@dataclass(frozen=True, slots=True)
class CanceledOrders:
    """The orders that matched, oldest first, as they stand after their cancels were recorded."""

    orders: tuple[Order, ...]
    sequence: int


@dataclass(frozen=True, slots=True)
class CancelOrders:
    """Empty filters match all. `order_ids`, when given, narrows to those orders."""

    account_id: str
    actor: str
    symbol: str = ""
    side: Side | None = None
    strategy_id: str = ""
    group_id: str = ""
    text: str = ""
    reason: CancelReason = CancelReason.REQUESTED
    order_ids: frozenset[str] | None = None

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> CanceledOrders:
        matching = sorted((order.created_sequence, order.order_id) for order in book.open() if self._matches(order))
        if matching:
            count_cancel(book, self.reason)
        for _, order_id in matching:
            order = book.orders[order_id]
            # A group may have cancelled it meanwhile.
            if order.is_open and not order.cancel_pending:
                follow_group(book, request_cancel(book, order, self.reason, self.text))
        return CanceledOrders(tuple(book.orders[order_id] for _, order_id in matching), book.sequence)

    def _matches(self, order: Order) -> bool:
        terms = order.terms
        return (
            (not self.symbol or terms.symbol == self.symbol)
            and (self.side is None or terms.side is self.side)
            and (not self.strategy_id or terms.strategy_id == self.strategy_id)
            and (not self.group_id or order.group_id == self.group_id)
            and (self.order_ids is None or order.order_id in self.order_ids)
        )
