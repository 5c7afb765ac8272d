"""Risk controls that cannot be set: malformed requests, by field, and accounts that the caller may not use."""

from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration

from quantmesh.risk.v1 import dead_man_switch_pb2 as dead_man
from quantmesh.risk.v1 import kill_switch_pb2 as kill
from quantmesh.risk.v1 import trading_state_pb2 as states
from quantmesh.risk.v1.risk_profile_pb2 import RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateFirmRiskProfileRequest
from quantmesh.risk.v1.scope_pb2 import Scope, SymbolScope
from quantmesh.type.v1.trading_state_pb2 import TRADING_STATE_HALTED
from tests.server.rig import refusal, scripted
from tests.server.risk_calls import EVERYTHING, arm, engage, set_state

CODE = grpc.StatusCode
_TOO_LONG = "x" * 257
_MADE_UP = "made up"
_BAD: list[tuple[str, Any, str]] = [
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(reason="why"), "scope"),
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(scope=Scope(), reason="why"), "scope.target"),
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(scope=EVERYTHING), "reason"),
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(scope=EVERYTHING, reason=_TOO_LONG), "reason"),
    (
        "EngageKillSwitch",
        kill.EngageKillSwitchRequest(scope=EVERYTHING, reason="why", cancel_orders=False, flatten=True),
        "request",
    ),
    (
        "EngageKillSwitch",
        kill.EngageKillSwitchRequest(scope=Scope(symbol=SymbolScope()), reason="why"),
        "scope.symbol.symbol",
    ),
    ("ReleaseKillSwitch", kill.ReleaseKillSwitchRequest(kill_switch_id="k", reason="why"), "expected_version"),
    ("ReleaseKillSwitch", kill.ReleaseKillSwitchRequest(kill_switch_id="k", expected_version=1), "reason"),
    ("ReleaseKillSwitch", kill.ReleaseKillSwitchRequest(reason="why", expected_version=1), "kill_switch_id"),
    ("GetKillSwitch", kill.GetKillSwitchRequest(), "kill_switch_id"),
    ("ListKillSwitches", kill.ListKillSwitchesRequest(page_size=1001), "page_size"),
    ("ListKillSwitches", kill.ListKillSwitchesRequest(page_token=_MADE_UP), "page_token"),
    ("SetTradingState", states.SetTradingStateRequest(scope=EVERYTHING, reason="why"), "trading_state"),
    (
        "SetTradingState",
        states.SetTradingStateRequest(scope=EVERYTHING, reason="why", trading_state=9),  # type: ignore[arg-type]  # no such state
        "trading_state",
    ),
    ("ListTradingStates", states.ListTradingStatesRequest(page_token=_MADE_UP), "page_token"),
    (
        "ArmDeadManSwitch",
        dead_man.ArmDeadManSwitchRequest(scope=EVERYTHING, reason="why", timeout=Duration(nanos=999_999_999)),
        "timeout",
    ),
    (
        "ArmDeadManSwitch",
        dead_man.ArmDeadManSwitchRequest(scope=EVERYTHING, reason="why", timeout=Duration(seconds=86_401)),
        "timeout",
    ),
    ("ArmDeadManSwitch", dead_man.ArmDeadManSwitchRequest(scope=EVERYTHING, reason="why"), "timeout"),
    ("RefreshDeadManSwitch", dead_man.RefreshDeadManSwitchRequest(), "dead_man_switch_id"),
    ("DisarmDeadManSwitch", dead_man.DisarmDeadManSwitchRequest(dead_man_switch_id="d"), "reason"),
    ("ListDeadManSwitches", dead_man.ListDeadManSwitchesRequest(page_size=-1), "page_size"),
    ("UpdateFirmRiskProfile", UpdateFirmRiskProfileRequest(risk_profile=RiskProfile()), "reason"),
    ("UpdateFirmRiskProfile", UpdateFirmRiskProfileRequest(reason="why"), "risk_profile"),
]


async def test_a_malformed_request_names_the_field_and_changes_nothing() -> None:
    async with scripted() as rig:
        for name, request, field in _BAD:
            refused = await refusal(getattr(rig.client.risk, name)(request))
            assert refused.code is CODE.INVALID_ARGUMENT, (name, request)
            assert field in refused.fields, (name, request, refused.fields)
        assert list(rig.engine.controls) == []


async def test_an_account_that_is_not_there_is_not_told_from_one_without_a_grant() -> None:
    nobody = Scope(account_id="nobody")
    async with scripted() as rig:
        for call in (
            engage(rig, nobody),
            engage(rig, Scope(symbol=SymbolScope(symbol="ACME", account_id="nobody"))),
            arm(rig, nobody),
            set_state(rig, TRADING_STATE_HALTED, nobody),
            rig.client.risk.ListKillSwitches(kill.ListKillSwitchesRequest(account_id="nobody")),
            rig.client.risk.ListTradingStates(states.ListTradingStatesRequest(account_id="nobody")),
            rig.client.risk.ListDeadManSwitches(dead_man.ListDeadManSwitchesRequest(account_id="nobody")),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
