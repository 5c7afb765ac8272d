"""One event of each kind, with everything that an event of its kind can have."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from domain.errors import Violation
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.limits import LimitUse
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.order_type import RestateReason, Side
from tests.support.trading import ACCOUNT, START, terms

D = Decimal

TOO_MANY: Final = Violation("MAX_OPEN_ORDERS", "x", "4 orders, limit 3 orders", "4", "3", "orders")
TOO_MUCH: Final = Violation("MAX_ORDER_QUANTITY", "x", "6 units, limit 5 units", "6", "5", "units")
NEARLY: Final = LimitUse("MAX_POSITION", "ACME", D(80), D(100), "units", D(80))
STATE: Final = ScopedTradingState(
    Scope(ScopeKind.STRATEGY, ACCOUNT, "trend"), TradingState.HALTED, 2, "too often", "system", START
)
KILL: Final = KillSwitch("k-1", EVERYTHING, True, False, "fire drill", "user:risk", START)
RELEASED: Final = replace(
    KILL, version=2, engaged=False, release_reason="over", released_by="user:risk", released_time=START
)
DEAD_MAN: Final = DeadManSwitch(
    "d-1", EVERYTHING, D("1.5"), START + timedelta(seconds=1.5), True, False, "user:bot", START, 3
)
PROFILE: Final = RiskProfile(ACCOUNT, 2, START, "user:risk", max_open_orders=3)
ORDER: Final = Order("o-1", ACCOUNT, terms(), D(100), "scripted", "USD", START, START)
_FILL: Final = Fill(
    "f-1", "e-1", "o-1", "x", ACCOUNT, "ACME", Side.BUY, D(1), D(50), "USD", D(0), "USD", None, "", START, 7
)

_ACCOUNTS_OWN: Final[dict[EventType, dict[str, Any]]] = {
    EventType.ACCOUNT_CREATED: {"account": Account(ACCOUNT, "scripted", "USD", D(1), START)},
    EventType.RISK_PROFILE_UPDATED: {"risk_profile": PROFILE, "changed_paths": ("short_selling", "max_open_orders")},
    EventType.TRADING_STATE_CHANGED: {"trading_state": STATE, "previous_state": TradingState.REDUCING},
    EventType.LIMIT_BREACHED: {"violations": (TOO_MANY, TOO_MUCH), "order_id": "o-1"},
    EventType.LIMIT_WARNING: {"limit_use": NEARLY},
    EventType.KILL_SWITCH_ENGAGED: {"kill_switch": KILL},
    EventType.KILL_SWITCH_RELEASED: {"kill_switch": RELEASED},
    EventType.DEAD_MAN_SWITCH_CHANGED: {"dead_man_switch": DEAD_MAN},
}


def event(type: EventType, **more: Any) -> Event:
    """An event of that kind about ORDER, or about the account."""
    details = _ACCOUNTS_OWN.get(type)
    if details is None:
        details = {"order": ORDER, "fill": _FILL, "replaced_fill": _FILL, "reason": "words"}
        if type is EventType.ORDER_REJECTED:
            details["violations"] = (TOO_MANY, TOO_MUCH)
        if type is EventType.ORDER_RESTATED:
            details["restate_reason"] = RestateReason.PARENT_FILLED
    return Event(ACCOUNT, 7, START, "user:a", type, **details | more)
