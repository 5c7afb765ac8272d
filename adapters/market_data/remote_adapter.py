"""Market data of another quantmesh, for a process that does not serve them itself: asked by the contract's stub."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final

from adapters.market_data.remote_failures import failure, making_sense, nonsense
from adapters.market_data.remote_messages import (
    ADJUSTMENTS,
    INTERVALS,
    bar_of,
    instrument_of,
    invalid_of,
    order_book_of,
    quote_of,
    timestamp,
)
from adapters.market_data.remote_server import RemoteServer
from adapters.market_data.remote_settings import NAME, RemoteSettings
from adapters.market_data.remote_streams import BARS, ORDER_BOOKS, QUOTES, TRADES, RemoteStreams
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars, Subscribed
from domain.errors import PreconditionFailed
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade
from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2
from quantmesh.marketdata.v1.instrument_query_pb2 import GetInstrumentRequest, ListInstrumentsRequest
from quantmesh.marketdata.v1.market_data_query_pb2 import (
    BatchGetQuotesRequest,
    BatchGetQuotesResponse,
    GetOrderBookRequest,
    ListBarsRequest,
)

_EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2099, 12, 31, tzinfo=UTC)
_MOST_QUOTES: Final = 1_000
_INSTRUMENTS_A_PAGE: Final = 1_000
_BARS_A_PAGE: Final = 5_000
_BARS_A_TURN: Final = 100
_MOST_KEPT: Final = 50_000


class RemoteMarketData:
    """The provider "remote". Each request is one of the contract's; nothing is asked before that."""

    name = NAME

    def __init__(self, clock: Clock, settings: RemoteSettings) -> None:
        self.revision = f"1/{settings.address}"  # what one server has is not what another has
        self._clock = clock
        self._settings = settings
        self._server = RemoteServer(settings)
        self._streams = RemoteStreams(self._server, settings)
        self._kept: dict[str, tuple[datetime, Instrument]] = {}

    # -- on request ----------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        found: list[Instrument] = []
        # Without a status a server lists all but the delisted ones.
        for status in (instrument_pb2.INSTRUMENT_STATUS_UNSPECIFIED, instrument_pb2.INSTRUMENT_STATUS_DELISTED):
            request = ListInstrumentsRequest(status=status, page_size=_INSTRUMENTS_A_PAGE)
            async with aclosing(self._pages(self._server.stub.ListInstruments, request)) as pages:
                async for page in pages:
                    with making_sense():
                        found += filter(None, map(instrument_of, page.instruments))
        return sorted(found, key=lambda one: one.symbol)

    async def instrument(self, symbol: str) -> Instrument | None:
        now = self._clock.now()
        kept = self._kept.get(symbol)
        if kept is not None and now < kept[0]:
            return kept[1]
        self._kept.pop(symbol, None)
        request = GetInstrumentRequest(symbol=symbol)
        answer = await self._server.ask(self._server.stub.GetInstrument, request, self._settings.timeout_seconds)
        if answer is None:
            return None
        with making_sense():
            found = instrument_of(answer.instrument)
        if found is not None:
            self._keep(symbol, found, now)
        return found

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        """Left out is also what a provider of the server can have no quote of: it is no failure of the server, which
        has other providers for other symbols.
        """
        quotes: list[TopOfBook] = []
        rest = iter(dict.fromkeys(symbols))
        while some := tuple(islice(rest, _MOST_QUOTES)):
            request = BatchGetQuotesRequest(symbols=some)
            answer = await self._server.ask(self._server.stub.BatchGetQuotes, request, self._settings.timeout_seconds)
            if answer is None:
                raise nonsense()
            _raise_what_failed(answer)
            with making_sense():
                quotes += map(quote_of, answer.quotes)
        if not {quote.symbol for quote in quotes} <= set(symbols):
            raise nonsense()
        return quotes

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        request = GetOrderBookRequest(symbol=symbol, depth=depth)
        answer = await self._server.ask(self._server.stub.GetOrderBook, request, self._settings.timeout_seconds)
        if answer is None:
            return None
        with making_sense():
            return order_book_of(answer.order_book)

    async def bars(self, request: BarRequest) -> FetchedBars:
        bars: list[Bar] = []
        invalid: list[tuple[datetime, datetime]] = []
        asked = _list_bars(request)
        if asked is None:
            return FetchedBars(())
        async with aclosing(self._pages(self._server.stub.ListBars, asked)) as pages:
            async for page in pages:
                bars += await _bars(page.bars)
                with making_sense():
                    invalid += invalid_of(page.gaps)
                if len(bars) >= request.limit:
                    break
        _check(bars, request)
        return FetchedBars(bars[: request.limit], invalid)

    # -- live ----------------------------------------------------------------------------------------

    def quotes(self, symbols: Collection[str]) -> AsyncIterator[TopOfBook | Subscribed]:
        return self._streams.items(QUOTES, symbols)

    def trades(self, symbols: Collection[str]) -> AsyncIterator[Trade | Subscribed]:
        return self._streams.items(TRADES, symbols)

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncIterator[Bar | Subscribed]:
        return self._streams.items(BARS, symbols, interval=INTERVALS[interval])

    def order_books(self, symbol: str, depth: int) -> AsyncIterator[OrderBook | Subscribed]:
        return self._streams.items(ORDER_BOOKS, (symbol,), depth=depth)

    async def close(self) -> None:
        await self._server.close()

    # -- asking --------------------------------------------------------------------------------------

    async def _pages(self, method: Any, request: Any) -> AsyncGenerator[Any, None]:
        """The pages of a list; none where there is no such instrument. `request` is changed."""
        while True:
            page: Any = await self._server.ask(method, request, self._settings.bars_timeout_seconds)
            if page is None:
                return
            yield page
            if not page.next_page_token:
                return
            if page.next_page_token == request.page_token:
                raise nonsense()  # it would go on for ever
            request.page_token = page.next_page_token

    def _keep(self, symbol: str, found: Instrument, now: datetime) -> None:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[symbol] = (now + timedelta(seconds=self._settings.instrument_seconds), found)


def _raise_what_failed(answer: BatchGetQuotesResponse) -> None:
    """Raises for the first symbol of which there may well be a quote, only not now."""
    for one in answer.failures:
        error = failure(one.status)
        if error is not None and not isinstance(error, PreconditionFailed):
            raise error


def _list_bars(request: BarRequest) -> ListBarsRequest | None:
    """None for a time of which the contract knows nothing."""
    start, end = max(request.start, _EARLIEST), min(request.end, _LATEST)
    if start >= end or request.limit <= 0:
        return None
    return ListBarsRequest(
        symbol=request.symbol,
        interval=INTERVALS[request.interval],
        start_time=timestamp(start),
        end_time=timestamp(end),
        page_size=min(request.limit, _BARS_A_PAGE),
        adjustment=ADJUSTMENTS[request.adjustment],
        extended_hours=request.extended_hours,
    )


async def _bars(messages: Sequence[bar_pb2.Bar]) -> list[Bar]:
    """In parts: who decides about an order meanwhile does not wait for all of them."""
    bars: list[Bar] = []
    for first in range(0, len(messages), _BARS_A_TURN):
        with making_sense():
            bars += map(bar_of, messages[first : first + _BARS_A_TURN])
        await asyncio.sleep(0)
    return bars


def _check(bars: Sequence[Bar], request: BarRequest) -> None:
    """Raises Unavailable for bars that nobody asked for, or out of order."""
    before: datetime | None = None
    for bar in bars:
        asked = bar.symbol == request.symbol and bar.interval is request.interval
        if not asked or not request.start <= bar.open_time < request.end or (before and bar.open_time <= before):
            raise nonsense()
        before = bar.open_time
