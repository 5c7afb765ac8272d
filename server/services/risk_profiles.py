"""The limits of an account, and what they say about an order."""

from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from application.risk.queries.check_order_query import CheckOrder
from application.risk.queries.get_risk_profile_query import GetRiskProfile
from application.trading.trading_engine import TradingEngine
from quantmesh.risk.v1 import order_check_pb2, risk_profile_pb2, risk_profile_update_pb2
from server.interceptors.handlers import Context
from server.mapping.common import actor_of
from server.mapping.orders import expected_version, order_terms
from server.mapping.risk import margin_message, profile_changes, profile_message, rule_message


class RiskProfiles:
    """GetRiskProfile, UpdateRiskProfile and CheckOrder."""

    def __init__(self, engine: TradingEngine) -> None:
        self._engine = engine

    async def GetRiskProfile(
        self, request: risk_profile_pb2.GetRiskProfileRequest, context: Context
    ) -> risk_profile_pb2.GetRiskProfileResponse:
        view = await self._engine.execute(GetRiskProfile(request.account_id, actor_of(context)))
        return risk_profile_pb2.GetRiskProfileResponse(
            risk_profile=profile_message(view.own, view.trading_state),
            effective_risk_profile=profile_message(view.effective, view.trading_state),
        )

    async def UpdateRiskProfile(
        self, request: risk_profile_update_pb2.UpdateRiskProfileRequest, context: Context
    ) -> risk_profile_update_pb2.UpdateRiskProfileResponse:
        self._engine.writer(request.account_id)
        command = UpdateRiskProfile(
            request.account_id, actor_of(context), profile_changes(request), expected_version(request), request.reason
        )
        updated = await self._engine.execute(command)
        return risk_profile_update_pb2.UpdateRiskProfileResponse(
            risk_profile=profile_message(updated.profile, updated.trading_state), sequence=updated.sequence
        )

    async def CheckOrder(
        self, request: order_check_pb2.CheckOrderRequest, context: Context
    ) -> order_check_pb2.CheckOrderResponse:
        command = CheckOrder(request.account_id, actor_of(context), order_terms(request.order))
        checked = await self._engine.execute(command)
        return order_check_pb2.CheckOrderResponse(
            passed=checked.check.passed,
            results=map(rule_message, checked.check.results),
            margin=margin_message(checked.check),
            sequence=checked.sequence,
        )
