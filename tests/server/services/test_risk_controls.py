"""Kill switches, trading states, dead-man switches and the firm's ceiling, as a client sees them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.risk.v1 import dead_man_switch_pb2 as dead_man
from quantmesh.risk.v1 import kill_switch_pb2 as kill
from quantmesh.risk.v1 import trading_state_pb2 as states
from quantmesh.risk.v1.risk_profile_pb2 import GetRiskProfileRequest, RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import GetFirmRiskProfileRequest, UpdateFirmRiskProfileRequest
from quantmesh.risk.v1.scope_pb2 import AllScope, Scope, StrategyScope, SymbolScope
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, ListPositionsRequest
from quantmesh.trading.v1.order_pb2 import CANCEL_REASON_KILL_SWITCH, ORDER_STATUS_PENDING_CANCEL
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.type.v1.trading_state_pb2 import TRADING_STATE_ACTIVE, TRADING_STATE_HALTED, TRADING_STATE_REDUCING
from tests.server.rig import ACCOUNT, Rig, application, limit, refusal, scripted, until

CODE = grpc.StatusCode
EVERYTHING = Scope(all=AllScope())
THE_ACCOUNT = Scope(account_id=ACCOUNT)
BOSS = (("x-quantmesh-actor", "boss"),)

SCOPES = [
    EVERYTHING,
    THE_ACCOUNT,
    Scope(strategy=StrategyScope(strategy_id="momentum")),
    Scope(strategy=StrategyScope(strategy_id="momentum", account_id=ACCOUNT)),
    Scope(symbol=SymbolScope(symbol="ACME")),
    Scope(symbol=SymbolScope(symbol="ACME", account_id=ACCOUNT)),
]


async def engage(rig: Rig, scope: Scope = THE_ACCOUNT, **more: Any) -> kill.EngageKillSwitchResponse:
    request = kill.EngageKillSwitchRequest(scope=scope, reason="enough", **more)
    return await rig.client.risk.EngageKillSwitch(request, metadata=BOSS)


async def release(rig: Rig, switch: kill.KillSwitch, version: int | None = None) -> kill.KillSwitch:
    request = kill.ReleaseKillSwitchRequest(
        kill_switch_id=switch.kill_switch_id, reason="all clear", expected_version=version or switch.version
    )
    return (await rig.client.risk.ReleaseKillSwitch(request, metadata=BOSS)).kill_switch


async def arm(rig: Rig, scope: Scope = THE_ACCOUNT, seconds: int = 5, **more: Any) -> dead_man.DeadManSwitch:
    request = dead_man.ArmDeadManSwitchRequest(
        scope=scope, timeout=Duration(seconds=seconds), reason="watchdog", **more
    )
    return (await rig.client.risk.ArmDeadManSwitch(request, metadata=BOSS)).dead_man_switch


async def set_state(rig: Rig, state: Any, scope: Scope = THE_ACCOUNT, **more: Any) -> states.ScopedTradingState:
    request = states.SetTradingStateRequest(scope=scope, trading_state=state, reason="why", **more)
    return (await rig.client.risk.SetTradingState(request, metadata=BOSS)).state


async def placing(rig: Rig, client_order_id: str = "y") -> Any:
    order = limit(client_order_id, strategy_id="momentum")
    return await refusal(rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=order)))


async def until_shown(call: Callable[[], Any], field: str, *, any_of_it: bool) -> None:
    """Return once the answer has something in `field`, or has nothing in it any more."""
    for _ in range(400):
        if bool(getattr(await call(), field)) is any_of_it:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"{field} did not come to that")


# -- kill switches ----------------------------------------------------------------------------------------


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


# -- trading states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES, ids=str)
async def test_a_state_is_in_force_once_it_is_answered(scope: Scope) -> None:
    async with scripted() as rig:
        state = await set_state(rig, TRADING_STATE_HALTED, scope)
        assert (state.scope, state.trading_state, state.version) == (scope, TRADING_STATE_HALTED, 1)
        assert (state.reason, state.updated_by) == ("why", "user:boss")
        assert (await placing(rig)).rules == ["TRADING_STATE"]
        await set_state(rig, TRADING_STATE_ACTIVE, scope, expected_version=1)
        await rig.place("z", strategy_id="momentum")


async def test_a_state_of_another_version_and_one_under_a_kill_switch_are_refused() -> None:
    async with scripted() as rig:
        await set_state(rig, TRADING_STATE_REDUCING)
        refused = await refusal(set_state(rig, TRADING_STATE_ACTIVE, expected_version=3))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")
        switch = (await engage(rig)).kill_switch
        refused = await refusal(set_state(rig, TRADING_STATE_ACTIVE))
        assert (refused.code, refused.reason) == (CODE.FAILED_PRECONDITION, "KILL_SWITCH_ENGAGED")
        assert refused.metadata == {"kill_switch_id": switch.kill_switch_id}


async def test_states_are_listed_page_by_page() -> None:
    async with scripted() as rig:
        for scope in SCOPES:
            await set_state(rig, TRADING_STATE_REDUCING, scope)
        listed: list[Scope] = []
        request = states.ListTradingStatesRequest(page_size=4)
        for expected in (4, 2):
            answer = await rig.client.risk.ListTradingStates(request)
            assert len(answer.states) == expected
            listed += [state.scope for state in answer.states]
            request.page_token = answer.next_page_token
        assert not request.page_token
        assert sorted(map(str, listed)) == sorted(map(str, SCOPES))


# -- dead-man switches ------------------------------------------------------------------------------------


async def test_a_switch_that_is_not_refreshed_fires() -> None:
    async with scripted() as rig:
        armed = await arm(rig, flatten=True)
        assert (armed.state, armed.armed_by) == (dead_man.DEAD_MAN_SWITCH_STATE_ARMED, "user:boss")
        assert armed.timeout == Duration(seconds=5)
        assert (armed.cancel_orders, armed.flatten, armed.kill_switch_id) == (True, True, "")
        rig.clock.advance(3)
        asked = dead_man.RefreshDeadManSwitchRequest(dead_man_switch_id=armed.dead_man_switch_id)
        refreshed = (await rig.client.risk.RefreshDeadManSwitch(asked)).dead_man_switch
        assert refreshed.expire_time.seconds == armed.expire_time.seconds + 3
        rig.clock.advance(5)
        await until(
            lambda: len(list(rig.engine.controls)) and rig.engine.controls.get(armed.dead_man_switch_id) is None
        )
        listed = await rig.client.risk.ListDeadManSwitches(
            dead_man.ListDeadManSwitchesRequest(account_id=ACCOUNT, include_ended=True)
        )
        (fired,) = listed.dead_man_switches
        assert fired.state == dead_man.DEAD_MAN_SWITCH_STATE_FIRED
        got = await rig.client.risk.GetKillSwitch(kill.GetKillSwitchRequest(kill_switch_id=fired.kill_switch_id))
        assert got.kill_switch.engaged_by == f"dead_man_switch:{armed.dead_man_switch_id}"
        refused = await refusal(rig.client.risk.RefreshDeadManSwitch(asked))
        assert (refused.code, refused.reason) == (CODE.NOT_FOUND, "DEAD_MAN_SWITCH_NOT_FOUND")


async def test_arming_again_sets_the_same_switch_anew_and_disarming_can_be_repeated() -> None:
    async with scripted() as rig:
        first = await arm(rig)
        again = await arm(rig, seconds=9, cancel_orders=False)
        assert again.dead_man_switch_id == first.dead_man_switch_id
        assert (again.timeout.seconds, again.cancel_orders) == (9, False)
        request = dead_man.DisarmDeadManSwitchRequest(dead_man_switch_id=first.dead_man_switch_id, reason="home")
        answers = [(await rig.client.risk.DisarmDeadManSwitch(request)).dead_man_switch for _ in range(2)]
        assert answers[0] == answers[1]
        assert answers[0].state == dead_man.DEAD_MAN_SWITCH_STATE_DISARMED
        assert not (await rig.client.risk.ListDeadManSwitches(dead_man.ListDeadManSwitchesRequest())).dead_man_switches


async def test_a_dead_man_switch_that_is_not_there() -> None:
    async with scripted() as rig:
        disarm = dead_man.DisarmDeadManSwitchRequest(dead_man_switch_id="nope", reason="why")
        for call in (
            rig.client.risk.RefreshDeadManSwitch(dead_man.RefreshDeadManSwitchRequest(dead_man_switch_id="nope")),
            rig.client.risk.DisarmDeadManSwitch(disarm),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (CODE.NOT_FOUND, "DEAD_MAN_SWITCH_NOT_FOUND")
            assert refused.metadata == {"dead_man_switch_id": "nope"}


# -- the firm's ceiling -----------------------------------------------------------------------------------


async def test_the_ceiling_is_set_read_and_applied() -> None:
    async with scripted() as rig:
        before = (await rig.client.risk.GetFirmRiskProfile(GetFirmRiskProfileRequest())).risk_profile
        assert (before.account_id, before.version) == ("", 1)
        assert not before.HasField("max_leverage")
        request = UpdateFirmRiskProfileRequest(
            risk_profile=RiskProfile(max_order_quantity="50"), expected_version=1, reason="caution"
        )
        after = (await rig.client.risk.UpdateFirmRiskProfile(request, metadata=BOSS)).risk_profile
        assert (after.version, after.max_order_quantity, after.updated_by) == (2, "50", "user:boss")
        assert after.trading_state == TRADING_STATE_ACTIVE
        assert (await rig.client.risk.GetFirmRiskProfile(GetFirmRiskProfileRequest())).risk_profile == after
        profile = await rig.client.risk.GetRiskProfile(GetRiskProfileRequest(account_id=ACCOUNT))
        assert profile.effective_risk_profile.max_order_quantity == "50"
        assert (await placing(rig)).rules == ["MAX_ORDER_QUANTITY"]
        refused = await refusal(rig.client.risk.UpdateFirmRiskProfile(request))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")


async def test_the_ceiling_refuses_fields_that_cannot_be_set() -> None:
    async with scripted() as rig:
        for path in ("version", "no_such_limit"):
            request = UpdateFirmRiskProfileRequest(
                risk_profile=RiskProfile(), update_mask=FieldMask(paths=[path]), reason="why"
            )
            refused = await refusal(rig.client.risk.UpdateFirmRiskProfile(request))
            assert (refused.code, list(refused.fields)) == (CODE.INVALID_ARGUMENT, ["update_mask.paths"])


# -- bad requests -----------------------------------------------------------------------------------------

_TOO_LONG = "x" * 257
_MADE_UP = "made up"
_BAD: list[tuple[str, Any, str]] = [
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(reason="why"), "scope"),
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(scope=Scope(), reason="why"), "scope.target"),
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(scope=EVERYTHING), "reason"),
    ("EngageKillSwitch", kill.EngageKillSwitchRequest(scope=EVERYTHING, reason=_TOO_LONG), "reason"),
    (
        "EngageKillSwitch",
        kill.EngageKillSwitchRequest(scope=EVERYTHING, reason="why", cancel_orders=False, flatten=True),
        "request",
    ),
    (
        "EngageKillSwitch",
        kill.EngageKillSwitchRequest(scope=Scope(symbol=SymbolScope()), reason="why"),
        "scope.symbol.symbol",
    ),
    ("ReleaseKillSwitch", kill.ReleaseKillSwitchRequest(kill_switch_id="k", reason="why"), "expected_version"),
    ("ReleaseKillSwitch", kill.ReleaseKillSwitchRequest(kill_switch_id="k", expected_version=1), "reason"),
    ("ReleaseKillSwitch", kill.ReleaseKillSwitchRequest(reason="why", expected_version=1), "kill_switch_id"),
    ("GetKillSwitch", kill.GetKillSwitchRequest(), "kill_switch_id"),
    ("ListKillSwitches", kill.ListKillSwitchesRequest(page_size=1001), "page_size"),
    ("ListKillSwitches", kill.ListKillSwitchesRequest(page_token=_MADE_UP), "page_token"),
    ("SetTradingState", states.SetTradingStateRequest(scope=EVERYTHING, reason="why"), "trading_state"),
    (
        "SetTradingState",
        states.SetTradingStateRequest(scope=EVERYTHING, reason="why", trading_state=9),  # type: ignore[arg-type]  # no such state
        "trading_state",
    ),
    ("ListTradingStates", states.ListTradingStatesRequest(page_token=_MADE_UP), "page_token"),
    (
        "ArmDeadManSwitch",
        dead_man.ArmDeadManSwitchRequest(scope=EVERYTHING, reason="why", timeout=Duration(nanos=999_999_999)),
        "timeout",
    ),
    (
        "ArmDeadManSwitch",
        dead_man.ArmDeadManSwitchRequest(scope=EVERYTHING, reason="why", timeout=Duration(seconds=86_401)),
        "timeout",
    ),
    ("ArmDeadManSwitch", dead_man.ArmDeadManSwitchRequest(scope=EVERYTHING, reason="why"), "timeout"),
    ("RefreshDeadManSwitch", dead_man.RefreshDeadManSwitchRequest(), "dead_man_switch_id"),
    ("DisarmDeadManSwitch", dead_man.DisarmDeadManSwitchRequest(dead_man_switch_id="d"), "reason"),
    ("ListDeadManSwitches", dead_man.ListDeadManSwitchesRequest(page_size=-1), "page_size"),
    ("UpdateFirmRiskProfile", UpdateFirmRiskProfileRequest(risk_profile=RiskProfile()), "reason"),
    ("UpdateFirmRiskProfile", UpdateFirmRiskProfileRequest(reason="why"), "risk_profile"),
]


async def test_a_malformed_request_names_the_field_and_changes_nothing() -> None:
    async with scripted() as rig:
        for name, request, field in _BAD:
            refused = await refusal(getattr(rig.client.risk, name)(request))
            assert refused.code is CODE.INVALID_ARGUMENT, (name, request)
            assert field in refused.fields, (name, request, refused.fields)
        assert list(rig.engine.controls) == []


async def test_an_account_that_is_not_there_is_not_told_from_one_without_a_grant() -> None:
    nobody = Scope(account_id="nobody")
    async with scripted() as rig:
        for call in (
            engage(rig, nobody),
            engage(rig, Scope(symbol=SymbolScope(symbol="ACME", account_id="nobody"))),
            arm(rig, nobody),
            set_state(rig, TRADING_STATE_HALTED, nobody),
            rig.client.risk.ListKillSwitches(kill.ListKillSwitchesRequest(account_id="nobody")),
            rig.client.risk.ListTradingStates(states.ListTradingStatesRequest(account_id="nobody")),
            rig.client.risk.ListDeadManSwitches(dead_man.ListDeadManSwitchesRequest(account_id="nobody")),
        ):
            refused = await refusal(call)
            assert (refused.code, refused.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
