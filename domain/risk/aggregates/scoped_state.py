"""The trading state of one scope, as it was last set."""

from dataclasses import dataclass
from datetime import datetime

from domain.risk.value_objects.scope import Scope
from domain.risk.value_objects.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class ScopedTradingState:
    """`version` goes up by one with every change, from 1. `updated_by`: an actor, "system" or "kill_switch:<id>"."""

    scope: Scope
    state: TradingState
    version: int
    reason: str
    updated_by: str
    updated_time: datetime
