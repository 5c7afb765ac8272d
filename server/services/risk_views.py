"""How large a position may be, and what is at risk."""

from typing import Final

from application.market_data.market import Market
from application.risk.queries.get_exposure_query import GetExposure, GetExposureHandler
from application.risk.queries.size_position_query import SizePositionHandler
from application.trading.trading_engine import TradingEngine
from quantmesh.risk.v1 import exposure_pb2, position_sizing_pb2
from server.interceptors.handlers import Context
from server.mapping.common import actor_of
from server.mapping.exposure import exposure_message
from server.mapping.sizing import size_message, size_position

_CURRENCY_OF_ALL: Final = "USD"


class RiskViews:
    """The RPCs of RiskService that work something out. Nothing is placed, recorded or reserved."""

    def __init__(self, engine: TradingEngine, market: Market) -> None:
        self._size_position = SizePositionHandler(engine, market)
        self._exposures = GetExposureHandler(engine, market.clock)

    async def SizePosition(
        self, request: position_sizing_pb2.SizePositionRequest, context: Context
    ) -> position_sizing_pb2.SizePositionResponse:
        return size_message(await self._size_position(size_position(request, actor_of(context))))

    async def GetExposure(
        self, request: exposure_pb2.GetExposureRequest, context: Context
    ) -> exposure_pb2.GetExposureResponse:
        actor = actor_of(context)
        if request.account_id:
            view = await self._exposures.of_account(GetExposure(request.account_id, actor, request.currency))
        else:
            view = await self._exposures.of_all(actor, request.currency or _CURRENCY_OF_ALL)
        return exposure_pb2.GetExposureResponse(exposure=exposure_message(view))
