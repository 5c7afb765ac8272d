"""The RPCs of MarketDataService that answer once."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from application.market_data.market import Market
from application.market_data.queries.get_instrument_query import GetInstrument
from application.market_data.queries.get_order_book_query import GetOrderBook
from application.market_data.queries.get_quote_query import BatchGetQuotes, GetQuote, QuoteFound
from application.market_data.queries.list_bars_query import BarsPlace, ListBars
from application.market_data.queries.list_instruments_query import ListInstruments
from application.market_data.queries.list_providers_query import ListProviders
from application.market_data.queries.search_instruments_query import SearchInstruments
from quantmesh.marketdata.v1 import (
    instrument_query_pb2,
    market_data_query_pb2,
    provider_pb2,
    quote_pb2,
)
from server.interceptors.handlers import Context
from server.mapping.common import from_optional_timestamp
from server.mapping.instruments import ADJUSTMENT_OF, ASSET_CLASS_OF, INTERVAL_OF, STATUS_OF, to_instrument, to_provider
from server.mapping.market_data import add_bars, to_failure, to_gap, to_order_book, to_quote
from server.paging import InvalidPageToken, page_of

_SEARCH_SIZE: Final = 50
_BARS_SIZE: Final = 1_000
_BARS_A_TURN: Final = 250


class MarketDataQueries:
    def __init__(self, market: Market) -> None:
        self._market = market

    async def SearchInstruments(
        self, request: instrument_query_pb2.SearchInstrumentsRequest, context: Context
    ) -> instrument_query_pb2.SearchInstrumentsResponse:
        page = page_of(request)._replace(size=request.page_size or _SEARCH_SIZE)
        if not _can_match(request.asset_class):
            return instrument_query_pb2.SearchInstrumentsResponse()
        query = SearchInstruments(
            text=request.query,
            limit=page.fetch,
            after=page.key,
            asset_class=ASSET_CLASS_OF.get(request.asset_class),
            provider=request.provider,
        )
        found = await query.answer(self._market)
        views, next_page_token = page.cut(found, lambda view: query.place(view.instrument))
        return instrument_query_pb2.SearchInstrumentsResponse(
            instruments=map(to_instrument, views), next_page_token=next_page_token
        )

    async def GetInstrument(
        self, request: instrument_query_pb2.GetInstrumentRequest, context: Context
    ) -> instrument_query_pb2.GetInstrumentResponse:
        view = await GetInstrument(request.symbol, request.provider).answer(self._market)
        return instrument_query_pb2.GetInstrumentResponse(instrument=to_instrument(view))

    async def ListInstruments(
        self, request: instrument_query_pb2.ListInstrumentsRequest, context: Context
    ) -> instrument_query_pb2.ListInstrumentsResponse:
        page = page_of(request)
        if not _can_match(request.asset_class) or (request.status and request.status not in STATUS_OF):
            return instrument_query_pb2.ListInstrumentsResponse()
        query = ListInstruments(
            limit=page.fetch,
            after=page.key,
            asset_class=ASSET_CLASS_OF.get(request.asset_class),
            currency=request.currency,
            venue=request.venue,
            sector=request.sector,
            status=STATUS_OF.get(request.status),
            provider=request.provider,
        )
        views, next_page_token = page.cut(await query.answer(self._market), lambda view: view.instrument.symbol)
        return instrument_query_pb2.ListInstrumentsResponse(
            instruments=map(to_instrument, views), next_page_token=next_page_token
        )

    async def GetQuote(
        self, request: market_data_query_pb2.GetQuoteRequest, context: Context
    ) -> market_data_query_pb2.GetQuoteResponse:
        found = await GetQuote(request.symbol, request.provider, _max_age(request)).answer(self._market)
        return market_data_query_pb2.GetQuoteResponse(quote=_quote(found))

    async def BatchGetQuotes(
        self, request: market_data_query_pb2.BatchGetQuotesRequest, context: Context
    ) -> market_data_query_pb2.BatchGetQuotesResponse:
        query = BatchGetQuotes(tuple(request.symbols), request.provider, _max_age(request))
        found = await query.answer(self._market)
        return market_data_query_pb2.BatchGetQuotesResponse(
            quotes=map(_quote, found.quotes),
            failures=[to_failure(symbol, error) for symbol, error in found.failures],
        )

    async def GetOrderBook(
        self, request: market_data_query_pb2.GetOrderBookRequest, context: Context
    ) -> market_data_query_pb2.GetOrderBookResponse:
        found = await GetOrderBook(request.symbol, request.depth, request.provider).answer(self._market)
        received = self._market.clock.now()
        return market_data_query_pb2.GetOrderBookResponse(
            order_book=to_order_book(found.book, found.provider, received=received)
        )

    async def ListBars(
        self, request: market_data_query_pb2.ListBarsRequest, context: Context
    ) -> market_data_query_pb2.ListBarsResponse:
        page = page_of(request)._replace(size=request.page_size or _BARS_SIZE)
        query = ListBars(
            symbol=request.symbol,
            interval=INTERVAL_OF[request.interval],
            size=page.size,
            start=from_optional_timestamp(request, "start_time"),
            end=from_optional_timestamp(request, "end_time"),
            place=bars_place(page.key),
            provider=request.provider,
            adjustment=ADJUSTMENT_OF[request.adjustment],
            extended_hours=request.extended_hours,
        )
        found = await query.answer(self._market)
        bars, next_page_token = page.cut(found.bars, lambda bar: f"{bar.open_time.isoformat()}/{found.end.isoformat()}")
        response = market_data_query_pb2.ListBarsResponse(next_page_token=next_page_token, gaps=map(to_gap, found.gaps))
        # In parts: others want to be served as well.
        for first in range(0, len(bars), _BARS_A_TURN):
            add_bars(response.bars, bars[first : first + _BARS_A_TURN], found.provider)
            await asyncio.sleep(0)
        return response

    async def ListProviders(
        self, request: provider_pb2.ListProvidersRequest, context: Context
    ) -> provider_pb2.ListProvidersResponse:
        views = ListProviders().answer(self._market)
        return provider_pb2.ListProvidersResponse(providers=map(to_provider, views))


def _quote(found: QuoteFound) -> quote_pb2.Quote:
    return to_quote(found.quote, found.provider, received=found.received_time)


def _can_match(asset_class: int) -> bool:
    """Whether there can be such an instrument: the contract has more classes than the domain."""
    return not asset_class or asset_class in ASSET_CLASS_OF


def _max_age(request: Any) -> timedelta | None:
    if not request.HasField("max_age"):
        return None
    age = request.max_age
    return timedelta(seconds=age.seconds, microseconds=age.nanos / 1_000)


def bars_place(key: str) -> BarsPlace | None:
    """Where a page of bars ended, by the key of its token; raises InvalidPageToken for one that is none."""
    if not key:
        return None
    try:
        after, end = (datetime.fromisoformat(part).astimezone(UTC) for part in key.split("/"))
    except ValueError:
        raise InvalidPageToken from None
    return BarsPlace(after, end)
