"""A whole server inside the test's process: real sockets, real stubs, the real engine on a store in memory.

`scripted` has a broker that says what the test tells it to, and quotes that stand still; `application` is what
`quantmesh serve` runs.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from adapters.clock import ManualClock
from adapters.ids import UlidGenerator
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import SimulationSettings
from adapters.persistence.store import Store, open_store
from application.risk.queries.get_risk_profile_query import GetRiskProfile
from application.risk.risk_desk import RiskDesk
from application.risk.supervisor import Supervisor
from application.trading.commands.create_account_command import CreateAccountHandler
from application.trading.request_watch import WatchSettings
from application.trading.trading_engine import TradingEngine
from domain.trading.aggregates.order import Order as DomainOrder
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from quantmesh.risk.v1 import risk_service_pb2
from quantmesh.trading.v1 import account_service_pb2, order_placement_pb2, order_query_pb2, order_service_pb2
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_pb2 import NewOrder, Order
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from quantmesh.type.v1.time_in_force_pb2 import TIME_IN_FORCE_GTC
from server.bootstrap import Application
from server.health import SERVING, HealthService
from server.interceptors.audit import Audit
from server.interceptors.tracking import Lifecycle
from server.services.account_service import AccountService
from server.services.order_service import OrderService
from server.services.risk_service import RiskService
from server.settings import load_settings
from server.transport import Transport
from tests.support.market import market_of, offer
from tests.support.server import Client
from tests.support.trading import START, D, ScriptedBroker, SetQuotes, instrument

ACCOUNT = "desk"
_SECONDS = 5.0


class Rig:
    """The parts of a running server, and stubs for it."""

    def __init__(self, store: Store) -> None:
        self.clock = ManualClock(START)
        self.quotes = SetQuotes(self.clock)
        self.broker = ScriptedBroker()
        self.lifecycle = Lifecycle()
        ids = UlidGenerator(self.clock, random.Random(1).randbytes)
        self.engine = TradingEngine(
            store.journal,
            store.orders,
            {self.broker.name: self.broker},
            self.quotes,
            self.clock,
            ids,
            WatchSettings(),
            lambda: None,
        )
        self.audit = Audit(self.engine.committer.write, self.clock, ids)
        self.desk = RiskDesk(self.engine, store.controls, self.engine.controls, self.clock, ids)
        self.supervisor = Supervisor(self.desk, self.clock)
        market = market_of(self.clock, offer(SimulatedMarketData(self.clock, SimulationSettings())))
        services = {
            _service(order_service_pb2, "OrderService"): OrderService(self.engine, ids, self.lifecycle, self.audit),
            _service(account_service_pb2, "AccountService"): AccountService(
                self.engine, CreateAccountHandler(self.engine, self.clock), self.lifecycle
            ),
            _service(risk_service_pb2, "RiskService"): RiskService(
                self.engine, self.desk, market, store.audit, self.lifecycle
            ),
        }
        self.health = HealthService([service.full_name for service in services])
        self.transport = Transport(("127.0.0.1", 0), services, self.lifecycle, self.health, None, self.audit)
        self.client: Client

    async def start(self) -> None:
        self.quotes.list(instrument("ACME"))
        self.quotes.list(instrument("BOLT"))
        self.quotes.set("ACME", "50")
        self.quotes.set("BOLT", "20")
        await self.engine.load()
        await self.desk.start()
        await self.engine.connect()
        self.supervisor.start()
        await self.transport.start()
        self.health.set(SERVING)

    async def stop(self) -> None:
        """As a shutdown goes."""
        self.health.stop()
        self.lifecycle.stop()
        self.engine.wake_streams()
        await self.lifecycle.drained(_SECONDS)
        await self.supervisor.stop()

    async def create(self, account_id: str = ACCOUNT, cash: str = "1000000") -> None:
        await self.client.accounts.CreateAccount(
            CreateAccountRequest(account_id=account_id, broker="scripted", base_currency="USD", starting_cash=cash)
        )

    async def place(self, client_order_id: str = "x", account_id: str = ACCOUNT, **more: Any) -> Order:
        request = order_placement_pb2.PlaceOrderRequest(account_id=account_id, order=limit(client_order_id, **more))
        return (await self.client.orders.PlaceOrder(request)).order

    async def order(self, client_order_id: str = "x", account_id: str = ACCOUNT) -> Order:
        request = order_query_pb2.GetOrderRequest(account_id=account_id, client_order_id=client_order_id)
        return (await self.client.orders.GetOrder(request)).order

    def tell(self, order: Order | DomainOrder, type: ExecType, **details: Any) -> None:
        """Have the broker report about `order`."""
        self.broker.sink(ExecutionReport(order.account_id, order.order_id, type, self.clock.now(), **details))

    def fill(self, order: Order, execution_id: str, quantity: str | int, price: str | int = 50) -> None:
        details = {"execution_id": execution_id, "quantity": D(quantity), "price": D(price), "fee": D("0.1")}
        self.tell(order, ExecType.TRADE, fee_currency="USD", **details)

    async def settled(self) -> None:
        """Return once everything that was reported so far is committed."""
        for writer in self.engine.writers(self.broker.name):
            await writer.execute(GetRiskProfile(writer.account_id, "user:test"))  # answered in its turn


def _service(module: Any, name: str) -> Any:
    return module.DESCRIPTOR.services_by_name[name]


@asynccontextmanager
async def scripted(*, account: bool = True) -> AsyncIterator[Rig]:
    """A server with a scripted broker, with the account ACCOUNT unless the test does without."""
    store = await open_store("memory:")
    rig = Rig(store)
    await rig.start()
    async with grpc.aio.insecure_channel(rig.transport.address) as channel:
        rig.client = Client(channel)
        if account:
            await rig.create()
        try:
            yield rig
        finally:
            await rig.stop()
            await rig.transport.stop(0)
            await rig.lifecycle.drained(_SECONDS)
            await rig.engine.stop()
            await store.close()


@asynccontextmanager
async def application(folder: Path, **settings: Any) -> AsyncIterator[tuple[Application, Client]]:
    """What `quantmesh serve` runs, on a free port and a store in memory."""
    given = {"listen": "127.0.0.1:0", "database": "memory:", "data_dir": folder, **settings}
    served = Application(load_settings(**given), lambda: None)
    await served.start()
    async with grpc.aio.insecure_channel(served.address) as channel:
        try:
            yield served, Client(channel)
        finally:
            await served.stop()


def limit(client_order_id: str = "x", price: str = "50", **more: Any) -> NewOrder:
    """A good order: buy 100 ACME at `price` until cancelled, but for what `more` says."""
    fields: dict[str, Any] = {
        "symbol": "ACME",
        "side": SIDE_BUY,
        "quantity": "100",
        "time_in_force": TIME_IN_FORCE_GTC,
    }
    if not more.keys() & {"market", "stop", "stop_limit", "trailing_stop"}:
        fields["limit"] = {"price": price}
    return NewOrder(client_order_id=client_order_id, **fields | more)


# -- refusals ----------------------------------------------------------------------------------------------


class Refusal:
    """What a failed call said, with its details unpacked."""

    def __init__(self, status: Status) -> None:
        self.status = status
        self.code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        self.info = self.detail(ErrorInfo)
        assert self.info is not None, status
        assert self.info.domain == "quantmesh"
        self.reason = self.info.reason
        self.metadata = dict(self.info.metadata)

    def detail(self, kind: type[Any]) -> Any:
        """The detail of that message type, None when there is none."""
        for packed in self.status.details:
            if packed.Is(kind.DESCRIPTOR):
                unpacked = kind()
                packed.Unpack(unpacked)
                return unpacked
        return None

    @property
    def fields(self) -> dict[str, str]:
        """Field and rule of each BadRequest violation."""
        return {found.field: found.description for found in self.detail(BadRequest).field_violations}

    @property
    def rules(self) -> list[str]:
        """The type of each PreconditionFailure violation."""
        return [found.type for found in self.detail(PreconditionFailure).violations]

    @property
    def retry_seconds(self) -> float:
        return float(self.detail(RetryInfo).retry_delay.ToTimedelta().total_seconds())


async def refusal(call: Any) -> Refusal:
    """How `call`, a unary call or a stream, fails."""
    try:
        if hasattr(call, "__aiter__"):
            messages = [message async for message in call]
            raise AssertionError(f"it was not refused but sent {messages}")
        answer = await call
    except grpc.aio.AioRpcError as error:
        return Refusal(details_of(error))
    raise AssertionError(f"it was not refused but answered {answer}")


def details_of(error: Any) -> Status:
    """The google.rpc.Status in the trailers of a failed call."""
    return rpc_status.from_call(error) or Status(message=f"no details came with {error}")


async def take(stream: Any, count: int) -> list[Any]:
    """The next `count` messages."""
    return [await within(stream.read()) for _ in range(count)]


async def until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come true")


async def rest(stream: Any) -> list[Any]:
    """Every message until the stream's end."""
    messages = []
    while (message := await within(stream.read())) is not grpc.aio.EOF:
        messages.append(message)
    return messages


async def within(awaited: Any, seconds: float = _SECONDS) -> Any:
    async with asyncio.timeout(seconds):
        return await awaited


def kinds(messages: Iterable[Message], oneof: str = "message") -> list[str | None]:
    return [message.WhichOneof(oneof) for message in messages]
