"""What is set for the firm and for scopes: one registry in memory that every account's writer reads.

Only RiskDesk and the loss limits change it. Reading costs nothing while nothing is engaged or restricted.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from application.ports.journal import Control
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import Scope, ScopeKind
from domain.risk.value_objects.trading_state import TradingState

FIRM_PROFILE_ID = "firm_profile"

# The ceiling before one is set: it holds nobody back.
NO_CEILING = RiskProfile("", max_leverage=None, max_quote_age=None)

C = TypeVar("C", KillSwitch, DeadManSwitch, ScopedTradingState)
_Key: TypeAlias = tuple[ScopeKind, str, str]


def state_id(scope: Scope) -> str:
    """The control id of the scope's trading state."""
    return f"state:{scope.kind.value}:{scope.account_id}:{scope.key}"


def control_id(control: Control) -> str:
    """The id under which a control is stored, and noted by accounts."""
    match control:
        case KillSwitch():
            return control.kill_switch_id
        case DeadManSwitch():
            return control.dead_man_switch_id
        case ScopedTradingState():
            return state_id(control.scope)
        case RiskProfile():
            return FIRM_PROFILE_ID


def scope_of(control: Control) -> Scope:
    """What the control is about; the firm's profile is about everything."""
    return Scope(ScopeKind.ALL) if isinstance(control, RiskProfile) else control.scope


def in_force(control: Control) -> bool:
    """Whether it is kept in memory: engaged, armed, or a state or profile, which never end."""
    match control:
        case KillSwitch():
            return control.engaged
        case DeadManSwitch():
            return control.state is DeadManState.ARMED
        case _:
            return True


class Controls:
    """The controls in force. `changes` goes up with every `put`: who reads the store can tell that there was one."""

    def __init__(self, controls: Iterable[Control] = ()) -> None:
        self.firm: RiskProfile = NO_CEILING
        self.changes = 0
        self._controls: dict[str, Control] = {}
        self._kills: dict[_Key, KillSwitch] = {}
        self._armed: dict[_Key, DeadManSwitch] = {}
        self._restricting: dict[_Key, ScopedTradingState] = {}
        self.load(controls)

    # -- on the way of an order ---------------------------------------------------------------------

    def kill_for(self, account_id: str, strategy_id: str, symbol: str) -> KillSwitch | None:
        """The engaged kill switch that has the order in its scope, the widest of several."""
        if not self._kills:
            return None
        return next((self._kills[key] for key in _keys(account_id, strategy_id, symbol) if key in self._kills), None)

    def state_for(self, account_id: str, strategy_id: str, symbol: str) -> ScopedTradingState | None:
        """The most severe state that the order is under, None when all are ACTIVE."""
        if not self._restricting:
            return None
        found = [self._restricting[key] for key in _keys(account_id, strategy_id, symbol) if key in self._restricting]
        return max(found, key=lambda state: state.state.severity, default=None)

    # -- by id and scope ----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Control]:
        return iter(list(self._controls.values()))

    def get(self, control_id: str) -> Control | None:
        return self._controls.get(control_id)

    def bearing_on(self, account_id: str) -> Sequence[Control]:
        """The controls that something in this account can be in the scope of, in the order they came."""
        return [control for control in self._controls.values() if scope_of(control).bears_on(account_id)]

    def engaged(self, scope: Scope) -> KillSwitch | None:
        return self._kills.get(_key(scope))

    def armed(self, scope: Scope) -> DeadManSwitch | None:
        return self._armed.get(_key(scope))

    def state_of(self, scope: Scope) -> ScopedTradingState | None:
        """The scope's own state as it was last set, ACTIVE too; None when it never was."""
        state = self._controls.get(state_id(scope))
        return state if isinstance(state, ScopedTradingState) else None

    # -- changes ------------------------------------------------------------------------------------

    def put(self, control: Control) -> None:
        """From now on the control is as given. One that has ended is let go."""
        self.changes += 1
        self._take(control)

    def _take(self, control: Control) -> None:
        id = control_id(control)
        if in_force(control):
            self._controls[id] = control
        else:
            self._controls.pop(id, None)
        match control:
            case KillSwitch():
                _keep(self._kills, control, control.engaged)
            case DeadManSwitch():
                _keep(self._armed, control, control.state is DeadManState.ARMED)
            case ScopedTradingState():
                _keep(self._restricting, control, control.state is not TradingState.ACTIVE)
            case RiskProfile():
                self.firm = control

    def load(self, controls: Iterable[Control]) -> None:
        """Be as the store says, whatever was here before."""
        self.firm = NO_CEILING
        for part in (self._controls, self._kills, self._armed, self._restricting):
            part.clear()
        for control in controls:
            self._take(control)


def _key(scope: Scope) -> _Key:
    return scope.kind, scope.account_id, scope.key


def _keys(account_id: str, strategy_id: str, symbol: str) -> Iterator[_Key]:
    """Every scope that an order is in, the widest first."""
    yield ScopeKind.ALL, "", ""
    yield ScopeKind.ACCOUNT, account_id, ""
    yield ScopeKind.SYMBOL, "", symbol
    yield ScopeKind.SYMBOL, account_id, symbol
    if strategy_id:
        yield ScopeKind.STRATEGY, "", strategy_id
        yield ScopeKind.STRATEGY, account_id, strategy_id


def _keep(kept: dict[_Key, C], control: C, keep: bool) -> None:
    if keep:
        kept[_key(control.scope)] = control
    else:
        kept.pop(_key(control.scope), None)
