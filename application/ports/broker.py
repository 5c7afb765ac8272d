"""A broker as the way of an order needs it: commands go out without waiting, reports come back when they do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.market_data.instrument import AssetClass
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecutionReport
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import GroupType, OrderType, TimeInForce


@dataclass(frozen=True, slots=True)
class BrokerCapabilities:
    """What a broker can do by itself. What it cannot is refused, or emulated where the README says so.

    `simulated`: no order leaves the process. `post_only` and `reduce_only`: it watches over them itself.
    `unique_client_ids`: it refuses a second order with the same client id, for good.
    `lookup_by_client_id`: `find` gives proof, both of presence and of absence.
    """

    display_name: str
    asset_classes: frozenset[AssetClass]
    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    native_groups: frozenset[GroupType]
    fractional_quantities: bool
    replace: bool
    short_selling: bool
    unique_client_ids: bool
    lookup_by_client_id: bool
    post_only: bool = False
    reduce_only: bool = False
    simulated: bool = False


class BrokerUnavailable(Exception):
    """The broker could not be asked: nothing is proven either way."""


class Broker(Protocol):
    """One broker connection. Orders are known to it by `order.order_id`, given as the client's id.

    `submit`, `replace` and `cancel` hand over and return at once; they never raise for a broker's reasons.
    What becomes of them arrives at the sink: on the event loop, possibly late, twice or out of order. When
    nothing arrives, the caller asks with `find`; nothing is ever handed over a second time for that.
    """

    name: str
    capabilities: BrokerCapabilities

    @property
    def connected(self) -> bool: ...

    async def start(self, sink: Callable[[ExecutionReport], None], working: Sequence[Order]) -> None:
        """Connect, and from now on report to `sink`. `working` are the orders believed to be at this broker.

        Whatever happened to them while nobody listened is reported as well.
        """
        ...

    async def stop(self) -> None:
        """Disconnect and end all tasks. Working orders stay as they are at the broker."""
        ...

    def submit(self, order: Order) -> None:
        """Place `order`. Answered by NEW, REJECTED or TRADE reports, or by UNCLEAR when the answer was lost."""
        ...

    def replace(self, order: Order, terms: OrderTerms, request_version: int) -> None:
        """Change a working order to `terms`. Answered by REPLACED or REPLACE_REJECTED with `request_version`."""
        ...

    def cancel(self, order: Order) -> None:
        """Cancel a working order. Answered by CANCELED or CANCEL_REJECTED."""
        ...

    async def find(self, order: Order) -> Sequence[ExecutionReport] | None:
        """Everything the broker knows of `order` as reports, oldest first; None proves that it never had it.

        Raises BrokerUnavailable when it can't be asked.
        """
        ...

    async def executions(self, account_id: str, since: datetime) -> Sequence[ExecutionReport]:
        """Every TRADE, TRADE_CANCEL and TRADE_CORRECT since then, of any order of the account, oldest first.

        Raises BrokerUnavailable when it can't be asked.
        """
        ...
