"""What a broker says about an order, in FIX terms. Reports may come late, twice and out of order."""

from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from domain.terms import Term
from domain.trading.value_objects.order_type import Liquidity


class ExecType(Term):
    """FIX ExecType(150), and three more: STOP_MOVED, a trailing stop stands elsewhere; UNCLEAR, a submission got no
    clear answer; ABSENT, the broker proves that it never had the order.
    """

    NEW = "NEW"
    STOP_MOVED = "STOP_MOVED"
    TRIGGERED = "TRIGGERED"
    TRADE = "TRADE"
    TRADE_CANCEL = "TRADE_CANCEL"
    TRADE_CORRECT = "TRADE_CORRECT"
    CANCELED = "CANCELED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    REPLACED = "REPLACED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNCLEAR = "UNCLEAR"
    ABSENT = "ABSENT"


# Those about a trade: they book, and change no state of an order by themselves.
EXECUTIONS: Final = frozenset({ExecType.TRADE, ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT})


class ExecutionReport(NamedTuple):
    """One report about the order `order_id`, which is also the client id that the broker was given.

    TRADE carries `execution_id`, `quantity`, `price`, `fee`, `fee_currency`, `liquidity`.
    TRADE_CANCEL and TRADE_CORRECT name the trade by `reference_id`; a correction carries the new
    `execution_id`, `quantity`, `price` and `fee`. REPLACED and REPLACE_REJECTED echo the `request_version`
    that the replace was sent with. `price` is the stop price in TRIGGERED and STOP_MOVED, and STOP_MOVED names by
    `request_version` the replace that gave the trail its distance, 0 for none. `reason` is for people.
    """

    account_id: str
    order_id: str
    type: ExecType
    time: datetime
    broker_order_id: str = ""
    execution_id: str = ""
    reference_id: str = ""
    quantity: Decimal | None = None
    price: Decimal | None = None
    fee: Decimal | None = None
    fee_currency: str = ""
    liquidity: Liquidity | None = None
    request_version: int = 0
    reason: str = ""
