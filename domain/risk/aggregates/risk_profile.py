"""The limits that an account's orders are held against."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RiskProfile:
    """The limits of one account; a limit of None is off, what has a default is always on.

    `max_leverage`: gross exposure over equity, at most. `market_order_buffer`: the fraction above the quote
    that is reserved for an order without a limit price, since it may fill there. `max_quote_age`: seconds
    after which a quote is too old to decide on. `max_short_quantity`: per symbol, open orders counted as filled.
    """

    account_id: str
    version: int = 1
    updated_time: datetime | None = None
    max_order_quantity: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_leverage: Decimal = Decimal(1)
    short_selling: bool = True
    max_short_quantity: Decimal | None = None
    market_order_buffer: Decimal = Decimal("0.02")
    max_quote_age: Decimal = Decimal(10)
