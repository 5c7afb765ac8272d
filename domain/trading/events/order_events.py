"""What happened in an account: the one kind of record that the journal, the streams and Kafka carry."""

from datetime import datetime
from typing import NamedTuple

from domain.errors import Violation
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.limits import LimitUse
from domain.risk.value_objects.trading_state import TradingState
from domain.terms import Term
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.value_objects.order_type import RestateReason


class EventType(Term):
    ACCOUNT_CREATED = "ACCOUNT_CREATED"
    RISK_PROFILE_UPDATED = "RISK_PROFILE_UPDATED"
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_ACTIVATED = "ORDER_ACTIVATED"
    ORDER_ACCEPTED = "ORDER_ACCEPTED"
    STOP_MOVED = "STOP_MOVED"
    ORDER_TRIGGERED = "ORDER_TRIGGERED"
    ORDER_FILLED = "ORDER_FILLED"
    FILL_BUSTED = "FILL_BUSTED"
    FILL_CORRECTED = "FILL_CORRECTED"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    CANCEL_REJECTED = "CANCEL_REJECTED"
    ORDER_CANCELED = "ORDER_CANCELED"
    REPLACE_REQUESTED = "REPLACE_REQUESTED"
    REPLACE_REJECTED = "REPLACE_REJECTED"
    ORDER_REPLACED = "ORDER_REPLACED"
    ORDER_RESTATED = "ORDER_RESTATED"
    ORDER_EXPIRED = "ORDER_EXPIRED"
    SUBMISSION_UNKNOWN = "SUBMISSION_UNKNOWN"
    SUBMISSION_RESOLVED = "SUBMISSION_RESOLVED"
    TRADING_STATE_CHANGED = "TRADING_STATE_CHANGED"
    LIMIT_BREACHED = "LIMIT_BREACHED"
    LIMIT_WARNING = "LIMIT_WARNING"
    KILL_SWITCH_ENGAGED = "KILL_SWITCH_ENGAGED"
    KILL_SWITCH_RELEASED = "KILL_SWITCH_RELEASED"
    DEAD_MAN_SWITCH_CHANGED = "DEAD_MAN_SWITCH_CHANGED"


# A tuple and no dataclass: it costs a quarter to make, and each order makes several.
class Event(NamedTuple):
    """One journal record. `sequence` is dense per account, from 1.

    `order` is the order after the event, None for events of the account itself; SUBMISSION_RESOLVED leaves its
    version as it is. `fill` comes with ORDER_FILLED and, as it counts now, with FILL_CORRECTED; FILL_BUSTED carries the
    one that no longer counts; `replaced_fill` is the one that a correction took out. `violations` come with
    ORDER_REJECTED and LIMIT_BREACHED, which names by `order_id` the order whose replace was refused; `limit_use` comes
    with LIMIT_WARNING, `restate_reason` with ORDER_RESTATED.
    """

    account_id: str
    sequence: int
    event_time: datetime
    actor: str
    type: EventType
    order: Order | None = None
    fill: Fill | None = None
    replaced_fill: Fill | None = None
    violations: tuple[Violation, ...] = ()
    reason: str = ""
    account: Account | None = None
    risk_profile: RiskProfile | None = None
    changed_paths: tuple[str, ...] = ()
    order_id: str = ""
    limit_use: LimitUse | None = None
    trading_state: ScopedTradingState | None = None
    previous_state: TradingState | None = None
    kill_switch: KillSwitch | None = None
    dead_man_switch: DeadManSwitch | None = None
    restate_reason: RestateReason | None = None
