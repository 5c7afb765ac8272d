"""Callers who trade as many at once do, and who remember every request and every answer."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from quantmesh.marketdata.v1.market_data_query_pb2 import BatchGetQuotesRequest
from quantmesh.marketdata.v1.quote_pb2 import Quote
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_change_pb2 import CancelOrderRequest, CancelOrdersRequest, ReplaceOrderRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import (
    BracketGroup,
    OcoGroup,
    OtoGroup,
    PlaceOrderGroupRequest,
    PlaceOrderRequest,
    PlaceOrderResponse,
    PlaceOrdersRequest,
)
from quantmesh.trading.v1.order_session_pb2 import OpenSession, OrderSessionRequest, OrderSessionResponse, PlaceCommand
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL, Side
from quantmesh.type.v1.time_in_force_pb2 import (
    TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTC,
    TIME_IN_FORCE_IOC,
)
from tests.support.errors import refusal
from tests.support.server import Client

STARTING_CASH: Final = "1000000000"
CALLERS: Final = 6
_SESSION_AHEAD: Final = 5

# Several currencies, tick sizes and lots: symbol, lot and tick.
_LISTED: Final = (
    ("AAPL", "1", "0.01"),
    ("TSLA", "1", "0.01"),
    ("SAP", "1", "0.01"),
    ("BTC/USD", "0.00001", "0.01"),
    ("EUR/USD", "1000", "0.00001"),
)


@dataclass
class Sent:
    """One request that places orders. Without `answer` and `refused` nobody knows what came of it."""

    method: str
    request: Any
    answer: Any = None
    refused: Status | None = None

    @property
    def client_order_ids(self) -> list[str]:
        return [order.client_order_id for order in orders_of(self.request)]


def orders_of(request: Any) -> list[NewOrder]:
    """The orders that a request would place."""
    if isinstance(request, PlaceOrderRequest):
        return [request.order]
    if isinstance(request, PlaceOrdersRequest):
        return list(request.orders)
    group = getattr(request, request.WhichOneof("group"))
    if isinstance(group, OcoGroup):
        return list(group.orders)
    if isinstance(group, OtoGroup):
        return [group.parent, *group.children]
    return [group.entry, group.take_profit, group.stop_loss]


class _Market(NamedTuple):
    symbol: str
    lot: Decimal
    tick: Decimal
    quote: Quote

    def price(self, percent_away: float) -> str:
        """So much above (below, if negative) the bid, on the tick."""
        wanted = Decimal(self.quote.bid_price) * (1 + Decimal(str(percent_away)) / 100)
        return f"{wanted // self.tick * self.tick:f}"


class Traders:
    """All who trade in one account. `sent` is what they remember."""

    def __init__(self, account_id: str, seed: int = 1) -> None:
        self.account_id = account_id
        self.sent: list[Sent] = []
        self._random = random.Random(seed)
        self._next_id = 0
        self._markets: list[_Market] = []

    async def open_account(self, client: Client) -> None:
        await client.accounts.CreateAccount(
            CreateAccountRequest(
                account_id=self.account_id, broker="paper", base_currency="USD", starting_cash=STARTING_CASH
            )
        )
        symbols = [symbol for symbol, _, _ in _LISTED]
        quotes = (await client.market.BatchGetQuotes(BatchGetQuotesRequest(symbols=symbols))).quotes
        self._markets = [
            _Market(symbol, Decimal(lot), Decimal(tick), quote)
            for (symbol, lot, tick), quote in zip(_LISTED, quotes, strict=True)
        ]

    async def trade(self, client: Client, steps: int | None = None) -> None:
        """Each of the callers takes so many steps, or goes on until the server is gone."""
        callers = [self._call(client, steps) for _ in range(CALLERS)]
        await asyncio.gather(*callers, self._hold_session(client, steps))

    @property
    def acknowledged(self) -> int:
        return sum(one.answer is not None for one in self.sent)

    @property
    def unanswered(self) -> int:
        return sum(one.answer is None and one.refused is None for one in self.sent)

    # -- one caller -----------------------------------------------------------------------------------

    async def _call(self, client: Client, steps: int | None) -> None:
        taken = 0
        while steps is None or taken < steps:
            taken += 1
            try:
                await self._random.choices(_STEPS, _WEIGHTS)[0](self, client)
            except grpc.aio.AioRpcError as error:
                if is_gone(error):
                    return
                raise

    async def _send(self, client: Client, method: str, request: Any) -> None:
        one = Sent(method, request)
        self.sent.append(one)
        try:
            one.answer = await getattr(client.orders, method)(request)
        except grpc.aio.AioRpcError as error:
            if is_gone(error):
                raise
            one.refused = refusal(error).status
            assert refusal(error).reason == "RISK_CHECK_FAILED", error

    async def place(self, client: Client) -> None:
        order = self._random.choice((self._market, self._limit, self._stop, self._at_once, self._refused))()
        await self._send(client, "PlaceOrder", PlaceOrderRequest(account_id=self.account_id, order=order))

    async def place_many(self, client: Client) -> None:
        orders = [self._limit(), self._market(), self._refused(), self._stop()]
        await self._send(client, "PlaceOrders", PlaceOrdersRequest(account_id=self.account_id, orders=orders))

    async def place_group(self, client: Client) -> None:
        group = self._random.choice((self._bracket, self._oco, self._oto))()
        await self._send(
            client, "PlaceOrderGroup", PlaceOrderGroupRequest(account_id=self.account_id, **group)
        )

    async def replace(self, client: Client) -> None:
        """Of whatever order: most have ended by then, which is no failure of the caller's."""
        known = self._some_client_order_id()
        if known:
            request = ReplaceOrderRequest(account_id=self.account_id, client_order_id=known, quantity="6000")
            await _unless_refused(client.orders.ReplaceOrder(request))

    async def cancel(self, client: Client) -> None:
        known = self._some_client_order_id()
        if known:
            request = CancelOrderRequest(account_id=self.account_id, client_order_id=known, reason="load")
            await _unless_refused(client.orders.CancelOrder(request))

    async def cancel_some(self, client: Client) -> None:
        symbol = self._random.choice(self._markets).symbol
        await client.orders.CancelOrders(CancelOrdersRequest(account_id=self.account_id, symbol=symbol))

    # -- a session ------------------------------------------------------------------------------------

    async def _hold_session(self, client: Client, steps: int | None) -> None:
        """Place orders over one stream, several of them ahead of their answers."""
        ahead = asyncio.Semaphore(_SESSION_AHEAD)
        waiting: list[Sent] = []

        async def commands() -> AsyncIterator[OrderSessionRequest]:
            yield OrderSessionRequest(command_id="open", open=OpenSession(account_id=self.account_id))
            taken = 0
            while steps is None or taken < steps:
                taken += 1
                await ahead.acquire()
                order = self._limit()
                one = Sent("PlaceOrder", PlaceOrderRequest(account_id=self.account_id, order=order))
                self.sent.append(one)
                waiting.append(one)
                yield OrderSessionRequest(command_id=order.client_order_id, place=PlaceCommand(order=order))

        call = client.orders.OrderSession(commands())
        try:
            async for answer in call:
                if answer.WhichOneof("answer") == "goodbye":
                    return
                if answer.WhichOneof("answer") == "opened":
                    continue
                _take_answer(waiting.pop(0), answer)
                ahead.release()
                if steps is not None and not waiting and ahead._value == _SESSION_AHEAD:
                    pass
        except grpc.aio.AioRpcError as error:
            if not is_gone(error):
                raise

    # -- orders ---------------------------------------------------------------------------------------

    def _order(self, market: _Market, side: Side.ValueType | None = None, lots: int = 0, **terms: Any) -> NewOrder:
        self._next_id += 1
        quantity = market.lot * (lots or self._random.randint(1, 400))
        return NewOrder(
            client_order_id=f"c-{self._next_id}",
            symbol=market.symbol,
            side=side or self._random.choice((SIDE_BUY, SIDE_SELL)),
            quantity=f"{quantity:f}",
            **{"time_in_force": TIME_IN_FORCE_GTC, **terms},
        )

    def _any_market(self) -> _Market:
        return self._random.choice(self._markets)

    def _market(self) -> NewOrder:
        return self._order(self._any_market(), market={}, time_in_force=TIME_IN_FORCE_DAY)
