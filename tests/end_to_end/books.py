"""What an account's server says about it, read whole over the wire once nothing is open any more."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from quantmesh.marketdata.v1.instrument_query_pb2 import GetInstrumentRequest
from quantmesh.trading.v1.account_service_pb2 import GetPortfolioRequest
from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_change_pb2 import CancelOrdersRequest
from quantmesh.trading.v1.order_event_pb2 import OrderEvent
from quantmesh.trading.v1.order_pb2 import (
    ORDER_STATUS_PENDING_CANCEL,
    ORDER_STATUS_PENDING_NEW,
    ORDER_STATUS_PENDING_REPLACE,
    ORDER_STATUS_UNKNOWN,
    Order,
)
from quantmesh.trading.v1.order_query_pb2 import (
    ListFillsRequest,
    ListOrderEventsRequest,
    ListOrdersRequest,
)
from quantmesh.trading.v1.portfolio_pb2 import Portfolio
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_OLDEST_FIRST
from tests.support.server import Client

SETTLE_SECONDS: Final = 20.0
_LOOK_SECONDS: Final = 0.1
_PAGE: Final = 700
_BROKER_OWES: Final = (
    ORDER_STATUS_PENDING_NEW,
    ORDER_STATUS_UNKNOWN,
    ORDER_STATUS_PENDING_CANCEL,
    ORDER_STATUS_PENDING_REPLACE,
)


@dataclass(frozen=True, slots=True)
class Books:
    """All lists oldest first. `currencies`: that of each symbol that was traded."""

    events: list[OrderEvent]
    orders: list[Order]
    fills: list[Fill]
    portfolio: Portfolio
    currencies: dict[str, str]


async def close_all(client: Client, account_id: str) -> None:
    """Let the broker answer all that it still owes an answer to, then cancel what is open."""

    async def nothing_owed() -> bool:
        request = ListOrdersRequest(account_id=account_id, statuses=_BROKER_OWES)
        return all(order.held for order in await read_all(client.orders.ListOrders, request, "orders"))

    async def nothing_open() -> bool:
        await client.orders.CancelOrders(CancelOrdersRequest(account_id=account_id))
        request = ListOrdersRequest(account_id=account_id, open_only=True)
        return not await read_all(client.orders.ListOrders, request, "orders")

    await eventually(nothing_owed, "the broker was not heard about every order")
    await eventually(nothing_open, "not every order could be canceled")


async def read_books(client: Client, account_id: str) -> Books:
    orders = ListOrdersRequest(account_id=account_id, order_by=SORT_ORDER_OLDEST_FIRST)
    fills = ListFillsRequest(account_id=account_id, order_by=SORT_ORDER_OLDEST_FIRST)
    events = ListOrderEventsRequest(account_id=account_id)
    all_fills = await read_all(client.orders.ListFills, fills, "fills")
    portfolio = (await client.accounts.GetPortfolio(GetPortfolioRequest(account_id=account_id))).portfolio
    currencies = {}
    for symbol in {fill.symbol for fill in all_fills}:
        currencies[symbol] = (
            await client.market.GetInstrument(GetInstrumentRequest(symbol=symbol))
        ).instrument.currency
    return Books(
        await read_all(client.orders.ListOrderEvents, events, "events"),
        await read_all(client.orders.ListOrders, orders, "orders"),
        all_fills,
        portfolio,
        currencies,
    )


async def read_all(
    method: Callable[[Any], Awaitable[Any]], request: Any, name: str, page_size: int = _PAGE
) -> list[Any]:
    """Everything that a list has, page by page; `name` is its field in the answers."""
    request.page_size = page_size
    items: list[Any] = []
    while True:
        answer = await method(request)
        items += getattr(answer, name)
        if not answer.next_page_token:
            return items
        request.page_token = answer.next_page_token


async def eventually(holds: Callable[[], Awaitable[bool]], otherwise: str, seconds: float = SETTLE_SECONDS) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not await holds():
        assert asyncio.get_running_loop().time() < deadline, otherwise
        await asyncio.sleep(_LOOK_SECONDS)
