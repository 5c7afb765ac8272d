"""The limits of a profile that are more than a number."""

from dataclasses import dataclass
from decimal import Decimal

from domain.terms import Term


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A token bucket: `count` at once, refilled evenly so that an empty one is full after `period` seconds."""

    count: int
    period: Decimal


@dataclass(frozen=True, slots=True)
class PriceCollarWindow:
    """A price may be `percent` above the highest (a buy) or below the lowest price of the last `seconds`."""

    percent: Decimal
    seconds: Decimal


@dataclass(frozen=True, slots=True)
class SymbolLimits:
    """Limits of one symbol, beside those of the profile; the stricter counts."""

    symbol: str
    max_order_quantity: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_position_quantity: Decimal | None = None
    max_position_notional: Decimal | None = None


class LossAction(Term):
    """What happens when a loss or drawdown limit is reached."""

    REDUCE = "REDUCE"
    HALT = "HALT"
    FLATTEN = "FLATTEN"
    NOTIFY = "NOTIFY"


class SelfMatchAction(Term):
    """What happens to an order that could trade with another one of its account."""

    REJECT = "REJECT"
    CANCEL_RESTING = "CANCEL_RESTING"
    ALLOW = "ALLOW"


@dataclass(frozen=True, slots=True)
class LimitUse:
    """How much of a limit is used. `key` is the symbol or strategy that it is about, empty for the account."""

    rule: str
    key: str
    value: Decimal
    limit: Decimal
    unit: str
    used_percent: Decimal
