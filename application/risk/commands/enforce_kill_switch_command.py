"""Cancel what is open in the scope of an engaged kill switch, in one account."""

from dataclasses import dataclass

from application.risk.flattening import flattened_by, is_in_scope
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.group_steps import follow_group
from application.trading.requests import request_cancel
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.trading.value_objects.order_type import CancelReason


@dataclass(frozen=True, slots=True)
class EnforceKillSwitch:
    """Ask for the cancel of every open order in the scope that has none pending, but for `spared` ones.

    Repeating it asks again for those whose cancel was refused. Once the switch is released it does nothing.
    """

    account_id: str
    actor: str
    kill_switch_id: str
    spared: frozenset[str] = frozenset()

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> tuple[str, ...]:
        """The ids of the orders whose cancel was asked for."""
        kill = book.controls.get(self.kill_switch_id)
        if not isinstance(kill, KillSwitch) or not kill.cancel_orders:
            return ()
        orders = sorted(
            (order.created_sequence, order.order_id)
            for order in book.open()
            if is_in_scope(kill.scope, order) and flattened_by(book.controls, order) is None
        )
        asked = []
        for _, order_id in orders:
            order = book.orders[order_id]
            # A group may have cancelled it meanwhile.
            if order.is_open and not order.cancel_pending and order_id not in self.spared:
                follow_group(book, request_cancel(book, order, CancelReason.KILL_SWITCH, kill.reason))
                asked.append(order_id)
        return tuple(asked)
