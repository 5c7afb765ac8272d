"""A switch that engages a kill switch by itself when nobody refreshes it in time."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.risk.value_objects.scope import Scope
from domain.terms import Term


class DeadManState(Term):
    ARMED = "ARMED"
    FIRED = "FIRED"
    DISARMED = "DISARMED"


@dataclass(frozen=True, slots=True)
class DeadManSwitch:
    """`timeout` in seconds; it fires at `expire_time`. `kill_switch_id` is the one that it engaged, or empty."""

    dead_man_switch_id: str
    scope: Scope
    timeout: Decimal
    expire_time: datetime
    cancel_orders: bool
    flatten: bool
    armed_by: str
    armed_time: datetime
    version: int = 1
    state: DeadManState = DeadManState.ARMED
    kill_switch_id: str = ""
