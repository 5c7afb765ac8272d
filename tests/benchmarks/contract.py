"""What the benchmarks send: method names, messages made beforehand, and descriptors for the load generator.

Every order is a buy far below the market that rests until canceled, of about one dollar, under an id that no
other order has. It is placed under RESTING_PRICE in a market that never closes.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Final, TypeVar

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.empty_pb2 import DESCRIPTOR as EMPTY
from google.protobuf.message import Message
from google.protobuf.proto import parse_length_prefixed, serialize_length_prefixed

from quantmesh.trading.v1.order_pb2 import NewOrder, Order
from quantmesh.trading.v1.order_placement_pb2 import DESCRIPTOR as PLACEMENT
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from quantmesh.trading.v1.order_session_pb2 import (
    CommandDone,
    OpenSession,
    OrderSessionRequest,
    OrderSessionResponse,
    PlaceCommand,
    SessionOpened,
)
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsResponse
from quantmesh.trading.v1.order_type_pb2 import LimitOrder, MarketOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from quantmesh.type.v1.stream_pb2 import Heartbeat
from quantmesh.type.v1.time_in_force_pb2 import TIME_IN_FORCE_GTC

MessageT = TypeVar("MessageT", bound=Message)

SERVICE: Final = "quantmesh.trading.v1.OrderService"
MARKET_DATA: Final = "quantmesh.marketdata.v1.MarketDataService"
SYMBOL: Final = "BTC/USD"
RESTING_PRICE: Final = "1000"
QUANTITY: Final = "0.001"
_LOTS, _LOT = Decimal(QUANTITY), Decimal("0.00001")


def path_of(method: str, service: str = SERVICE) -> str:
    return f"/{service}/{method}"


STREAM_FILLS: Final = path_of("StreamFills")
STREAM_ORDER_EVENTS: Final = path_of("StreamOrderEvents")
ORDER_SESSION: Final = path_of("OrderSession")
STREAM_QUOTES: Final = path_of("StreamQuotes", MARKET_DATA)
STREAM_TRADES: Final = path_of("StreamTrades", MARKET_DATA)
LIST_BARS: Final = path_of("ListBars", MARKET_DATA)
PUBLISH: Final = "/benchmarks.Echo/Publish"
BARS: Final = "/benchmarks.Bare/Bars"
BLOCKS: Final = "/benchmarks.Bare/Blocks"
OPENED: Final = OrderSessionResponse(opened=SessionOpened(session_id="echo")).SerializeToString()
DONE: Final = OrderSessionResponse(
    done=CommandDone(order=Order(reject_text="as long as ours " * 16))
).SerializeToString()
WELCOME: Final = StreamFillsResponse(heartbeat=Heartbeat(sequence=1)).SerializeToString()

_numbers = count(1)


def resting_order() -> NewOrder:
    """No two of them look the same."""
    number = next(_numbers)
    return NewOrder(
        client_order_id=f"benchmark-{number:09}",
        symbol=SYMBOL,
        side=SIDE_BUY,
        quantity=str(_LOTS + number * _LOT),
        limit=LimitOrder(price=RESTING_PRICE),
        time_in_force=TIME_IN_FORCE_GTC,
    )


def market_order() -> NewOrder:
    """Fills as soon as it arrives."""
    return NewOrder(
        client_order_id=f"benchmark-{next(_numbers):09}",
        symbol=SYMBOL,
        side=SIDE_BUY,
        quantity=QUANTITY,
        market=MarketOrder(),
    )


def placements(accounts: list[str], orders: int) -> Iterator[PlaceOrderRequest]:
    """One after the other for each of the accounts in turn."""
    for number in range(orders):
        yield PlaceOrderRequest(account_id=accounts[number % len(accounts)], order=resting_order())


def batches(accounts: list[str], batches: int, size: int) -> Iterator[PlaceOrdersRequest]:
    for number in range(batches):
        orders = [resting_order() for _ in range(size)]
        yield PlaceOrdersRequest(account_id=accounts[number % len(accounts)], orders=orders)


def session(account: str, orders: int) -> Iterator[OrderSessionRequest]:
    yield OrderSessionRequest(command_id="open", open=OpenSession(account_id=account))
    for number in range(orders):
        yield OrderSessionRequest(command_id=str(number), place=PlaceCommand(order=resting_order()))


def write_messages(path: Path, messages: Iterable[Message]) -> None:
    """Each with its length before it, as a varint."""
    file = BytesIO()
    for message in messages:
        serialize_length_prefixed(message, file)
    path.write_bytes(file.getvalue())


def read_messages(path: Path, kind: type[MessageT]) -> list[MessageT]:
    """What `write_messages` wrote."""
    file = BytesIO(path.read_bytes())
    return list(iter(partial(parse_length_prefixed, kind, file), None))


def write_descriptors(path: Path) -> None:
    """The requests with all that they import, and a service whose answers are Empty.

    So the generator spends nothing on reading answers that it throws away, be they the echo's or ours.
    """
    files: dict[str, FileDescriptorProto] = {}
    for file in (PLACEMENT, EMPTY):
        _collect(file, files)
    load = FileDescriptorProto(
        name="load.proto", package=SERVICE.rpartition(".")[0], syntax="proto3", dependency=[PLACEMENT.name, EMPTY.name]
    )
    service = load.service.add(name=SERVICE.rpartition(".")[2])
    for request in (PlaceOrderRequest.DESCRIPTOR, PlaceOrdersRequest.DESCRIPTOR):
        name = request.name.removesuffix("Request")
        service.method.add(name=name, input_type=f".{request.full_name}", output_type=".google.protobuf.Empty")
    path.write_bytes(FileDescriptorSet(file=[*files.values(), load]).SerializeToString())


def _collect(file: FileDescriptor, into: dict[str, FileDescriptorProto]) -> None:
    """`file` and what it imports, what is imported first."""
    if file.name in into:
        return
    for imported in file.dependencies:
        _collect(imported, into)
    into[file.name] = FileDescriptorProto()
    file.CopyToProto(into[file.name])
