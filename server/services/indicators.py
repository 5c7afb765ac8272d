"""The RPCs of MarketDataService that are about indicators."""

import asyncio
from typing import Final

from application.market_data.indicator_desk import IndicatorDesk
from application.market_data.market import Market
from application.market_data.queries.compute_indicator_query import ComputeIndicator, IndicatorRows
from application.market_data.queries.list_indicators_query import ListIndicators
from application.ports.indicators import Indicators
from quantmesh.marketdata.v1 import indicator_pb2, indicator_query_pb2
from server.interceptors.handlers import Context
from server.mapping.common import from_optional_timestamp
from server.mapping.indicators import from_inputs, from_parameters, to_indicator, to_row
from server.mapping.instruments import ADJUSTMENT_OF, INTERVAL_OF
from server.paging import page_of
from server.services.market_data_queries import bars_place

_SIZE: Final = 1_000
_ROWS_A_TURN: Final = 250


class IndicatorQueries:
    def __init__(self, market: Market, indicators: Indicators) -> None:
        self._market = market
        self._desk = IndicatorDesk(indicators)

    async def ListIndicators(
        self, request: indicator_query_pb2.ListIndicatorsRequest, context: Context
    ) -> indicator_query_pb2.ListIndicatorsResponse:
        page = page_of(request)._replace(size=request.page_size or _SIZE)
        query = ListIndicators(limit=page.fetch, after=page.key, text=request.query, group=request.group)
        found, next_page_token = page.cut(await query.answer(self._desk), lambda one: one.name)
        return indicator_query_pb2.ListIndicatorsResponse(
            indicators=map(to_indicator, found), next_page_token=next_page_token
        )

    async def ComputeIndicator(
        self, request: indicator_query_pb2.ComputeIndicatorRequest, context: Context
    ) -> indicator_query_pb2.ComputeIndicatorResponse:
        page = page_of(request)._replace(size=request.page_size or _SIZE)
        query = ComputeIndicator(
            symbol=request.symbol,
            interval=INTERVAL_OF[request.interval],
            indicator=request.indicator,
            size=page.size,
            parameters=from_parameters(request.parameters),
            inputs=from_inputs(request.inputs),
            start=from_optional_timestamp(request, "start_time"),
            end=from_optional_timestamp(request, "end_time"),
            place=bars_place(page.key),
            provider=request.provider,
            adjustment=ADJUSTMENT_OF[request.adjustment],
            extended_hours=request.extended_hours,
        )
        found = await query.answer(self._market, self._desk)
        _, next_page_token = page.cut(found.bars, lambda bar: f"{bar.open_time.isoformat()}/{found.end.isoformat()}")
        return indicator_query_pb2.ComputeIndicatorResponse(
            outputs=found.outputs,
            rows=await _rows(found),
            next_page_token=next_page_token,
            warm_up_bars=found.warm_up,
        )


async def _rows(found: IndicatorRows) -> list[indicator_pb2.IndicatorRow]:
    """The rows as messages, made in parts: others want to be served as well."""
    made: list[indicator_pb2.IndicatorRow] = []
    for first in range(0, len(found.values), _ROWS_A_TURN):
        values = found.values[first : first + _ROWS_A_TURN]
        made += map(to_row, found.bars[first : first + len(values)], values)
        await asyncio.sleep(0)
    return made
