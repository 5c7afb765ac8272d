"""An account: who trades, through which broker, counted in which currency."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Account:
    account_id: str
    broker: str
    base_currency: str
    starting_cash: Decimal
    created_time: datetime
