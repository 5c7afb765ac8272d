"""Kill switches, trading states, dead-man switches and the firm's ceiling."""

from typing import Any

from application.risk.controls import control_id
from application.risk.risk_desk import RiskDesk
from quantmesh.risk.v1 import dead_man_switch_pb2, kill_switch_pb2, risk_profile_update_pb2, trading_state_pb2
from server.interceptors.handlers import Context
from server.mapping.common import actor_of, from_duration
from server.mapping.orders import expected_version
from server.mapping.risk import TRADING_STATE_OF, profile_changes, profile_message
from server.mapping.risk_controls import (
    dead_man_switch_message,
    outcome_message,
    scope_of,
    state_message,
    view_message,
)
from server.paging import page_of


class RiskControls:
    """The RPCs of RiskService that stop trading, or limit all accounts at once."""

    def __init__(self, desk: RiskDesk) -> None:
        self._desk = desk
        self._kill_switches = desk.kill_switches
        self._dead_man_switches = desk.dead_man_switches

    # -- kill switches ------------------------------------------------------------------------------

    async def EngageKillSwitch(
        self, request: kill_switch_pb2.EngageKillSwitchRequest, context: Context
    ) -> kill_switch_pb2.EngageKillSwitchResponse:
        engaged = await self._kill_switches.engage(
            scope_of(request.scope),
            request.reason,
            actor_of(context),
            cancel_orders=_cancels(request),
            flatten=request.flatten,
        )
        return kill_switch_pb2.EngageKillSwitchResponse(
            kill_switch=view_message(engaged.view),
            outcomes=map(outcome_message, engaged.view.outcomes),
            already_engaged=engaged.already_engaged,
            symbol_unknown=engaged.symbol_unknown,
        )

    async def ReleaseKillSwitch(
        self, request: kill_switch_pb2.ReleaseKillSwitchRequest, context: Context
    ) -> kill_switch_pb2.ReleaseKillSwitchResponse:
        released = await self._kill_switches.release(
            request.kill_switch_id, request.reason, actor_of(context), request.expected_version
        )
        return kill_switch_pb2.ReleaseKillSwitchResponse(kill_switch=view_message(released))

    async def GetKillSwitch(
        self, request: kill_switch_pb2.GetKillSwitchRequest, context: Context
    ) -> kill_switch_pb2.GetKillSwitchResponse:
        view = await self._kill_switches.get(request.kill_switch_id)
        outcomes = map(outcome_message, view.outcomes)
        return kill_switch_pb2.GetKillSwitchResponse(kill_switch=view_message(view), outcomes=outcomes)

    async def ListKillSwitches(
        self, request: kill_switch_pb2.ListKillSwitchesRequest, context: Context
    ) -> kill_switch_pb2.ListKillSwitchesResponse:
        page = page_of(request)
        found = await self._kill_switches.page(request.account_id, request.include_released, page.key, page.fetch)
        views, next_page_token = page.cut(found, lambda view: view.kill.kill_switch_id)
        return kill_switch_pb2.ListKillSwitchesResponse(
            kill_switches=map(view_message, views), next_page_token=next_page_token
        )

    # -- trading states -----------------------------------------------------------------------------

    async def SetTradingState(
        self, request: trading_state_pb2.SetTradingStateRequest, context: Context
    ) -> trading_state_pb2.SetTradingStateResponse:
        state = await self._desk.set_trading_state(
            scope_of(request.scope),
            TRADING_STATE_OF[request.trading_state],
            request.reason,
            actor_of(context),
            expected_version(request),
        )
        return trading_state_pb2.SetTradingStateResponse(state=state_message(state))

    async def ListTradingStates(
        self, request: trading_state_pb2.ListTradingStatesRequest, context: Context
    ) -> trading_state_pb2.ListTradingStatesResponse:
        page = page_of(request)
        found = await self._desk.list_trading_states(request.account_id, page.key, page.fetch)
        states, next_page_token = page.cut(found, control_id)
        return trading_state_pb2.ListTradingStatesResponse(
            states=map(state_message, states), next_page_token=next_page_token
        )

    # -- dead-man switches --------------------------------------------------------------------------

    async def ArmDeadManSwitch(
        self, request: dead_man_switch_pb2.ArmDeadManSwitchRequest, context: Context
    ) -> dead_man_switch_pb2.ArmDeadManSwitchResponse:
        switch = await self._dead_man_switches.arm(
            scope_of(request.scope),
            from_duration(request.timeout),
            request.reason,
            actor_of(context),
            cancel_orders=_cancels(request),
            flatten=request.flatten,
        )
        return dead_man_switch_pb2.ArmDeadManSwitchResponse(dead_man_switch=dead_man_switch_message(switch))

    async def RefreshDeadManSwitch(
        self, request: dead_man_switch_pb2.RefreshDeadManSwitchRequest, context: Context
    ) -> dead_man_switch_pb2.RefreshDeadManSwitchResponse:
        switch = await self._dead_man_switches.refresh(request.dead_man_switch_id)
        return dead_man_switch_pb2.RefreshDeadManSwitchResponse(dead_man_switch=dead_man_switch_message(switch))

    async def DisarmDeadManSwitch(
        self, request: dead_man_switch_pb2.DisarmDeadManSwitchRequest, context: Context
    ) -> dead_man_switch_pb2.DisarmDeadManSwitchResponse:
        switch = await self._dead_man_switches.disarm(request.dead_man_switch_id, request.reason, actor_of(context))
        return dead_man_switch_pb2.DisarmDeadManSwitchResponse(dead_man_switch=dead_man_switch_message(switch))

    async def ListDeadManSwitches(
        self, request: dead_man_switch_pb2.ListDeadManSwitchesRequest, context: Context
    ) -> dead_man_switch_pb2.ListDeadManSwitchesResponse:
        page = page_of(request)
        found = await self._dead_man_switches.page(request.account_id, request.include_ended, page.key, page.fetch)
        switches, next_page_token = page.cut(found, lambda switch: switch.dead_man_switch_id)
        return dead_man_switch_pb2.ListDeadManSwitchesResponse(
            dead_man_switches=map(dead_man_switch_message, switches), next_page_token=next_page_token
        )

    # -- the firm's ceiling -------------------------------------------------------------------------

    async def GetFirmRiskProfile(
        self, request: risk_profile_update_pb2.GetFirmRiskProfileRequest, context: Context
    ) -> risk_profile_update_pb2.GetFirmRiskProfileResponse:
        profile, state = await self._desk.firm()
        return risk_profile_update_pb2.GetFirmRiskProfileResponse(risk_profile=profile_message(profile, state))

    async def UpdateFirmRiskProfile(
        self, request: risk_profile_update_pb2.UpdateFirmRiskProfileRequest, context: Context
    ) -> risk_profile_update_pb2.UpdateFirmRiskProfileResponse:
        profile, state = await self._desk.update_firm_profile(
            profile_changes(request), actor_of(context), expected_version(request), request.reason
        )
        return risk_profile_update_pb2.UpdateFirmRiskProfileResponse(risk_profile=profile_message(profile, state))


def _cancels(request: Any) -> bool:
    """Whether open orders are to be canceled: yes, unless the request says no."""
    return bool(request.cancel_orders) if request.HasField("cancel_orders") else True
