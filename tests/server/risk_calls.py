"""Calls that set risk controls, and the scopes that they may have."""

from typing import Any

from google.protobuf.duration_pb2 import Duration

from quantmesh.risk.v1 import dead_man_switch_pb2 as dead_man
from quantmesh.risk.v1 import kill_switch_pb2 as kill
from quantmesh.risk.v1 import trading_state_pb2 as states
from quantmesh.risk.v1.scope_pb2 import AllScope, Scope, StrategyScope, SymbolScope
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from tests.server.audit_calls import BOSS
from tests.server.rig import ACCOUNT, Rig, limit, refusal

EVERYTHING = Scope(all=AllScope())
THE_ACCOUNT = Scope(account_id=ACCOUNT)

SCOPES = [
    EVERYTHING,
    THE_ACCOUNT,
    Scope(strategy=StrategyScope(strategy_id="momentum")),
    Scope(strategy=StrategyScope(strategy_id="momentum", account_id=ACCOUNT)),
    Scope(symbol=SymbolScope(symbol="ACME")),
    Scope(symbol=SymbolScope(symbol="ACME", account_id=ACCOUNT)),
]


async def engage(rig: Rig, scope: Scope = THE_ACCOUNT, **more: Any) -> kill.EngageKillSwitchResponse:
    request = kill.EngageKillSwitchRequest(scope=scope, reason="enough", **more)
    return await rig.client.risk.EngageKillSwitch(request, metadata=BOSS)


async def arm(rig: Rig, scope: Scope = THE_ACCOUNT, seconds: int = 5, **more: Any) -> dead_man.DeadManSwitch:
    request = dead_man.ArmDeadManSwitchRequest(
        scope=scope, timeout=Duration(seconds=seconds), reason="watchdog", **more
    )
    return (await rig.client.risk.ArmDeadManSwitch(request, metadata=BOSS)).dead_man_switch


async def set_state(rig: Rig, state: Any, scope: Scope = THE_ACCOUNT, **more: Any) -> states.ScopedTradingState:
    request = states.SetTradingStateRequest(scope=scope, trading_state=state, reason="why", **more)
    return (await rig.client.risk.SetTradingState(request, metadata=BOSS)).state


async def placing(rig: Rig, client_order_id: str = "y") -> Any:
    order = limit(client_order_id, strategy_id="momentum")
    return await refusal(rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=order)))
