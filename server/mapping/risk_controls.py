"""Scopes, switches and trading states as the contract tells them."""

from typing import Final

from application.risk.queries.get_kill_switch_query import KillSwitchView, Outcome, OutcomeState
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from quantmesh.risk.v1 import dead_man_switch_pb2, kill_switch_pb2, scope_pb2, trading_state_pb2
from server.errors import status_of
from server.mapping.common import enum_table, to_duration, to_optional_timestamp, to_timestamp
from server.mapping.orders import order_message
from server.mapping.risk import TRADING_STATES

_DEAD_MAN_STATES: Final = enum_table(dead_man_switch_pb2.DeadManSwitchState, DeadManState, "DEAD_MAN_SWITCH_STATE")
_OUTCOMES: Final = enum_table(kill_switch_pb2.KillSwitchOrderState, OutcomeState, "KILL_SWITCH_ORDER_STATE")


def scope_of(message: scope_pb2.Scope) -> Scope:
    """The scope, of which the contract's rules say that one target is set."""
    match message.WhichOneof("target"):
        case "account_id":
            return of_account(message.account_id)
        case "strategy":
            return Scope(ScopeKind.STRATEGY, message.strategy.account_id, message.strategy.strategy_id)
        case "symbol":
            return Scope(ScopeKind.SYMBOL, message.symbol.account_id, message.symbol.symbol)
        case _:
            return EVERYTHING


def scope_message(scope: Scope) -> scope_pb2.Scope:
    match scope.kind:
        case ScopeKind.ALL:
            return scope_pb2.Scope(all=scope_pb2.AllScope())
        case ScopeKind.ACCOUNT:
            return scope_pb2.Scope(account_id=scope.account_id)
        case ScopeKind.STRATEGY:
            strategy = scope_pb2.StrategyScope(strategy_id=scope.key, account_id=scope.account_id)
            return scope_pb2.Scope(strategy=strategy)
        case ScopeKind.SYMBOL:
            return scope_pb2.Scope(symbol=scope_pb2.SymbolScope(symbol=scope.key, account_id=scope.account_id))


def kill_switch_message(kill: KillSwitch, open_order_count: int = 0) -> kill_switch_pb2.KillSwitch:
    return kill_switch_pb2.KillSwitch(
        kill_switch_id=kill.kill_switch_id,
        scope=scope_message(kill.scope),
        engaged=kill.engaged,
        version=kill.version,
        cancel_orders=kill.cancel_orders,
        flatten=kill.flatten,
        reason=kill.reason,
        engaged_by=kill.engaged_by,
        engaged_time=to_timestamp(kill.engaged_time),
        release_reason=kill.release_reason,
        released_by=kill.released_by,
        released_time=to_optional_timestamp(kill.released_time),
        open_order_count=open_order_count,
    )


def view_message(view: KillSwitchView) -> kill_switch_pb2.KillSwitch:
    return kill_switch_message(view.kill, view.open_order_count)


def outcome_message(outcome: Outcome) -> kill_switch_pb2.KillSwitchOutcome:
    order = outcome.order
    return kill_switch_pb2.KillSwitchOutcome(
        account_id=order.account_id,
        order_id=order.order_id,
        client_order_id=order.terms.client_order_id,
        state=_OUTCOMES[outcome.state],
        order=order_message(order),
        error=None if outcome.error is None else status_of(outcome.error),
    )


def state_message(state: ScopedTradingState) -> trading_state_pb2.ScopedTradingState:
    return trading_state_pb2.ScopedTradingState(
        scope=scope_message(state.scope),
        trading_state=TRADING_STATES[state.state],
        version=state.version,
        reason=state.reason,
        updated_by=state.updated_by,
        updated_time=to_timestamp(state.updated_time),
    )


def dead_man_switch_message(switch: DeadManSwitch) -> dead_man_switch_pb2.DeadManSwitch:
    return dead_man_switch_pb2.DeadManSwitch(
        dead_man_switch_id=switch.dead_man_switch_id,
        scope=scope_message(switch.scope),
        timeout=to_duration(switch.timeout),
        expire_time=to_timestamp(switch.expire_time),
        cancel_orders=switch.cancel_orders,
        flatten=switch.flatten,
        state=_DEAD_MAN_STATES[switch.state],
        armed_by=switch.armed_by,
        armed_time=to_timestamp(switch.armed_time),
        kill_switch_id=switch.kill_switch_id,
    )
