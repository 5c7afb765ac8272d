"""Kill switches as a client sees them: what is stopped, what becomes of its orders, and how it is released."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.risk.v1 import kill_switch_pb2 as kill
from quantmesh.risk.v1.scope_pb2 import Scope, SymbolScope
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, ListPositionsRequest
from quantmesh.trading.v1.order_pb2 import CANCEL_REASON_KILL_SWITCH, ORDER_STATUS_PENDING_CANCEL
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from tests.server.audit_calls import BOSS
from tests.server.rig import ACCOUNT, Rig, application, limit, refusal, scripted
from tests.server.risk_calls import EVERYTHING, SCOPES, engage, placing

CODE = grpc.StatusCode


async def release(rig: Rig, switch: kill.KillSwitch, version: int | None = None) -> kill.KillSwitch:
    request = kill.ReleaseKillSwitchRequest(
        kill_switch_id=switch.kill_switch_id, reason="all clear", expected_version=version or switch.version
    )
    return (await rig.client.risk.ReleaseKillSwitch(request, metadata=BOSS)).kill_switch


async def until_shown(call: Callable[[], Any], field: str, *, any_of_it: bool) -> None:
    """Return once the answer has something in `field`, or has nothing in it any more."""
    for _ in range(400):
        if bool(getattr(await call(), field)) is any_of_it:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{field} did not come to that")


@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_an_engaged_scope_takes_no_orders_and_its_open_ones_are_cancelled(scope: Scope) -> None:
    async with scripted() as rig:
        placed = await rig.place("x", strategy_id="momentum")
        rig.tell(placed, ExecType.NEW)
        await rig.settled()
        answer = await engage(rig, scope)
        assert answer.kill_switch.scope == scope
        assert answer.kill_switch.engaged
        assert not answer.already_engaged
        assert (answer.kill_switch.engaged_by, answer.kill_switch.reason) == ("user:boss", "enough")
        assert (answer.kill_switch.version, answer.kill_switch.cancel_orders) == (1, True)
        assert answer.kill_switch.open_order_count == 1
        (outcome,) = answer.outcomes
        assert (outcome.account_id, outcome.order_id, outcome.client_order_id) == (ACCOUNT, placed.order_id, "x")
        assert outcome.state == kill.KILL_SWITCH_ORDER_STATE_CANCELING
        assert outcome.order.status == ORDER_STATUS_PENDING_CANCEL
        refused = await placing(rig)
        assert (refused.code, refused.rules) == (CODE.FAILED_PRECONDITION, ["KILL_SWITCH"])
        rig.tell(placed, ExecType.CANCELED)
        await rig.settled()
        assert (await rig.order()).cancel_reason == CANCEL_REASON_KILL_SWITCH


async def test_the_switch_of_a_symbol_that_nobody_knows_is_in_force_and_the_answer_says_so() -> None:
    async with scripted() as rig:
        known, slip = [await engage(rig, Scope(symbol=SymbolScope(symbol=symbol))) for symbol in ("ACME", "AMCE")]
        assert (known.symbol_unknown, slip.symbol_unknown) == (False, True)
        assert slip.kill_switch.engaged


async def test_get_shows_how_the_orders_go_on_and_why_a_cancel_did_not_go_through() -> None:
    async with scripted() as rig:
        orders = [await rig.place(name) for name in ("canceled", "refused")]
        for order in orders:
            rig.tell(order, ExecType.NEW)
        await rig.settled()
        switch = (await engage(rig)).kill_switch
        rig.tell(orders[0], ExecType.CANCELED)
        rig.tell(orders[1], ExecType.CANCEL_REJECTED, reason="too busy")
        await rig.settled()
        got = await rig.client.risk.GetKillSwitch(kill.GetKillSwitchRequest(kill_switch_id=switch.kill_switch_id))
        assert got.kill_switch.open_order_count == 1
        assert [outcome.state for outcome in got.outcomes] == [
            kill.KILL_SWITCH_ORDER_STATE_CANCELED,
            kill.KILL_SWITCH_ORDER_STATE_RETRYING,
        ]
        assert not got.outcomes[0].HasField("error")
        error = got.outcomes[1].error
        assert (error.code, "too busy" in error.message) == (CODE.UNAVAILABLE.value[0], True)


async def test_engaging_twice_gives_the_same_switch_and_adds_what_is_new() -> None:
    async with scripted() as rig:
        first = await engage(rig, cancel_orders=False)
        again = await engage(rig, flatten=True)
        assert again.already_engaged
        assert again.kill_switch.kill_switch_id == first.kill_switch.kill_switch_id
        assert (again.kill_switch.version, again.kill_switch.cancel_orders, again.kill_switch.flatten) == (
            2,
            True,
            True,
        )


async def test_a_release_needs_the_version_and_can_be_repeated_whatever_the_version() -> None:
    async with scripted() as rig:
        switch = (await engage(rig)).kill_switch
        refused = await refusal(release(rig, switch, 5))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")
        assert refused.metadata == {"expected_version": "5", "current_version": "1"}
        released = await release(rig, switch)
        assert (released.engaged, released.version, released.released_by) == (False, 2, "user:boss")
        assert released.release_reason == "all clear"
        assert released.HasField("released_time")
        assert await release(rig, switch, 5) == released
        await rig.place()


async def test_a_kill_switch_that_is_not_there() -> None:
    async with scripted() as rig:
        nobody = kill.KillSwitch(kill_switch_id="nope", version=1)
        calls = [
            rig.client.risk.GetKillSwitch(kill.GetKillSwitchRequest(kill_switch_id="nope")),
            release(rig, nobody),
        ]
        for call in calls:
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (CODE.NOT_FOUND, "KILL_SWITCH_NOT_FOUND")
            assert refused.metadata == {"kill_switch_id": "nope"}


async def test_kill_switches_are_listed_page_by_page_newest_first() -> None:
    async with scripted() as rig:
        await rig.create("other")
        made = []
        for scope in (*SCOPES, Scope(account_id="other")):
            made.append((await engage(rig, scope)).kill_switch)
            rig.clock.advance(1)
        await release(rig, made[0])
        listed: list[str] = []
        request = kill.ListKillSwitchesRequest(account_id=ACCOUNT, page_size=2)
        while True:
            answer = await rig.client.risk.ListKillSwitches(request)
            listed += [switch.kill_switch_id for switch in answer.kill_switches]
            request.page_token = answer.next_page_token
            if not answer.next_page_token:
                break
        assert listed == [switch.kill_switch_id for switch in reversed(made[1:6])]
        every = await rig.client.risk.ListKillSwitches(kill.ListKillSwitchesRequest(include_released=True))
        assert [switch.kill_switch_id for switch in every.kill_switches] == [s.kill_switch_id for s in reversed(made)]


async def test_a_caller_whose_deadline_passes_does_not_stop_it() -> None:
    async with scripted() as rig:
        request = kill.EngageKillSwitchRequest(scope=EVERYTHING, reason="enough")
        calls = [rig.client.risk.EngageKillSwitch(request, timeout=0.002) for _ in range(5)]
        await asyncio.gather(*calls, return_exceptions=True)
        answer = await engage(rig, EVERYTHING)
        assert answer.kill_switch.version == 1
        assert (await placing(rig)).rules == ["KILL_SWITCH"]


async def test_many_callers_who_place_and_engage_at_once_leave_nothing_open() -> None:
    async with scripted() as rig:

        async def place(number: int) -> bool:
            order = limit(f"o-{number}", quantity="1")
            call = rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=order))
            code = await call.code()
            assert code in (CODE.OK, CODE.FAILED_PRECONDITION)
            return code is CODE.OK

        placed = [asyncio.create_task(place(number)) for number in range(64)]
        await asyncio.sleep(0.01)
        answers = await asyncio.gather(*(engage(rig, EVERYTHING) for _ in range(4)))
        submitted = len(rig.broker.submitted)
        accepted = sum(await asyncio.gather(*placed))
        assert len({answer.kill_switch.kill_switch_id for answer in answers}) == 1
        assert len(rig.broker.submitted) == submitted == accepted
        assert {len(answer.outcomes) for answer in answers} == {accepted}
        cancelled = {order_id for verb, order_id in rig.broker.handed if verb == "cancel"}
        assert cancelled == set(rig.broker.submitted)


async def test_the_paper_broker_is_stopped_and_flattened_on_sqlite_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    stored = {"database": f"sqlite:///{tmp_path / 'q.db'}"}
    async with application(tmp_path, **stored) as (_, client):
        await client.accounts.CreateAccount(
            CreateAccountRequest(account_id=ACCOUNT, broker="paper", base_currency="USD", starting_cash="1000000")
        )
        for name, more in (("market", {"market": {}}), ("rests", {"price": "1"})):
            order = limit(name, symbol="BTC/USD", quantity="0.5", **more)
            await client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=order))
        positions = ListPositionsRequest(account_id=ACCOUNT)
        await until_shown(lambda: client.accounts.ListPositions(positions), "positions", any_of_it=True)
        request = kill.EngageKillSwitchRequest(scope=EVERYTHING, reason="enough", flatten=True)
        switch = (await client.risk.EngageKillSwitch(request)).kill_switch
        await until_shown(lambda: client.accounts.ListPositions(positions), "positions", any_of_it=False)
    async with application(tmp_path, **stored) as (_, client):
        got = await client.risk.GetKillSwitch(kill.GetKillSwitchRequest(kill_switch_id=switch.kill_switch_id))
        assert (got.kill_switch.engaged, got.kill_switch.open_order_count) == (True, 0)
        # The market order too, if the market was too thin to fill all of it.
        assert {outcome.state for outcome in got.outcomes} == {kill.KILL_SWITCH_ORDER_STATE_CANCELED}
        order = limit("after", symbol="BTC/USD", quantity="0.5", price="1")
        refused = await refusal(client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=order)))
        assert refused.rules == ["KILL_SWITCH"]
