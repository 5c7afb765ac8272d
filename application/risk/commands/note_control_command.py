"""Tell an account's journal of a change that was made for the firm or for a scope."""

from dataclasses import dataclass, replace
from typing import Any

from application.ports.journal import Control
from application.risk.controls import control_id
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import bucket_key
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import ScopeKind
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.events.order_events import EventType


@dataclass(frozen=True, slots=True)
class NoteControl:
    """Record `control` as it now is; a version that the journal has already changes nothing.

    What has come to its end is told only to accounts that were told of its beginning, and forgotten then.
    """

    account_id: str
    actor: str
    control: Control
    reason: str = ""
    previous_state: TradingState | None = None
    changed_paths: tuple[str, ...] = ()

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> None:
        noted = dict(book.risk_state.noted)
        id = control_id(self.control)
        known = noted.pop(id, 0)
        over = is_over(self.control)
        if known >= self.control.version or (over and not known):
            return
        if not over:
            noted[id] = self.control.version
        state = replace(book.risk_state, noted=noted)
        if over and isinstance(self.control, ScopedTradingState) and self.control.scope.kind is ScopeKind.STRATEGY:
            # Turned on again: its executions are counted anew.
            state = state.refilled(bucket_key("REPEATED_EXECUTION", self.control.scope.key))
        book.keep_risk_state(state)
        self._record(book)

    def _record(self, book: AccountBook) -> None:
        details: dict[str, Any]
        match self.control:
            case KillSwitch() as kill:
                type = EventType.KILL_SWITCH_ENGAGED if kill.engaged else EventType.KILL_SWITCH_RELEASED
                details = {"kill_switch": replace(kill, orders=())}
            case DeadManSwitch() as switch:
                type, details = EventType.DEAD_MAN_SWITCH_CHANGED, {"dead_man_switch": switch}
            case ScopedTradingState() as state:
                type = EventType.TRADING_STATE_CHANGED
                details = {"trading_state": state, "previous_state": self.previous_state}
            case RiskProfile() as profile:
                type = EventType.RISK_PROFILE_UPDATED
                details = {"risk_profile": profile, "changed_paths": self.changed_paths}
        book.record(type, reason=self.reason, **details)


def is_over(control: Control) -> bool:
    """Whether it holds nobody back any more, nor will."""
    match control:
        case KillSwitch():
            return not control.engaged
        case DeadManSwitch():
            return control.state is not DeadManState.ARMED
        case ScopedTradingState():
            return control.state is TradingState.ACTIVE
        case RiskProfile():
            return False


@dataclass(frozen=True, slots=True)
class ForgetControls:
    """Forget controls that are in no store: what had told of them was never committed."""

    account_id: str
    actor: str
    control_ids: frozenset[str]

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> None:
        noted = {id: version for id, version in book.risk_state.noted.items() if id not in self.control_ids}
        if len(noted) != len(book.risk_state.noted):
            book.keep_risk_state(replace(book.risk_state, noted=noted))
