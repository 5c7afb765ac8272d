"""Every call that changes something leaves exactly one record, whatever becomes of it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import Parse

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.marketdata.v1 import backfill_job_pb2
from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE
from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from quantmesh.risk.v1 import audit_pb2 as pb
from quantmesh.risk.v1 import order_check_pb2
from quantmesh.trading.v1 import account_service_pb2, order_placement_pb2
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_OLDEST_FIRST
from server.interceptors.audit import AUDITED
from server.mapping.common import to_timestamp
from tests.server.audit_calls import (
    ALLOWED,
    BOSS,
    DENIED,
    NOBODY,
    PLACE,
    REQUESTS,
    placing,
    records,
    send,
    the_record,
    unary_calls,
)
from tests.server.rig import ACCOUNT, Rig, application, limit, refusal, scripted

# -- placing an order ------------------------------------------------------------------------------------------


async def test_an_order_that_is_placed_leaves_one_record_that_tells_everything() -> None:
    async with scripted() as rig:
        call = rig.client.orders.PlaceOrder(placing(), metadata=BOSS)
        placed = await call
        record = await the_record(rig)
        assert record.peer.startswith(("127.0.0.1:", "[::1]:"))
        assert len(record.audit_record_id) == 26
        assert Parse(record.request_json, order_placement_pb2.PlaceOrderRequest()) == placing()
        assert json.loads(record.request_json)["order"]["clientOrderId"] == "x"
        assert record == pb.AuditRecord(
            audit_record_id=record.audit_record_id,
            record_time=to_timestamp(rig.clock.now()),
            actor="user:boss",
            peer=record.peer,
            rpc=PLACE,
            account_id=ACCOUNT,
            request_json=record.request_json,
            outcome=ALLOWED,
            sequence=placed.sequence,
        )


async def test_an_order_that_a_rule_refuses_leaves_one_record_with_the_answer() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(placing(quantity="1000000")))
        record = await the_record(rig)
        assert (record.outcome, record.account_id, record.actor) == (DENIED, ACCOUNT, "user:anonymous")
        assert record.error == refused.status
        assert record.sequence == rig.engine.writer(ACCOUNT).book.sequence


async def test_a_malformed_order_leaves_one_record() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(placing(quantity="-1")))
        record = await the_record(rig)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (record.outcome, record.account_id, record.sequence) == (DENIED, ACCOUNT, 0)
        assert record.error == refused.status
        assert json.loads(record.request_json)["order"]["quantity"] == "-1"


async def test_an_order_that_the_domain_finds_malformed_leaves_one_record() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(placing(post_only=True, market={})))
        record = await the_record(rig)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (record.outcome, record.error) == (DENIED, refused.status)


async def test_an_order_for_an_unknown_account_leaves_one_record() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(placing(account_id=NOBODY)))
        record = await the_record(rig, account_id=NOBODY)
        assert refused.code is grpc.StatusCode.PERMISSION_DENIED
        assert (record.outcome, record.error, record.sequence) == (DENIED, refused.status, 0)


async def test_a_repeat_is_a_call_too() -> None:
    async with scripted() as rig:
        answers = [await rig.client.orders.PlaceOrder(placing()) for _ in range(2)]
        assert [answer.replayed for answer in answers] == [False, True]
        first, again = await records(rig)
        assert (first.outcome, first.sequence) == (ALLOWED, answers[0].sequence)
        assert (again.outcome, again.sequence) == (ALLOWED, 0)
        assert first.audit_record_id < again.audit_record_id


async def test_what_is_only_checked_or_read_leaves_none() -> None:
    async with scripted() as rig:
        request = placing()
        request.validate_only = True
        await rig.client.orders.PlaceOrder(request)
        await rig.client.risk.CheckOrder(order_check_pb2.CheckOrderRequest(account_id=ACCOUNT, order=limit()))
        await refusal(rig.client.accounts.GetAccount(account_service_pb2.GetAccountRequest(account_id=NOBODY)))
        assert await records(rig) == []


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff", b"\x0a\x04desk\x12\xff", b"x" * 100_000])
async def test_bytes_that_are_no_good_message_leave_a_small_record(data: bytes) -> None:
    async with scripted() as rig:
        call: Any = rig.client.channel.unary_unary(f"/{PLACE}")
        refused = await refusal(call(data))
        record = await the_record(rig)
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert (record.outcome, record.error) == (DENIED, refused.status)
        assert len(record.request_json) < 6_000


async def test_a_malformed_account_id_is_not_taken_for_an_account() -> None:
    async with scripted() as rig:
        await refusal(rig.client.orders.PlaceOrder(placing(account_id="de\0sk" + "k" * 100_000)))
        await refusal(rig.client.orders.PlaceOrder(placing(account_id="désk")))
        assert [(record.account_id, record.outcome) for record in await records(rig)] == [("", DENIED)] * 2
        assert all(len(record.request_json) < 6_000 for record in await records(rig))


async def test_a_bad_actor_is_recorded_as_anonymous() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(placing(), metadata=(("x-quantmesh-actor", "x" * 65),)))
        record = await the_record(rig)
        assert (record.actor, record.outcome, record.error) == ("user:anonymous", DENIED, refused.status)


async def test_a_request_is_shown_up_to_64_kib() -> None:
    async with scripted() as rig:
        orders = [limit(f"c{i}", tags={"k": "v" * 128}) for i in range(500)]
        request = order_placement_pb2.PlaceOrdersRequest(account_id=ACCOUNT, orders=orders)
        assert request.ByteSize() > 65_536
        await rig.client.orders.PlaceOrders(request)
        record = await the_record(rig)
        assert record.outcome == ALLOWED
        assert len(record.request_json) == 65_536
        assert record.request_json.startswith('{"accountId": "desk", "orders": [{"clientOrderId": "c0"')


# -- every call ----------------------------------------------------------------------------------------------

A_BACKFILL = backfill_job_pb2.StartBackfillRequest(
    symbols=["AAPL"],
    interval=BAR_INTERVAL_ONE_MINUTE,
    start_time=to_timestamp(datetime(2025, 1, 1, tzinfo=UTC)),
    end_time=to_timestamp(datetime(2026, 1, 1, tzinfo=UTC)),
)
NOT_THERE = {"ReleaseKillSwitch", "RefreshDeadManSwitch", "DisarmDeadManSwitch"}
BACKFILLS = {"StartBackfill", "CancelBackfill", "ResumeBackfill"}
ABOUT_NO_ACCOUNT = {"UpdateFirmRiskProfile", *NOT_THERE}


def test_every_call_is_audited_but_those_that_read() -> None:
    reads = ("Get", "List", "Check", "Size", "Search", "Batch", "Compute")
    changing = {name: full for name, full in unary_calls().items() if not name.startswith(reads)}
    assert set(changing.values()) == AUDITED
    assert changing.keys() == REQUESTS.keys() | BACKFILLS


async def bosses(rig: Rig) -> pb.AuditRecord:
    """The one record of calls that `send` has made."""
    [record] = (await rig.client.risk.ListAuditRecords(pb.ListAuditRecordsRequest(actor="user:boss"))).audit_records
    return record


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_each_call_leaves_one_record(rpc: str) -> None:
    async with scripted() as rig:
        rig.tell(await rig.place(), ExecType.NEW)
        await rig.settled()
        request = REQUESTS[rpc]
        if rpc in NOT_THERE:
            refused = await refusal(send(rig, rpc, request))
            assert refused.code is grpc.StatusCode.NOT_FOUND
        else:
            await send(rig, rpc, request)
        record = await bosses(rig)
        assert record.rpc == unary_calls()[rpc]
        assert record.outcome == (DENIED if rpc in NOT_THERE else ALLOWED)
        expected = {"CreateAccount": "new"}.get(rpc, "" if rpc in ABOUT_NO_ACCOUNT else ACCOUNT)
        assert record.account_id == expected
        assert record.reason == getattr(request, "reason", "")
        assert Parse(record.request_json, type(request)()) == request


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_each_call_that_is_malformed_leaves_one_record(rpc: str) -> None:
    async with scripted() as rig:
        request = type(REQUESTS[rpc])()
        if rpc == "CancelOrders":
            request.symbol = "bad symbol"
        refused = await refusal(send(rig, rpc, request))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        record = await bosses(rig)
        assert (record.rpc, record.outcome, record.error) == (unary_calls()[rpc], DENIED, refused.status)


@pytest.mark.parametrize("rpc", ["SetTradingState", "EngageKillSwitch", "ArmDeadManSwitch", "CreateAccount"])
async def test_a_call_of_the_firms_that_is_repeated_leaves_a_record_each_time(rpc: str) -> None:
    async with scripted() as rig:
        await rig.place()
        for _ in range(3):
            await send(rig, rpc, REQUESTS[rpc])
        found = (await rig.client.risk.ListAuditRecords(pb.ListAuditRecordsRequest(actor="user:boss"))).audit_records
        assert [record.outcome for record in found] == [ALLOWED] * 3


async def test_an_account_that_exists_with_other_content_leaves_a_record() -> None:
    async with scripted(account=False) as rig:
        requests = [REQUESTS["CreateAccount"] for _ in range(3)]
        other = type(requests[0])()
        other.CopyFrom(requests[0])
        other.base_currency = "EUR"
        await send(rig, "CreateAccount", requests[0])
        await refusal(send(rig, "CreateAccount", other))
        other.broker = "none"
        await refusal(send(rig, "CreateAccount", other))
        request = pb.ListAuditRecordsRequest(order_by=SORT_ORDER_OLDEST_FIRST)
        found = (await rig.client.risk.ListAuditRecords(request)).audit_records
        assert [(record.outcome, record.sequence) for record in found] == [(ALLOWED, 1), (DENIED, 0), (DENIED, 0)]


async def test_backfills_leave_a_record_each_where_the_process_has_accounts(tmp_path: Path) -> None:
    async with application(tmp_path) as (_, client):
        market = MarketDataServiceStub(client.channel)
        started = await market.StartBackfill(A_BACKFILL, metadata=BOSS)
        of_it = {"backfill_id": started.backfill.backfill_id}
        await refusal(market.StartBackfill(backfill_job_pb2.StartBackfillRequest(), metadata=BOSS))
        await market.CancelBackfill(backfill_job_pb2.CancelBackfillRequest(**of_it), metadata=BOSS)
        await refusal(market.ResumeBackfill(backfill_job_pb2.ResumeBackfillRequest(backfill_id="none"), metadata=BOSS))
        listed = await client.risk.ListAuditRecords(
            pb.ListAuditRecordsRequest(actor="user:boss", order_by=SORT_ORDER_OLDEST_FIRST)
        )
        told = [(record.rpc.rpartition("/")[2], record.outcome) for record in listed.audit_records]
        assert told == [
            ("StartBackfill", ALLOWED),
            ("StartBackfill", DENIED),
            ("CancelBackfill", ALLOWED),
            ("ResumeBackfill", DENIED),
        ]
        assert Parse(listed.audit_records[0].request_json, backfill_job_pb2.StartBackfillRequest()) == A_BACKFILL


async def test_a_process_that_serves_market_data_alone_has_backfills_and_no_audit(tmp_path: Path) -> None:
    async with application(tmp_path, services=["marketdata"]) as (_, client):
        started = await MarketDataServiceStub(client.channel).StartBackfill(A_BACKFILL, metadata=BOSS)
        assert started.backfill.backfill_id
