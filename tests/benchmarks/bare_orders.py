"""How fast orders can be on this transport and this disk, when nothing is decided about them.

    python -m tests.benchmarks.bare_orders PORT DATABASE

DATABASE is a URL as `quantmesh serve` takes it. A request is checked against the contract, and written with all
that wait, by the store's own statements: a journal record and a row for each order, an audit record for each call.
Then it is answered, and the next commit has a second journal record for each order, as for a broker's word. There
are no rules, no accounts, no broker and no look at what an id stood for before.
"""

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import grpc
import uvloop
from sqlalchemy.engine import make_url

from adapters.persistence import tables
from adapters.persistence.database import Writer
from adapters.persistence.postgres import PostgresDatabase
from adapters.persistence.rows import Row
from adapters.persistence.sqlite import SqliteDatabase
from adapters.persistence.store import open_store
from application.trading.crowd import Crowd
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, CreateAccountResponse
from quantmesh.trading.v1.order_pb2 import ORDER_STATUS_PENDING_NEW, NewOrder, Order
from quantmesh.trading.v1.order_placement_pb2 import (
    PlacedOrder,
    PlaceOrderRequest,
    PlaceOrderResponse,
    PlaceOrdersRequest,
    PlaceOrdersResponse,
    PlaceOrdersResult,
)
from quantmesh.trading.v1.order_session_pb2 import (
    CommandDone,
    OrderSessionRequest,
    OrderSessionResponse,
    SessionOpened,
)
from server.interceptors.validation import first_violation
from tests.benchmarks.contract import ORDER_SESSION, path_of
from tests.benchmarks.echo_server import OPTIONS

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

_ACCOUNTS: Final = "quantmesh.trading.v1.AccountService"
_TIME: Final = 1_800_000_000_000_000
_PLACED, _ACCEPTED = b'{"type":"ORDER_PLACED"}', b'{"type":"ORDER_ACCEPTED"}'
_LONGEST_QUEUE: Final = 256
_SWITCH_SECONDS: Final = 0.0005


class _Call(NamedTuple):
    """What waits for a commit; the answer is the orders."""

    account_id: str
    orders: Sequence[NewOrder]
    request: bytes
    answer: asyncio.Future[list[Order]]


class _Written(NamedTuple):
    order: Order
    body: bytes


class Committer:
    """Writes what came since the last commit, and the second record of what that one wrote."""

    def __init__(self, writer: Writer, epoch: int) -> None:
        self._writer, self._epoch = writer, epoch
        self._crowd = Crowd()
        self._waiting: list[_Call] = []
        self._sequences: Counter[str] = Counter()
        self._ids = 0
        self._wanted = asyncio.Event()

    def place(self, account_id: str, orders: Sequence[NewOrder], request: bytes) -> asyncio.Future[list[Order]]:
        answer: asyncio.Future[list[Order]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(account_id, orders, request, answer))
        self._crowd.came()
        self._wanted.set()
        return answer

    async def run(self) -> None:
        unacknowledged: list[_Written] = []
        while True:
            await self._wanted.wait()
            await self._crowd.gathered()
            self._wanted.clear()
            calls, self._waiting = self._waiting, []
            placed = [[self._new(call.account_id, order) for order in call.orders] for call in calls]
            new = [order for orders in placed for order in orders]
            await self._commit(calls, new, unacknowledged)
            for call, orders in zip(calls, placed, strict=True):
                call.answer.set_result([written.order for written in orders])
            self._crowd.answered(len(calls))
            unacknowledged = new
            if unacknowledged:
                self._wanted.set()

    async def _commit(self, calls: list[_Call], new: list[_Written], acknowledged: list[_Written]) -> None:
        events = [*self._events(new, _PLACED), *self._events(acknowledged, _ACCEPTED)]
        rows = [*(_row(each, "PENDING_NEW") for each in new), *(_row(each, "NEW") for each in acknowledged)]
        audit = [self._record(call) for call in calls]
        written = ((tables.journal, events), (tables.orders, rows), (tables.audit_records, audit))
        await self._writer.write(self._epoch, [(table, rows) for table, rows in written if rows])

    def _new(self, account_id: str, new: NewOrder) -> _Written:
        order = Order(
            order_id=self._id(),
            account_id=account_id,
            client_order_id=new.client_order_id,
            symbol=new.symbol,
            side=new.side,
            quantity=new.quantity,
            limit=new.limit,
            time_in_force=new.time_in_force,
            status=ORDER_STATUS_PENDING_NEW,
        )
        return _Written(order, order.SerializeToString())

    def _id(self) -> str:
        self._ids += 1
        return f"{self._ids:026}"

    def _events(self, written: Iterable[_Written], body: bytes) -> list[Row]:
        return [(*self._next(each.order.account_id), each.order.order_id, body, each.body) for each in written]

    def _next(self, account_id: str) -> tuple[str, int]:
        self._sequences[account_id] += 1
        return account_id, self._sequences[account_id]

    def _record(self, call: _Call) -> Row:
        return self._id(), _TIME, call.account_id, "user:benchmark", "PlaceOrder", "ALLOWED", call.request


def _row(written: _Written, status: str) -> Row:
    order = written.order
    keys = order.account_id, order.order_id, order.client_order_id, int(order.order_id), _TIME
    return (*keys, order.symbol, "BUY", status, None, None, True, written.body)


class Orders(grpc.GenericRpcHandler):
    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        unary = grpc.unary_unary_rpc_method_handler
        self._handlers = {
            path_of("CreateAccount", _ACCOUNTS): unary(
                _created, CreateAccountRequest.FromString, CreateAccountResponse.SerializeToString
            ),
            path_of("PlaceOrder"): unary(
                self._place, PlaceOrderRequest.FromString, PlaceOrderResponse.SerializeToString
            ),
            path_of("PlaceOrders"): unary(
                self._place_all, PlaceOrdersRequest.FromString, PlaceOrdersResponse.SerializeToString
            ),
            ORDER_SESSION: grpc.stream_stream_rpc_method_handler(
                self._talk, OrderSessionRequest.FromString, OrderSessionResponse.SerializeToString
            ),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)

    async def _place(self, request: PlaceOrderRequest, _: "Context") -> PlaceOrderResponse:
        _check(request)
        [order] = await self._committer.place(request.account_id, [request.order], request.SerializeToString())
        return PlaceOrderResponse(order=order, sequence=1)

    async def _place_all(self, request: PlaceOrdersRequest, _: "Context") -> PlaceOrdersResponse:
        _check(request)
        orders = await self._committer.place(request.account_id, request.orders, request.SerializeToString())
        return PlaceOrdersResponse(
            results=[
                PlaceOrdersResult(index=index, placed=PlacedOrder(order=order, sequence=1))
                for index, order in enumerate(orders)
            ]
        )

    async def _talk(self, requests: AsyncIterator[OrderSessionRequest], context: "Context") -> None:
        """Commands are committed as they come; another task answers them in turn."""
        account_id = (await anext(requests)).open.account_id
        await context.write(OrderSessionResponse(opened=SessionOpened(session_id="bare")))
        placed: asyncio.Queue[tuple[str, asyncio.Future[list[Order]]]] = asyncio.Queue(_LONGEST_QUEUE)
        answering = asyncio.create_task(_answer(placed, context))
        try:
            async for request in requests:
                _check(request)
                answer = self._committer.place(account_id, [request.place.order], request.SerializeToString())
                await placed.put((request.command_id, answer))
        finally:
            answering.cancel()


async def _answer(placed: asyncio.Queue[tuple[str, asyncio.Future[list[Order]]]], context: "Context") -> None:
    while True:
        command_id, answer = await placed.get()
        [order] = await answer
        await context.write(OrderSessionResponse(command_id=command_id, done=CommandDone(order=order, sequence=1)))


async def _created(_request: CreateAccountRequest, _: "Context") -> CreateAccountResponse:
    return CreateAccountResponse()


def _check(request: Any) -> None:
    if first_violation(request, fail_fast=True):
        raise ValueError("the benchmark sends what the contract forbids")


async def _writer(url: str) -> Writer:
    await (await open_store(url)).close()  # which has made the tables
    parsed = make_url(url)
    if parsed.drivername == "sqlite":
        return SqliteDatabase(Path(parsed.database or ""), lambda point: None).writer
    return PostgresDatabase(url, lambda point: None).writer


async def main(port: str, url: str) -> None:
    # As server/process.py has them.
    sys.setswitchinterval(_SWITCH_SECONDS)
    writer = await _writer(url)
    committer = Committer(writer, await writer.take_over())
    committing = asyncio.create_task(committer.run())
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((Orders(committer),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    await committing  # which never ends


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
