"""What the paper venue knows: its orders, the accounts' positions, and every report it has made."""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from adapters.brokers.paper_chance import Chance
from adapters.brokers.paper_deadlines import Deadlines
from adapters.brokers.paper_ladder import withdraw
from adapters.brokers.paper_order import PaperOrder
from adapters.brokers.paper_settings import PaperSettings
from domain.decimals import ZERO, plain, settle
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import EXECUTIONS, ExecType, ExecutionReport
from domain.trading.value_objects.order_type import Liquidity

# Of these only the last one counts, so a history stays short.
_LAST_COUNTS = (ExecType.REPLACED, ExecType.REPLACE_REJECTED, ExecType.STOP_MOVED)

# Called with the order, the report, and whether it answers a command.
Publish = Callable[[PaperOrder, ExecutionReport, bool], None]


class Ledger:
    """All changes to orders and positions are made here, and each is reported to `publish`.

    `now` is the moment at which the venue acts, set before it does. `forgotten_until` is the newest arrival
    among the orders that are no longer remembered.
    """

    def __init__(self, settings: PaperSettings, now: datetime, chance: Chance, publish: Publish) -> None:
        self._settings = settings
        self.now = now
        self._chance = chance
        self._publish = publish
        self._orders: dict[str, PaperOrder] = {}
        self._client_ids: dict[tuple[str, str], str] = {}
        self._finished: deque[PaperOrder] = deque()
        self._positions: dict[tuple[str, str], Decimal] = {}
        self.deadlines = Deadlines()
        self.forgotten_until: datetime | None = None

    # -- orders -------------------------------------------------------------------------------------

    def find(self, order_id: str) -> PaperOrder | None:
        return self._orders.get(order_id)

    def stranger(self, order: Order) -> PaperOrder:
        """`order` in the venue's terms, not entered."""
        number = self._chance.token(order.account_id, order.terms.client_order_id, "broker_order_id")
        return PaperOrder(order, order.broker_order_id or number)

    def enter(self, order: PaperOrder) -> bool:
        """Remember `order`; False when its client id belongs to another order of the account."""
        self._orders[order.order_id] = order
        key = (order.account_id, order.client_order_id)
        return self._client_ids.setdefault(key, order.order_id) == order.order_id

    def _finish(self, order: PaperOrder) -> None:
        order.done = True
        withdraw(order)
        self.deadlines.clear(order)
        self._finished.append(order)
        if len(self._finished) > self._settings.remembered_orders:
            self._forget(self._finished.popleft())

    def _forget(self, order: PaperOrder) -> None:
        del self._orders[order.order_id]
        key = (order.account_id, order.client_order_id)
        if self._client_ids.get(key) == order.order_id:
            del self._client_ids[key]
        arrived = order.reports[0].time
        self.forgotten_until = max(arrived, self.forgotten_until or arrived)

    @property
    def has_open_orders(self) -> bool:
        return len(self._orders) > len(self._finished)

    # -- positions ----------------------------------------------------------------------------------

    def adopt_positions(self, account_id: str, positions: Mapping[str, Decimal]) -> None:
        for symbol, quantity in positions.items():
            self._positions[account_id, symbol] = quantity

    def tradable(self, order: PaperOrder) -> Decimal:
        """What `order` may still trade: its leaves, and for reduce_only no more than closes the position."""
        if not order.terms.reduce_only:
            return order.leaves
        position = self._positions.get((order.account_id, order.terms.symbol), ZERO)
        return max(ZERO, min(order.leaves, -order.terms.side.sign * position))

    # -- reports ------------------------------------------------------------------------------------

    def executions(self, account_id: str, since: datetime) -> list[ExecutionReport]:
        """Those of the orders that it remembers, oldest first."""
        mine = (order for order in self._orders.values() if order.account_id == account_id)
        told = (report for order in mine for report in order.reports)
        return sorted((r for r in told if r.type in EXECUTIONS and r.time >= since), key=attrgetter("time"))

    def tell(self, order: PaperOrder, type: ExecType, *, answers: bool = False, **details: Any) -> None:
        """Report on `order`; `answers` marks the answer to a command."""
        self._publish(order, self.record(order, type, **details), answers)

    def record(self, order: PaperOrder, type: ExecType, **details: Any) -> ExecutionReport:
        """A report that only `find` tells."""
        report = ExecutionReport(
            order.account_id,
            order.order_id,
            type,
            self.now,
            order.broker_order_id,
            **details,
        )
        if type in _LAST_COUNTS:
            order.reports = [told for told in order.reports if told.type is not type]
        order.reports.append(report)
        order.told += 1
        return report

    def trade(self, order: PaperOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> None:
        """Fill `quantity` at `price`.

        The execution id names the cumulative quantity, which grows with each fill. A restarted venue may fall
        behind it, when fills were still on their way back: so its ids also name the version that it went on with.
        """
        order.filled += quantity
        key = (order.account_id, order.terms.symbol)
        self._positions[key] = self._positions.get(key, ZERO) + order.terms.side.sign * quantity
        self.tell(
            order,
            ExecType.TRADE,
            execution_id=f"{order.broker_order_id}-{order.resumed_version}-{plain(order.filled)}",
            quantity=quantity,
            price=price,
            fee=self._fee(quantity * price, liquidity),
            fee_currency=order.currency,
            liquidity=liquidity,
        )
        if order.leaves <= ZERO:
            self._finish(order)

    def end(self, order: PaperOrder, type: ExecType, reason: str = "", *, answers: bool = False) -> None:
        """Close `order` with a report of `type`."""
        self._finish(order)
        self.tell(order, type, answers=answers, reason=reason)

    def replaced(self, order: PaperOrder, request_version: int) -> None:
        """Confirm a replace; with nothing left to fill it ends the order."""
        self.tell(order, ExecType.REPLACED, answers=True, request_version=request_version)
        if order.leaves <= ZERO:
            self._finish(order)

    def _fee(self, notional: Decimal, liquidity: Liquidity) -> Decimal:
        maker = liquidity is Liquidity.MAKER
        rate = self._settings.maker_fee_rate if maker else self._settings.taker_fee_rate
        return settle(max(self._settings.minimum_fee, notional * rate))
