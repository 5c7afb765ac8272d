"""What the rules of one account remember from order to order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as it was at `time`."""

    tokens: Decimal
    time: datetime


@dataclass(frozen=True, slots=True)
class RiskState:
    """Stored with the account. Equities are in the base currency, None before the account was first valued.

    `day` is the start of the account's present day. `buckets` by rule, or rule and strategy as "RULE:strategy".
    `noted` is, by the id of a control, the version that the account's journal has an event of.
    `warned` holds the rule and key, as "RULE:key", of each limit whose warning share is passed, `breached` the
    loss rules that are.
    """

    account_id: str
    day: datetime | None = None
    day_start_equity: Decimal | None = None
    day_high: Decimal | None = None
    high: Decimal | None = None
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)
    warned: frozenset[str] = frozenset()
    breached: frozenset[str] = frozenset()
