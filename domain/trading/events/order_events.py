"""What happened in an account: the one kind of record that the journal, the streams and Kafka carry."""

from dataclasses import dataclass
from datetime import datetime

from domain.errors import Violation
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.terms import Term
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill


class EventType(Term):
    ACCOUNT_CREATED = "ACCOUNT_CREATED"
    RISK_PROFILE_UPDATED = "RISK_PROFILE_UPDATED"
    ORDER_PLACED = "ORDER_PLACED"
    ORDER_REJECTED = "ORDER_REJECTED"
    ORDER_ACTIVATED = "ORDER_ACTIVATED"
    ORDER_ACCEPTED = "ORDER_ACCEPTED"
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
    ORDER_EXPIRED = "ORDER_EXPIRED"
    SUBMISSION_UNKNOWN = "SUBMISSION_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Event:
    """One journal record. `sequence` is dense per account, from 1.

    `order` is the order after the event, None for events of the account itself. `fill` comes with
    ORDER_FILLED and, as it counts now, with FILL_CORRECTED; FILL_BUSTED carries the one that no longer
    counts; `replaced_fill` is the one that a correction took out. `violations` come with ORDER_REJECTED.
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
