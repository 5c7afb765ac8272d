"""The audit over the wire: whoever changes something, or is refused, leaves one record, which survives a kill."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import Parse
from google.protobuf.message import Message

from quantmesh.risk.v1.audit_pb2 import (
    AUDIT_OUTCOME_ALLOWED,
    AUDIT_OUTCOME_DENIED,
    AuditRecord,
    ListAuditRecordsRequest,
)
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_session_pb2 import KeepAlive, OpenSession, OrderSessionRequest
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_OLDEST_FIRST
from tests.end_to_end.books import read_all
from tests.end_to_end.contract_calls import ACCOUNT, GOOD, METHODS, Rpc
from tests.end_to_end.malformed import malformed
from tests.end_to_end.refusals import read, refusal
from tests.support.server import Client, Site

# In an order in which each good request can be carried out, or is refused for what is not there.
_CHANGES: Final = (
    "OrderService/PlaceOrder",
    "OrderService/PlaceOrders",
    "OrderService/PlaceOrderGroup",
    "OrderService/ReplaceOrder",
    "OrderService/CancelOrder",
    "OrderService/CancelOrders",
    "AccountService/CreateAccount",
    "RiskService/UpdateRiskProfile",
    "RiskService/UpdateFirmRiskProfile",
    "RiskService/ArmDeadManSwitch",
    "RiskService/RefreshDeadManSwitch",
    "RiskService/DisarmDeadManSwitch",
    "RiskService/SetTradingState",
    "RiskService/EngageKillSwitch",
    "RiskService/ReleaseKillSwitch",
    "MarketDataService/StartBackfill",
    "MarketDataService/CancelBackfill",
    "MarketDataService/ResumeBackfill",
)
_SESSION: Final = "OrderService/OrderSession"
_READS: Final = sorted(name for name in GOOD.keys() - {*_CHANGES} if not METHODS[name].server_streaming)
_PAGE: Final = 7


class Called(NamedTuple):
    """A call by an actor of its own; `refused` is the reason that it got, empty when it was carried out."""

    actor: str
    rpc: str
    request: Message
    refused: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest_asyncio.fixture(loop_scope="session")
async def client(site: Site) -> AsyncIterator[Client]:
    """On a server that is started for each test, and killed after it: what it wrote before is there."""
    with site.start() as server:
        async with server.client() as client:
            account = CreateAccountRequest(account_id=ACCOUNT, broker="paper", base_currency="USD")
            await client.accounts.CreateAccount(account)
            yield client


async def test_each_call_that_changes_something_leaves_one_record(client: Client) -> None:
    """A good call, one that is malformed, and one about an account that is not there."""
    calls = []
    for name in _CHANGES:
        good = Rpc(client.channel, name).good_requests()[0]
        for number, request in enumerate([good, next(malformed(good)).request, *_elsewhere(good)]):
            calls.append(await _call(client, name, request, f"{name}-{number}"))
    assert {called.rpc for called in calls if not called.refused} > {"RiskService/EngageKillSwitch"}
    assert {called.refused for called in calls} > {"INVALID_REQUEST", "ACCOUNT_NOT_AVAILABLE", "RISK_CHECK_FAILED"}
    for called in calls:
        [record] = await _records(client, actor=f"user:{called.actor}")
        _tells(record, called)


async def test_what_is_read_or_only_validated_leaves_none(client: Client) -> None:
    before = await _records(client)
    for name in _READS:
        for request in Rpc(client.channel, name).good_requests():
            await _call(client, name, request, "reader")
    for name in ("OrderService/PlaceOrder", "OrderService/PlaceOrders"):
        request = Rpc(client.channel, name).good_requests()[0]
        request.validate_only = True
        await _call(client, name, request, "reader")
    assert await _records(client) == before


async def test_each_command_of_a_session_leaves_one_record(client: Client) -> None:
    commands = Rpc(client.channel, _SESSION).good_requests()[1:]
    commands += [next(malformed(command)).request for command in commands]
    call = client.orders.OrderSession(metadata=(("x-quantmesh-actor", "session"),))
    opening = OrderSessionRequest(command_id="0", open=OpenSession(account_id=ACCOUNT))
    answers: list[Any] = []
    for message in (opening, *commands, OrderSessionRequest(command_id="9", keep_alive=KeepAlive())):
        await call.write(message)
        answers.append(await call.read())
    call.cancel()
    records = await _records(client, actor="user:session", order_by=SORT_ORDER_OLDEST_FIRST)
    assert len(records) == len(commands)
    for record, command, answer in zip(records, commands, answers[1:-1], strict=True):
        refused = read(answer.error).reason if answer.HasField("error") else ""
        _tells(record, Called("session", _SESSION, command, refused))
        assert record.account_id == ACCOUNT


async def test_pages_and_filters_show_the_same_records_as_the_whole(client: Client) -> None:
    newest = await _records(client)
    assert len(newest) > 4 * _PAGE
    assert newest == sorted(newest, key=lambda record: record.audit_record_id, reverse=True)
    assert await _records(client, order_by=SORT_ORDER_OLDEST_FIRST) == newest[::-1]
    middle, last = newest[len(newest) // 2].record_time, newest[0].record_time
    filters: list[tuple[dict[str, Any], Callable[[AuditRecord], bool]]] = [
        ({"account_id": ACCOUNT}, lambda record: record.account_id == ACCOUNT),
        ({"account_id": "nobody"}, lambda record: record.account_id == "nobody"),
        ({"rpc": "PlaceOrder"}, lambda record: record.rpc.endswith("/PlaceOrder")),
        ({"rpc": newest[0].rpc}, lambda record: record.rpc == newest[0].rpc),
        ({"outcome": AUDIT_OUTCOME_DENIED}, lambda record: record.outcome == AUDIT_OUTCOME_DENIED),
        ({"recorded_after": middle}, lambda record: _at(record) >= middle.ToNanoseconds()),
        (
            {"recorded_after": middle, "recorded_before": last, "outcome": AUDIT_OUTCOME_ALLOWED},
            lambda record: (
                middle.ToNanoseconds() <= _at(record) < last.ToNanoseconds() and record.outcome == AUDIT_OUTCOME_ALLOWED
            ),
        ),
    ]
    for asked, fits in filters:
        shown = await _records(client, **asked)
        assert shown == list(filter(fits, newest)), asked
        assert 0 < len(shown) < len(newest), asked


async def test_a_token_is_good_only_with_the_filters_that_it_was_given_for(client: Client) -> None:
    page = await client.risk.ListAuditRecords(ListAuditRecordsRequest(account_id=ACCOUNT, page_size=1))
    assert page.next_page_token
    for changed in ({}, {"account_id": ACCOUNT, "outcome": AUDIT_OUTCOME_DENIED}, {"account_id": "nobody"}):
        other = ListAuditRecordsRequest(page_token=page.next_page_token, **changed)
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await client.risk.ListAuditRecords(other)
        assert refusal(failure.value).reason == "INVALID_PAGE_TOKEN"


# -- calls and records -----------------------------------------------------------------------------------------


def _elsewhere(good: Any) -> list[Any]:
    """The request about an account that is not there, if it names an account."""
    elsewhere = type(good)()
    elsewhere.CopyFrom(good)
    if "scope" in good.DESCRIPTOR.fields_by_name:
        elsewhere.scope.account_id = "nobody"
    elif "account_id" in good.DESCRIPTOR.fields_by_name and "broker" not in good.DESCRIPTOR.fields_by_name:
        elsewhere.account_id = "nobody"
    return [] if elsewhere == good else [elsewhere]


async def _call(client: Client, name: str, request: Any, actor: str) -> Called:
    rpc = Rpc(client.channel, name)
    try:
        await rpc.first_answer(request, actor)
    except grpc.aio.AioRpcError as error:
        return Called(actor, name, request, refusal(error).reason)
    return Called(actor, name, request, "")


async def _records(client: Client, **filters: Any) -> list[AuditRecord]:
    """All records that fit, by small pages."""
    return await read_all(client.risk.ListAuditRecords, ListAuditRecordsRequest(**filters), "audit_records", _PAGE)


def _tells(record: AuditRecord, called: Called) -> None:
    assert record.rpc == f"{METHODS[called.rpc].containing_service.full_name}/{METHODS[called.rpc].name}"
    assert record.actor == f"user:{called.actor}"
    assert record.peer.startswith("127.0.0.1:")
    assert Parse(record.request_json, type(called.request)()) == called.request
    if called.refused:
        assert (record.outcome, read(record.error).reason) == (AUDIT_OUTCOME_DENIED, called.refused)
        return
    assert (record.outcome, record.HasField("error")) == (AUDIT_OUTCOME_ALLOWED, False)
    assert record.reason == getattr(called.request, "reason", "")
    assert record.account_id in {"", getattr(called.request, "account_id", ""), ACCOUNT}


def _at(record: AuditRecord) -> int:
    return record.record_time.ToNanoseconds()
