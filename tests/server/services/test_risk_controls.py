"""Trading states, dead-man switches and the firm's ceiling, as a client sees them."""

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from quantmesh.risk.v1 import dead_man_switch_pb2 as dead_man
from quantmesh.risk.v1 import kill_switch_pb2 as kill
from quantmesh.risk.v1 import trading_state_pb2 as states
from quantmesh.risk.v1.risk_profile_pb2 import GetRiskProfileRequest, RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import GetFirmRiskProfileRequest, UpdateFirmRiskProfileRequest
from quantmesh.risk.v1.scope_pb2 import Scope
from quantmesh.type.v1.trading_state_pb2 import TRADING_STATE_ACTIVE, TRADING_STATE_HALTED, TRADING_STATE_REDUCING
from tests.server.audit_calls import BOSS
from tests.server.rig import ACCOUNT, refusal, scripted, until
from tests.server.risk_calls import SCOPES, arm, engage, placing, set_state

CODE = grpc.StatusCode


# -- trading states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_a_state_is_in_force_once_it_is_answered(scope: Scope) -> None:
    async with scripted() as rig:
        state = await set_state(rig, TRADING_STATE_HALTED, scope)
        assert (state.scope, state.trading_state, state.version) == (scope, TRADING_STATE_HALTED, 1)
        assert (state.reason, state.updated_by) == ("why", "user:boss")
        assert (await placing(rig)).rules == ["TRADING_STATE"]
        await set_state(rig, TRADING_STATE_ACTIVE, scope, expected_version=1)
        await rig.place("z", strategy_id="momentum")


async def test_a_state_of_another_version_and_one_under_a_kill_switch_are_refused() -> None:
    async with scripted() as rig:
        await set_state(rig, TRADING_STATE_REDUCING)
        refused = await refusal(set_state(rig, TRADING_STATE_ACTIVE, expected_version=3))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")
        switch = (await engage(rig)).kill_switch
        refused = await refusal(set_state(rig, TRADING_STATE_ACTIVE))
        assert (refused.code, refused.reason) == (CODE.FAILED_PRECONDITION, "KILL_SWITCH_ENGAGED")
        assert refused.metadata == {"kill_switch_id": switch.kill_switch_id}


async def test_states_are_listed_page_by_page() -> None:
    async with scripted() as rig:
        for scope in SCOPES:
            await set_state(rig, TRADING_STATE_REDUCING, scope)
        listed: list[Scope] = []
        request = states.ListTradingStatesRequest(page_size=4)
        for expected in (4, 2):
            answer = await rig.client.risk.ListTradingStates(request)
            assert len(answer.states) == expected
            listed += [state.scope for state in answer.states]
            request.page_token = answer.next_page_token
        assert not request.page_token
        assert sorted(map(str, listed)) == sorted(map(str, SCOPES))


# -- dead-man switches ------------------------------------------------------------------------------------


async def test_a_switch_that_is_not_refreshed_fires() -> None:
    async with scripted() as rig:
        armed = await arm(rig, flatten=True)
        assert (armed.state, armed.armed_by) == (dead_man.DEAD_MAN_SWITCH_STATE_ARMED, "user:boss")
        assert armed.timeout == Duration(seconds=5)
        assert (armed.cancel_orders, armed.flatten, armed.kill_switch_id) == (True, True, "")
        rig.clock.advance(3)
        asked = dead_man.RefreshDeadManSwitchRequest(dead_man_switch_id=armed.dead_man_switch_id)
        refreshed = (await rig.client.risk.RefreshDeadManSwitch(asked)).dead_man_switch
        assert refreshed.expire_time.seconds == armed.expire_time.seconds + 3
        rig.clock.advance(5)
        await until(
            lambda: len(list(rig.engine.controls)) and rig.engine.controls.get(armed.dead_man_switch_id) is None
        )
        listed = await rig.client.risk.ListDeadManSwitches(
            dead_man.ListDeadManSwitchesRequest(account_id=ACCOUNT, include_ended=True)
        )
        (fired,) = listed.dead_man_switches
        assert fired.state == dead_man.DEAD_MAN_SWITCH_STATE_FIRED
        got = await rig.client.risk.GetKillSwitch(kill.GetKillSwitchRequest(kill_switch_id=fired.kill_switch_id))
        assert got.kill_switch.engaged_by == f"dead_man_switch:{armed.dead_man_switch_id}"
        refused = await refusal(rig.client.risk.RefreshDeadManSwitch(asked))
        assert (refused.code, refused.reason) == (CODE.NOT_FOUND, "DEAD_MAN_SWITCH_NOT_FOUND")


async def test_arming_again_sets_the_same_switch_anew_and_disarming_can_be_repeated() -> None:
    async with scripted() as rig:
        first = await arm(rig)
        again = await arm(rig, seconds=9, cancel_orders=False)
        assert again.dead_man_switch_id == first.dead_man_switch_id
        assert (again.timeout.seconds, again.cancel_orders) == (9, False)
        request = dead_man.DisarmDeadManSwitchRequest(dead_man_switch_id=first.dead_man_switch_id, reason="home")
        answers = [(await rig.client.risk.DisarmDeadManSwitch(request)).dead_man_switch for _ in range(2)]
        assert answers[0] == answers[1]
        assert answers[0].state == dead_man.DEAD_MAN_SWITCH_STATE_DISARMED
        assert not (await rig.client.risk.ListDeadManSwitches(dead_man.ListDeadManSwitchesRequest())).dead_man_switches


async def test_a_dead_man_switch_that_is_not_there() -> None:
    async with scripted() as rig:
        disarm = dead_man.DisarmDeadManSwitchRequest(dead_man_switch_id="nope", reason="why")
        for call in (
            rig.client.risk.RefreshDeadManSwitch(dead_man.RefreshDeadManSwitchRequest(dead_man_switch_id="nope")),
            rig.client.risk.DisarmDeadManSwitch(disarm),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (CODE.NOT_FOUND, "DEAD_MAN_SWITCH_NOT_FOUND")
            assert refused.metadata == {"dead_man_switch_id": "nope"}


# -- the firm's ceiling -----------------------------------------------------------------------------------


async def test_the_ceiling_is_set_read_and_applied() -> None:
    async with scripted() as rig:
        before = (await rig.client.risk.GetFirmRiskProfile(GetFirmRiskProfileRequest())).risk_profile
        assert (before.account_id, before.version) == ("", 1)
        assert not before.HasField("max_leverage")
        request = UpdateFirmRiskProfileRequest(
            risk_profile=RiskProfile(max_order_quantity="50"), expected_version=1, reason="caution"
        )
        after = (await rig.client.risk.UpdateFirmRiskProfile(request, metadata=BOSS)).risk_profile
        assert (after.version, after.max_order_quantity, after.updated_by) == (2, "50", "user:boss")
        assert after.trading_state == TRADING_STATE_ACTIVE
        assert (await rig.client.risk.GetFirmRiskProfile(GetFirmRiskProfileRequest())).risk_profile == after
        profile = await rig.client.risk.GetRiskProfile(GetRiskProfileRequest(account_id=ACCOUNT))
        assert profile.effective_risk_profile.max_order_quantity == "50"
        assert (await placing(rig)).rules == ["MAX_ORDER_QUANTITY"]
        refused = await refusal(rig.client.risk.UpdateFirmRiskProfile(request))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")


async def test_the_ceiling_refuses_fields_that_cannot_be_set() -> None:
    async with scripted() as rig:
        for path in ("version", "no_such_limit"):
            request = UpdateFirmRiskProfileRequest(
                risk_profile=RiskProfile(), update_mask=FieldMask(paths=[path]), reason="why"
            )
            refused = await refusal(rig.client.risk.UpdateFirmRiskProfile(request))
            assert (refused.code, list(refused.fields)) == (CODE.INVALID_ARGUMENT, ["update_mask.paths"])
