"""Cancel one order."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs, OrderRef
from application.trading.group_steps import follow_group
from application.trading.placement import Placed
from application.trading.requests import count_cancel, request_cancel
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.order_type import CancelReason


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """Ask the broker to cancel. Repeating it gives the order as it stands."""

    account_id: str
    actor: str
    ref: OrderRef
    expected_version: int | None = None
    text: str = ""
    reason: CancelReason = CancelReason.REQUESTED

    def needs(self) -> Needs:
        return self.ref.needs()

    def decide(self, book: AccountBook) -> Placed:
        order = self.ref.find(book)
        if order.cancel_pending or order.state is OrderStatus.CANCELED:
            return Placed(order, order.sequence)
        order.require_version(self.expected_version)
        order.require_open("cancel")
        count_cancel(book, self.reason)
        after = request_cancel(book, order, self.reason, self.text)
        follow_group(book, after)
        return Placed(after, after.sequence)
