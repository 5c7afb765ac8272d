"""The backfill RPCs over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from domain.errors import PreconditionFailed, Unavailable, Violation
from quantmesh.marketdata.v1 import backfill_job_pb2 as pb
from quantmesh.marketdata.v1 import backfill_pb2, bar_pb2, market_data_service_pb2
from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from server.health import HealthService
from server.interceptors.tracking import Lifecycle
from server.services.backfills import Backfills
from server.transport import Transport
from tests.server.rig import kinds, refusal, rest, take
from tests.support.backfills import END, NOW, START, BackfillRig

SERVICE = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]


class ServedRig(BackfillRig):
    stub: Any

    def __init__(self) -> None:
        super().__init__()
        self.lifecycle = Lifecycle()
        service, health = Backfills(self.runner, self.lifecycle), HealthService([SERVICE.full_name])
        self.transport = Transport(("127.0.0.1", 0), {SERVICE: service}, self.lifecycle, health, None)

    async def start_one(self, *symbols: str, **more: Any) -> backfill_pb2.Backfill:
        answer: pb.StartBackfillResponse = await self.stub.StartBackfill(start(*symbols, **more))
        return answer.backfill

    async def get(self, backfill_id: str = "b-1") -> backfill_pb2.Backfill:
        answer: pb.GetBackfillResponse = await self.stub.GetBackfill(pb.GetBackfillRequest(backfill_id=backfill_id))
        return answer.backfill


@pytest.fixture
async def rig() -> AsyncIterator[ServedRig]:
    rig = ServedRig()
    await rig.transport.start()
    async with grpc.aio.insecure_channel(rig.transport.address) as channel:
        rig.stub = MarketDataServiceStub(channel)
        yield rig
        rig.lifecycle.stop()
        assert await rig.lifecycle.drained(5)
        await rig.transport.stop(0)
    await rig.stop()


def stamp(at: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def start(*symbols: str, **more: Any) -> pb.StartBackfillRequest:
    fields = {
        "backfill_id": "b-1",
        "symbols": symbols or ("ACME",),
        "interval": bar_pb2.BAR_INTERVAL_ONE_MINUTE,
        "start_time": stamp(START),
        "end_time": stamp(END),
        **more,
    }
    return pb.StartBackfillRequest(**{name: value for name, value in fields.items() if value is not None})


async def test_a_backfill_is_answered_at_once_as_it_was_asked_for(rig: ServedRig) -> None:
    begun = await rig.start_one("ACME", "BOLT")
    assert begun == backfill_pb2.Backfill(
        backfill_id="b-1",
        symbols=["ACME", "BOLT"],
        interval=bar_pb2.BAR_INTERVAL_ONE_MINUTE,
        start_time=stamp(START),
        end_time=stamp(END),
        adjustment=bar_pb2.PRICE_ADJUSTMENT_RAW,
        state=backfill_pb2.BACKFILL_STATE_PENDING,
        progress="0",
        created_time=stamp(NOW),
        updated_time=stamp(NOW),
    )
    assert await rig.get() == begun
    assert await rig.start_one("ACME", "BOLT") == begun


async def test_without_id_and_end_the_server_says_which(rig: ServedRig) -> None:
    begun = await rig.start_one(backfill_id="", end_time=None, adjustment=bar_pb2.PRICE_ADJUSTMENT_ALL)
    assert len(begun.backfill_id) == 26
    assert (begun.end_time, begun.adjustment) == (stamp(NOW), bar_pb2.PRICE_ADJUSTMENT_ALL)


async def test_the_stream_shows_it_until_its_end(rig: ServedRig) -> None:
    await rig.start_one("ACME", "BOLT")
    stream = rig.stub.StreamBackfill(pb.StreamBackfillRequest(backfill_id="b-1"))
    [first] = await take(stream, 1)
    assert first.backfill.state == backfill_pb2.BACKFILL_STATE_PENDING
    rig.runner.start()
    shown = [message.backfill for message in await rest(stream)]
    last = shown[-1]
    assert (last.state, last.progress, last.settled_symbols) == (backfill_pb2.BACKFILL_STATE_SUCCEEDED, "1", 2)
    assert (last.stored_bars, last.finished_time) == (600, stamp(NOW))
    assert [float(one.progress) for one in shown] == sorted(float(one.progress) for one in shown)
    again = await rest(rig.stub.StreamBackfill(pb.StreamBackfillRequest(backfill_id="b-1")))
    assert [message.backfill for message in again] == [last]


async def test_a_silent_stream_has_heartbeats_and_a_goodbye_at_the_shutdown(rig: ServedRig) -> None:
    await rig.start_one()
    request = pb.StreamBackfillRequest(backfill_id="b-1", heartbeat_interval=Duration(nanos=100_000_000))
    stream = rig.stub.StreamBackfill(request)
    messages = await take(stream, 3)
    rig.lifecycle.stop()
    messages += await rest(stream)
    assert kinds(messages)[:3] == ["backfill", "heartbeat", "heartbeat"]
    assert kinds(messages)[-1] == "goodbye"
    assert (messages[1].heartbeat.sequence, messages[-1].goodbye.sequence) == (1, 1)


async def test_a_failure_says_what_listing_the_bars_would(rig: ServedRig) -> None:
    violation = Violation("PROVIDER_NOT_CAPABLE", "scripted", "your plan has no minutes")
    rig.provider.troubles.append(
        PreconditionFailed("no minutes", [violation], reason="PROVIDER_NOT_CAPABLE", provider="scripted")
    )
    await rig.start_one("ACME", "BOLT")
    rig.runner.start()
    await rig.ended()
    shown = await rig.get()
    assert (shown.state, shown.progress) == (backfill_pb2.BACKFILL_STATE_FAILED, "0.5")
    [failed] = shown.failures
    assert (failed.symbol, failed.status.code) == ("ACME", grpc.StatusCode.FAILED_PRECONDITION.value[0])
    assert failed.status.details[0].type_url.endswith("ErrorInfo")
    assert b"PROVIDER_NOT_CAPABLE" in failed.status.details[0].value


async def test_cancel_and_resume(rig: ServedRig) -> None:
    await rig.start_one()
    rig.provider.gate.clear()
    rig.runner.start()
    await rig.asked(1)
    canceled = (await rig.stub.CancelBackfill(pb.CancelBackfillRequest(backfill_id="b-1"))).backfill
    assert canceled.state == backfill_pb2.BACKFILL_STATE_CANCELED
    assert canceled.HasField("finished_time")
    rig.provider.gate.set()
    resumed = (await rig.stub.ResumeBackfill(pb.ResumeBackfillRequest(backfill_id="b-1"))).backfill
    assert resumed.state == backfill_pb2.BACKFILL_STATE_PENDING
    assert not resumed.HasField("finished_time")
    await rig.ended()
    assert (await rig.get()).state == backfill_pb2.BACKFILL_STATE_SUCCEEDED


async def test_the_list_has_the_newest_first_filtered_and_in_pages(rig: ServedRig) -> None:
    for number in range(7):
        await rig.start_one("ACME" if number % 2 else "BOLT", backfill_id=f"b-{number}")
        rig.clock.advance(1)
    await rig.stub.CancelBackfill(pb.CancelBackfillRequest(backfill_id="b-3"))
    request, found = pb.ListBackfillsRequest(page_size=3), []
    while True:
        answer = await rig.stub.ListBackfills(request)
        found += [one.backfill_id for one in answer.backfills]
        request.page_token = answer.next_page_token
        if not request.page_token:
            break
    assert found == [f"b-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    acme = await rig.stub.ListBackfills(pb.ListBackfillsRequest(symbol="ACME"))
    assert [one.backfill_id for one in acme.backfills] == ["b-5", "b-3", "b-1"]
    canceled = await rig.stub.ListBackfills(pb.ListBackfillsRequest(state=backfill_pb2.BACKFILL_STATE_CANCELED))
    assert [one.backfill_id for one in canceled.backfills] == ["b-3"]
    request = pb.ListBackfillsRequest(page_size=2)
    request.page_token = (await rig.stub.ListBackfills(request)).next_page_token
    request.symbol = "ACME"
    assert (await refusal(rig.stub.ListBackfills(request))).reason == "INVALID_PAGE_TOKEN"


async def test_a_page_of_large_backfills_stays_small_enough_to_be_taken(rig: ServedRig) -> None:
    symbols = [f"{number}".rjust(30, "S") for number in range(1000)]
    rig.provider.symbols = set(symbols)
    for number in range(90):
        await rig.start_one(*symbols, backfill_id=f"b-{number:02}")
    request, found, pages = pb.ListBackfillsRequest(page_size=1000), [], 0
    while pages == 0 or request.page_token:
        answer = await rig.stub.ListBackfills(request)
        assert 0 < answer.ByteSize() < 3 * 1024 * 1024
        found += [one.backfill_id for one in answer.backfills]
        request.page_token = answer.next_page_token
        pages += 1
    assert found == [f"b-{number:02}" for number in reversed(range(90))]
    assert pages > 1


@pytest.mark.parametrize(
    ("name", "request_of"),
    [
        ("GetBackfill", pb.GetBackfillRequest),
        ("StreamBackfill", pb.StreamBackfillRequest),
        ("CancelBackfill", pb.CancelBackfillRequest),
        ("ResumeBackfill", pb.ResumeBackfillRequest),
    ],
)
async def test_a_backfill_that_is_not_there_is_not_found(rig: ServedRig, name: str, request_of: Any) -> None:
    refused = await refusal(getattr(rig.stub, name)(request_of(backfill_id="nothing")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "BACKFILL_NOT_FOUND")


@pytest.mark.parametrize(
    ("request_of", "code", "reason"),
    [
        (start("ACME", "NONE"), grpc.StatusCode.NOT_FOUND, "INSTRUMENT_NOT_FOUND"),
        (start(provider="nobody"), grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND"),
        (start(extended_hours=True), grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_NOT_CAPABLE"),
        (start(interval=0), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (start("ACME", "ACME"), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (start(end_time=stamp(START)), grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
        (start(start_time=stamp(NOW + timedelta(days=1)), end_time=None), grpc.StatusCode.INVALID_ARGUMENT, None),
    ],
)
async def test_what_cannot_be_is_refused_and_starts_nothing(
    rig: ServedRig, request_of: pb.StartBackfillRequest, code: grpc.StatusCode, reason: str | None
) -> None:
    refused = await refusal(rig.stub.StartBackfill(request_of))
    assert (refused.code, refused.reason) == (code, reason or refused.reason)
    assert list((await rig.stub.ListBackfills(pb.ListBackfillsRequest())).backfills) == []


async def test_an_id_with_other_content_is_refused(rig: ServedRig) -> None:
    await rig.start_one("ACME")
    refused = await refusal(rig.stub.StartBackfill(start("BOLT")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "JOB_ALREADY_EXISTS")


async def test_a_full_queue_says_when_to_try_again(rig: ServedRig) -> None:
    await asyncio.gather(*(rig.start_one(backfill_id=f"b-{number}") for number in range(100)))
    refused = await refusal(rig.stub.StartBackfill(start(backfill_id="one-more")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert refused.retry_seconds > 0


async def test_a_store_that_does_not_answer_is_unavailable(rig: ServedRig) -> None:
    async def fails(backfill_id: str) -> None:
        raise Unavailable("the store could not be read: repeat the request")

    rig.runner.board.store.get = fails  # type: ignore[method-assign]
    refused = await refusal(rig.stub.GetBackfill(pb.GetBackfillRequest(backfill_id="b-1")))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
