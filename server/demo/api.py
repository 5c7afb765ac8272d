"""The services that the demo calls, and the lists that it reads whole."""

from collections.abc import Iterable, Sequence

import grpc

from quantmesh.marketdata.v1.instrument_pb2 import Instrument
from quantmesh.marketdata.v1.instrument_query_pb2 import GetInstrumentRequest
from quantmesh.marketdata.v1.market_data_query_pb2 import BatchGetQuotesRequest
from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from quantmesh.marketdata.v1.quote_pb2 import Quote
from quantmesh.trading.v1.account_service_pb2 import GetPortfolioRequest, ListPositionsRequest
from quantmesh.trading.v1.account_service_pb2_grpc import AccountServiceStub
from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_pb2 import Order
from quantmesh.trading.v1.order_query_pb2 import ListFillsRequest, ListOrdersRequest
from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from quantmesh.trading.v1.portfolio_pb2 import Portfolio, Position
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_OLDEST_FIRST
from server.demo.failures import DemoFailed, read_status

_PAGE = 50


class Api:
    """The generated stubs over one channel. Lists come oldest first."""

    def __init__(self, channel: grpc.aio.Channel, account_id: str) -> None:
        self.account_id = account_id
        self.orders = OrderServiceStub(channel)
        self.accounts = AccountServiceStub(channel)
        self.market = MarketDataServiceStub(channel)

    async def instruments(self, symbols: Iterable[str]) -> dict[str, Instrument]:
        requests = {symbol: GetInstrumentRequest(symbol=symbol) for symbol in symbols}
        return {symbol: (await self.market.GetInstrument(request)).instrument for symbol, request in requests.items()}

    async def quotes(self, symbols: Iterable[str]) -> Sequence[Quote]:
        answer = await self.market.BatchGetQuotes(BatchGetQuotesRequest(symbols=symbols))
        for failure in answer.failures:
            raise DemoFailed(f"no quote of {failure.symbol}: {read_status(failure.status)}")
        return answer.quotes

    async def list_fills(self) -> list[Fill]:
        request = ListFillsRequest(account_id=self.account_id, order_by=SORT_ORDER_OLDEST_FIRST, page_size=_PAGE)
        fills: list[Fill] = []
        while True:
            page = await self.orders.ListFills(request)
            fills += page.fills
            if not page.next_page_token:
                return fills
            request.page_token = page.next_page_token

    async def list_orders(self, *, open_only: bool = False) -> list[Order]:
        request = ListOrdersRequest(
            account_id=self.account_id, open_only=open_only, order_by=SORT_ORDER_OLDEST_FIRST, page_size=_PAGE
        )
        orders: list[Order] = []
        while True:
            page = await self.orders.ListOrders(request)
            orders += page.orders
            if not page.next_page_token:
                return orders
            request.page_token = page.next_page_token

    async def positions(self) -> Sequence[Position]:
        """Those that are flat by now as well. A trader of two dozen symbols needs one page."""
        request = ListPositionsRequest(account_id=self.account_id, include_flat=True, page_size=1000)
        return (await self.accounts.ListPositions(request)).positions

    async def portfolio(self) -> Portfolio:
        return (await self.accounts.GetPortfolio(GetPortfolioRequest(account_id=self.account_id))).portfolio
