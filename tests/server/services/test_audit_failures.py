"""Callers that go, stores that fail, and the commands of sessions: still one record each."""

import json
from typing import Any

import grpc
import pytest

from quantmesh.trading.v1.order_session_pb2 import (
    CancelAllCommand,
    CancelCommand,
    KeepAlive,
    OpenSession,
    OrderSessionRequest,
    PlaceCommand,
)
from server.interceptors.audit import SESSION
from tests.server.audit_calls import (
    ALLOWED,
    BOSS,
    DENIED,
    FAILED,
    HALT,
    NO_HALT,
    NOBODY,
    failing,
    placing,
    records,
    send,
    the_record,
)
from tests.server.rig import ACCOUNT, Refusal, Rig, limit, refusal, scripted, until, within
from tests.support.engine import FaultyJournal

# -- callers that go, stores that fail -------------------------------------------------------------------------


async def test_a_caller_that_hangs_up_leaves_a_record() -> None:
    async with failing() as (rig, _):
        journal = rig.engine.journal
        assert isinstance(journal, FaultyJournal)
        for request in (placing(), placing("y", quantity="1000000"), placing(account_id=NOBODY)):
            journal.gate.clear()
            call = rig.client.orders.PlaceOrder(request)
            await until(lambda: journal.waiting)
            call.cancel()
            await until(lambda: not rig.lifecycle.under_way)
            journal.gate.set()
            await until(lambda: not journal.waiting)
        expected = [(ALLOWED, 2), (DENIED, 3), (DENIED, 0)]
        assert [(record.outcome, record.sequence) for record in await records(rig)] == expected


async def test_a_call_of_the_firms_is_carried_out_and_recorded_though_its_caller_hangs_up() -> None:
    async with failing() as (rig, _):
        journal = rig.engine.journal
        assert isinstance(journal, FaultyJournal)
        journal.gate.clear()
        first, second = (send(rig, "SetTradingState", request) for request in (HALT, NO_HALT))
        await until(lambda: journal.waiting)
        first.cancel()
        second.cancel()
        journal.gate.set()
        await until(lambda: not rig.lifecycle.under_way)
        # Which of the two came first, only the network knows.
        assert sorted(record.outcome for record in await records(rig)) == sorted([ALLOWED, DENIED])


@pytest.mark.parametrize("point", ["journal_begin", "journal_insert_done", "journal_commit"])
async def test_a_change_that_is_not_stored_is_recorded_as_failed(point: str) -> None:
    async with failing() as (rig, fails):
        fails.point = point
        refused = await refusal(rig.client.orders.PlaceOrder(placing()))
        record = await the_record(rig)
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert (record.outcome, record.error, record.sequence) == (FAILED, refused.status, 0)
        assert rig.engine.writer(ACCOUNT).feed.last_sequence == 1


async def test_a_change_that_is_stored_though_its_commit_seemed_to_fail_is_recorded_as_it_is() -> None:
    async with failing() as (rig, fails):
        fails.point = "journal_commit_done"
        refused = await refusal(rig.client.orders.PlaceOrder(placing()))
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        record = await the_record(rig)
        assert (record.outcome, record.sequence) == (ALLOWED, 2)
        await until(lambda: rig.engine.writer(ACCOUNT).feed.last_sequence == 2)
        await rig.client.orders.PlaceOrder(placing())
        assert [record.sequence for record in await records(rig)] == [2, 0]


@pytest.mark.parametrize("account_id", [NOBODY, "no account"])
async def test_a_refusal_that_cannot_be_recorded_is_not_given(account_id: str) -> None:
    async with failing() as (rig, fails):
        fails.point = "journal_commit"
        refused = await refusal(rig.client.orders.PlaceOrder(placing(account_id=account_id)))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert await records(rig) == []


# -- sessions --------------------------------------------------------------------------------------------------


class Session:
    def __init__(self, rig: Rig) -> None:
        self.call = rig.client.orders.OrderSession(metadata=BOSS)

    async def send(self, **command: Any) -> Any:
        """The answer to the command."""
        await self.call.write(OrderSessionRequest(command_id="c", **command))
        return await within(self.call.read())


async def test_each_command_of_a_session_is_a_call() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.send(open=OpenSession(account_id=ACCOUNT))
        await session.send(keep_alive=KeepAlive())
        placed = (await session.send(place=PlaceCommand(order=limit()))).done
        refused = (await session.send(place=PlaceCommand(order=limit("y", quantity="1000000")))).error
        malformed = (await session.send(place=PlaceCommand(order=limit("z", quantity="-1")))).error
        mapped = (await session.send(place=PlaceCommand(order=limit("w", time_in_force=5)))).error
        missing = (await session.send(cancel=CancelCommand(client_order_id="none", reason="why"))).error
        canceled = (await session.send(cancel_all=CancelAllCommand(reason="all"))).cancel_all_done
        found = await records(rig)
        assert {(record.rpc, record.actor, record.account_id) for record in found} == {(SESSION, "user:boss", ACCOUNT)}
        assert [record.outcome for record in found] == [ALLOWED, DENIED, DENIED, DENIED, DENIED, ALLOWED]
        assert [record.error for record in found[1:5]] == [refused, malformed, mapped, missing]
        assert [record.reason for record in found] == ["", "", "", "", "why", "all"]
        assert [record.sequence for record in found] == [placed.sequence, 3, 0, 0, 0, canceled.sequence]
        assert json.loads(found[0].request_json)["place"]["order"]["clientOrderId"] == "x"
        assert found[0].peer.startswith(("127.0.0.1:", "[::1]:"))


async def test_a_session_that_has_no_command_to_decide_leaves_none() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.send(open=OpenSession(account_id=ACCOUNT))
        assert (await session.send(open=OpenSession(account_id=ACCOUNT))).HasField("error")
        await refusal(rig.client.orders.OrderSession(iter([OrderSessionRequest(open=OpenSession(account_id=NOBODY))])))
        assert await records(rig) == []


@pytest.mark.parametrize("point", ["journal_commit", "journal_commit_done"])
async def test_a_sessions_command_whose_commit_fails_has_one_record(point: str) -> None:
    async with failing() as (rig, fails):
        session = Session(rig)
        await session.send(open=OpenSession(account_id=ACCOUNT))
        fails.point = point
        failed = Refusal((await session.send(place=PlaceCommand(order=limit()))).error)
        assert failed.code is grpc.StatusCode.UNAVAILABLE
        record = await the_record(rig)
        assert record.outcome == (FAILED if point == "journal_commit" else ALLOWED)


async def test_a_sessions_refusal_that_cannot_be_recorded_is_not_given() -> None:
    async with failing() as (rig, fails):
        session = Session(rig)
        await session.send(open=OpenSession(account_id=ACCOUNT))
        fails.point = "journal_commit"
        refused = Refusal((await session.send(place=PlaceCommand(order=limit(quantity="-1")))).error)
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert await records(rig) == []
