"""Whatever is wrong with a call, its status says what and where; the server stays up, and nothing has changed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from quantmesh.risk.v1.scope_pb2 import Scope, StrategyScope, SymbolScope
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, ListAccountsRequest
from quantmesh.trading.v1.order_pb2 import ORDER_STATUS_NEW
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrdersRequest
from quantmesh.trading.v1.order_query_pb2 import ListOrdersRequest
from tests.end_to_end.books import eventually
from tests.end_to_end.contract_calls import ACCOUNT, CONTRADICTIONS, GOOD, METHODS, Rpc
from tests.end_to_end.malformed import malformed
from tests.end_to_end.refusals import Refusal, read, refusal
from tests.support.server import Client, ServerProcess, Site

_GARBAGE: Final = b"\xff\xff\xff\xff garbage"
_LARGEST: Final = 4 * 1024 * 1024
_MOST_GROWTH_MIB: Final = 96
_FAR_FUTURE: Final = 10**9
_VERSIONED: Final = ("UpdateRiskProfile", "UpdateFirmRiskProfile", "SetTradingState")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with Site(tmp_path_factory.mktemp("site")).start() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    """On a server that has two accounts and two orders, and on which nothing may have changed at the end."""
    async with server.client() as client:
        for account_id in (ACCOUNT, "second"):
            await client.accounts.CreateAccount(
                CreateAccountRequest(account_id=account_id, broker="paper", base_currency="USD", starting_cash="100000")
            )
        await _place_resting_orders(client)
        before, memory = await _sequences(client), server.resident_mib()
        yield client
        assert await _sequences(client) == before
        assert server.resident_mib() < memory + _MOST_GROWTH_MIB
        assert server.log == ""


def with_field(field: str) -> list[str]:
    """The RPCs that are built and whose request has this field."""
    return [name for name in GOOD if field in METHODS[name].input_type.fields_by_name]


# -- malformed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOOD)
async def test_each_rule_that_a_request_breaks_is_named_with_its_field(name: str, client: Client) -> None:
    rpc = Rpc(client.channel, name)
    for good in rpc.good_requests():
        for case in malformed(good):
            refused = await _refused(rpc, case.request)
            assert refused.reason == "INVALID_REQUEST", case.what
            assert any(named == case.field or named.startswith(f"{case.field}[") for named in refused.fields), (
                f"{case.what}: {refused.fields}"
            )


@pytest.mark.parametrize(("name", "change", "field"), CONTRADICTIONS)
async def test_fields_that_contradict_each_other_are_refused(
    name: str, change: dict[str, Any], field: str, client: Client
) -> None:
    rpc = Rpc(client.channel, name)
    refused = await _refused(rpc, ParseDict(change, rpc.good_requests()[0]))
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", [field])


@pytest.mark.parametrize("name", GOOD)
async def test_bytes_that_are_no_message_are_refused_as_such(name: str, client: Client) -> None:
    refused = await _refused(Rpc(client.channel, name), _GARBAGE)
    assert (refused.reason, refused.fields) == ("INVALID_REQUEST", ["request"])


@pytest.mark.parametrize("name", GOOD)
async def test_a_message_that_is_too_large_is_refused_with_its_size(name: str, client: Client) -> None:
    refused = await _refused(Rpc(client.channel, name), b"\x7a" * (_LARGEST + 1))
    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (refused.reason, refused.metadata) == ("MESSAGE_TOO_LARGE", {"size": str(_LARGEST + 1)})


async def test_a_message_that_is_far_too_large_is_not_even_read(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await Rpc(client.channel, "OrderService/PlaceOrders").first_answer(b"\x7a" * (4 * _LARGEST))
    assert failure.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


# -- well-formed, but of something that is not there --------------------------------------------------------


# What was asked of an account that is not there is in the audit too, and can be read.
_NEED_NO_ACCOUNT: Final = {"AccountService/CreateAccount", "RiskService/ListAuditRecords"}


@pytest.mark.parametrize("name", [name for name in with_field("account_id") if name not in _NEED_NO_ACCOUNT])
async def test_an_account_that_is_not_there_is_one_that_the_caller_may_not_use(name: str, client: Client) -> None:
    rpc = Rpc(client.channel, name)
    for request in rpc.good_requests():
        request.account_id = "nobody"
        refused = await _refused(rpc, request)
        assert refused.code is grpc.StatusCode.PERMISSION_DENIED
        assert refused.reason == "ACCOUNT_NOT_AVAILABLE"


@pytest.mark.parametrize("name", with_field("scope"))
@pytest.mark.parametrize(
    "scope",
    [
        Scope(account_id="nobody"),
        Scope(strategy=StrategyScope(strategy_id="momentum", account_id="nobody")),
        Scope(symbol=SymbolScope(symbol="AAPL", account_id="nobody")),
    ],
    ids=["account", "strategy", "symbol"],
)
async def test_nor_may_a_scope_name_one(name: str, scope: Scope, client: Client) -> None:
    rpc = Rpc(client.channel, name)
    request = rpc.good_requests()[0]
    request.scope.CopyFrom(scope)
    refused = await _refused(rpc, request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")


@pytest.mark.parametrize("name", [f"RiskService/{name}" for name in _VERSIONED])
async def test_what_was_changed_since_it_was_read_stays_as_it_is(name: str, client: Client) -> None:
    rpc = Rpc(client.channel, name)
    request = rpc.good_requests()[0]
    request.expected_version = _FAR_FUTURE
    refused = await _refused(rpc, request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.ABORTED, "VERSION_MISMATCH")
    assert refused.metadata["expected_version"] == str(_FAR_FUTURE)


@pytest.mark.parametrize("name", with_field("page_token"))
async def test_a_page_token_of_another_list_is_refused(name: str, client: Client) -> None:
    foreign = await client.accounts.ListAccounts(ListAccountsRequest(page_size=1))
    assert foreign.next_page_token
    rpc = Rpc(client.channel, name)
    for token in ("1", "nonsense", "x" * 1024, foreign.next_page_token[:-1], foreign.next_page_token):
        if name == "AccountService/ListAccounts" and token == foreign.next_page_token:
            continue
        [request] = rpc.good_requests()
        request.page_token = token
        refused = await _refused(rpc, request)
        assert (refused.reason, refused.fields) == ("INVALID_PAGE_TOKEN", ["page_token"])


@pytest.mark.parametrize("name", with_field("after_sequence"))
async def test_a_cursor_from_the_future_is_refused_with_the_present_one(name: str, client: Client) -> None:
    [request] = Rpc(client.channel, name).good_requests()
    request.after_sequence = _FAR_FUTURE
    refused = await _refused(Rpc(client.channel, name), request)
    assert refused.code is grpc.StatusCode.OUT_OF_RANGE
    assert refused.reason == "SEQUENCE_IN_FUTURE"
    assert refused.metadata["current_sequence"] == str((await _sequences(client))[ACCOUNT])


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("OrderService/GetOrder", {"order_id": "01J0000000000000000000000"}, "ORDER_NOT_FOUND"),
        ("OrderService/GetOrder", {"client_order_id": "nobody"}, "ORDER_NOT_FOUND"),
        ("OrderService/CancelOrder", {"order_id": "nobody"}, "ORDER_NOT_FOUND"),
        ("OrderService/ReplaceOrder", {"client_order_id": "nobody"}, "ORDER_NOT_FOUND"),
        ("OrderService/ListFills", {"client_order_id": "nobody"}, "ORDER_NOT_FOUND"),
        ("OrderService/ListFills", {"order_id": "nobody"}, "ORDER_NOT_FOUND"),
        ("OrderService/ListOrderEvents", {"order_id": "nobody"}, "ORDER_NOT_FOUND"),
        ("AccountService/CreateAccount", {"broker": "nobody"}, "BROKER_NOT_FOUND"),
        ("RiskService/SizePosition", {"symbol": "NOBODY"}, "INSTRUMENT_NOT_FOUND"),
        ("RiskService/GetKillSwitch", {"kill_switch_id": "nobody"}, "KILL_SWITCH_NOT_FOUND"),
        ("RiskService/ReleaseKillSwitch", {"kill_switch_id": "nobody"}, "KILL_SWITCH_NOT_FOUND"),
        ("RiskService/RefreshDeadManSwitch", {"dead_man_switch_id": "nobody"}, "DEAD_MAN_SWITCH_NOT_FOUND"),
        ("RiskService/DisarmDeadManSwitch", {"dead_man_switch_id": "nobody"}, "DEAD_MAN_SWITCH_NOT_FOUND"),
        ("MarketDataService/GetInstrument", {"symbol": "NOBODY"}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/GetQuote", {"symbol": "NOBODY"}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/GetOrderBook", {"symbol": "NOBODY"}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/ListBars", {"symbol": "NOBODY"}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/StreamQuotes", {"symbols": ["NOBODY"]}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/StreamTrades", {"symbols": ["NOBODY"]}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/StreamBars", {"symbols": ["NOBODY"]}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/ComputeIndicator", {"symbol": "NOBODY"}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/ComputeIndicator", {"indicator": "NOTHING"}, "INDICATOR_NOT_FOUND"),
        ("MarketDataService/ComputeIndicator", {"provider": "nobody"}, "PROVIDER_NOT_FOUND"),
        ("MarketDataService/StartBackfill", {"symbols": ["NOBODY"]}, "INSTRUMENT_NOT_FOUND"),
        ("MarketDataService/StartBackfill", {"provider": "nobody"}, "PROVIDER_NOT_FOUND"),
        ("MarketDataService/GetBackfill", {}, "BACKFILL_NOT_FOUND"),
        ("MarketDataService/StreamBackfill", {}, "BACKFILL_NOT_FOUND"),
        ("MarketDataService/CancelBackfill", {}, "BACKFILL_NOT_FOUND"),
        ("MarketDataService/ResumeBackfill", {}, "BACKFILL_NOT_FOUND"),
        *(
            (name, {"provider": "nobody"}, "PROVIDER_NOT_FOUND")
            for name in with_field("provider")
            if name != "MarketDataService/BatchGetQuotes"  # says so of each symbol
        ),
    ],
)
async def test_what_is_not_there_is_not_found(name: str, fields: dict[str, Any], reason: str, client: Client) -> None:
    request = Rpc(client.channel, name).good_requests()[0]
    request.MergeFrom(type(request)(**{field: value for field, value in fields.items() if field != "symbols"}))
    if "symbols" in fields:
        request.symbols[:] = fields["symbols"]
    refused = await _refused(Rpc(client.channel, name), request)
    assert refused.code is grpc.StatusCode.NOT_FOUND
    assert refused.reason == reason


async def test_an_actor_that_cannot_be_journaled_is_refused(client: Client) -> None:
    request = CreateAccountRequest(account_id="third", broker="paper", base_currency="USD")
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.accounts.CreateAccount(request, metadata=(("x-quantmesh-actor", "x" * 65),))
    assert refusal(failure.value).fields == ["x-quantmesh-actor"]


# -- not there at all --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(METHODS.keys() - GOOD.keys()))
async def test_a_call_that_is_not_built_says_so(name: str, client: Client) -> None:
    refused = await _refused(Rpc(client.channel, name), b"")
    assert refused.code is grpc.StatusCode.UNIMPLEMENTED
    assert refused.reason == "NOT_IMPLEMENTED"


@pytest.mark.parametrize("path", ["/quantmesh.trading.v1.OrderService/Nothing", "/no.such.Service/Call", "/"])
async def test_a_call_that_the_contract_lacks_is_not_implemented(path: str, client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await client.channel.unary_unary(path, request_serializer=bytes)(b"")
    assert refusal(failure.value).reason == "NOT_IMPLEMENTED"


# -- asking ------------------------------------------------------------------------------------------------


async def _refused(rpc: Rpc, request: Message | bytes) -> Refusal:
    """The refusal of `request`, as the status of the call or as an answer within a conversation."""
    if rpc.method.client_streaming and not _opens(request):
        return await _refused_within(rpc, request)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await rpc.first_answer(request)
    return refusal(failure.value)


def _opens(request: Message | bytes) -> bool:
    """Whether it is the first message of a session, on which the call itself depends."""
    return (
        isinstance(request, Message)
        and request.DESCRIPTOR.name == "OrderSessionRequest"
        and not any(request.HasField(field) for field in ("place", "replace", "cancel", "cancel_all"))
    )


async def _refused_within(rpc: Rpc, request: Message | bytes) -> Refusal:
    """A conversation in which something is refused goes on: what is good after it is answered as ever."""
    opening = rpc.good_requests()[0]
    call = rpc.conversation()
    try:
        await call.write(opening)
        assert not (await call.read()).HasField("error")
        await call.write(request)
        await call.write(opening)
        answers = [await _answer(call), await _answer(call)]
    finally:
        call.cancel()
    assert answers[0].HasField("error")
    return read(answers[0].error)


async def _answer(call: Any) -> Any:
    """The next answer; market data comes in between."""
    while True:
        message = await call.read()
        if message.WhichOneof(message.DESCRIPTOR.oneofs[0].name) not in ("quote", "heartbeat", "status"):
            return message


async def _sequences(client: Client) -> dict[str, int]:
    accounts = (await client.accounts.ListAccounts(ListAccountsRequest())).accounts
    return {account.account_id: account.sequence for account in accounts}


async def _place_resting_orders(client: Client) -> None:
    """Far from the market, so that nothing happens to them; the same ones for each test."""
    [orders] = Rpc(client.channel, "OrderService/PlaceOrders").good_requests()
    request = PlaceOrdersRequest()
    request.CopyFrom(orders)
    for number, order in enumerate(request.orders):
        order.client_order_id = f"resting-{number}"
        order.limit.price = "1"
    await client.orders.PlaceOrders(request)
    working = ListOrdersRequest(account_id=ACCOUNT, statuses=[ORDER_STATUS_NEW])

    async def all_work() -> bool:
        return len((await client.orders.ListOrders(working)).orders) == len(request.orders)

    await eventually(all_work, "the orders were not accepted")
