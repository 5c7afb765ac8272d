"""StreamRiskEvents: what is told of the journal and what is not, three starts, exact resume, heartbeats and goodbye."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from application.ports.journal import Control
from application.risk.commands.note_control_command import NoteControl
from application.risk.controls import NO_CEILING
from domain.risk.aggregates.dead_man_switch import DeadManState
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.execution_report import ExecType
from quantmesh.risk.v1 import dead_man_switch_pb2
from quantmesh.risk.v1.dead_man_switch_pb2 import ArmDeadManSwitchRequest
from quantmesh.risk.v1.kill_switch_pb2 import EngageKillSwitchRequest, ReleaseKillSwitchRequest
from quantmesh.risk.v1.risk_event_pb2 import RiskSnapshot, StreamRiskEventsRequest
from quantmesh.risk.v1.risk_profile_pb2 import RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateFirmRiskProfileRequest, UpdateRiskProfileRequest
from quantmesh.risk.v1.scope_pb2 import Scope as ScopeMessage
from quantmesh.risk.v1.trading_state_pb2 import SetTradingStateRequest
from quantmesh.trading.v1.order_change_pb2 import ReplaceOrderRequest
from quantmesh.trading.v1.order_stream_pb2 import StreamOrderEventsRequest
from quantmesh.type.v1 import trading_state_pb2
from quantmesh.type.v1.stream_pb2 import Live, SnapshotThenLive
from tests.server.rig import ACCOUNT, Rig, kinds, refusal, rest, scripted, take, within
from tests.support.one_of_each import DEAD_MAN, KILL, RELEASED, STATE
from tests.support.trading import START

SOON = Duration(nanos=100_000_000)
SCOPE = ScopeMessage(account_id=ACCOUNT)
BOLT = Scope(ScopeKind.SYMBOL, "", "BOLT")


def risk_events(rig: Rig, **start: Any) -> Any:
    return rig.client.risk.StreamRiskEvents(StreamRiskEventsRequest(account_id=ACCOUNT, **start))


async def limit_orders(rig: Rig, most: int) -> int:
    """Set the most open orders; the sequence of the change."""
    request = UpdateRiskProfileRequest(account_id=ACCOUNT, risk_profile=RiskProfile(max_open_orders=most))
    return int((await rig.client.risk.UpdateRiskProfile(request)).sequence)


async def limit_quantity(rig: Rig, most: str) -> None:
    request = UpdateRiskProfileRequest(account_id=ACCOUNT, risk_profile=RiskProfile(max_order_quantity=most))
    await rig.client.risk.UpdateRiskProfile(request)


async def note(rig: Rig, control: Control, **more: Any) -> None:
    """Have the account's journal told of `control`, as the desk does."""
    await rig.engine.execute(NoteControl(ACCOUNT, "user:risk", control, **more))


async def note_one_of_each(rig: Rig) -> None:
    await note(rig, KILL)
    await note(rig, RELEASED)
    await note(rig, STATE, previous_state=TradingState.REDUCING)
    await note(rig, DEAD_MAN)
    await note(rig, replace(NO_CEILING, version=2, max_open_orders=9), changed_paths=("max_open_orders",))


# -- what is told ------------------------------------------------------------------------------------------


async def test_a_refused_order_is_a_breach_with_each_rules_value_and_limit() -> None:
    async with scripted() as rig:
        await limit_quantity(rig, "50")
        refused = await refusal(rig.place())
        [_, told] = await take(risk_events(rig, after_sequence=0), 2)
        assert (told.event.sequence, told.event.actor) == (3, "user:anonymous")
        assert told.event.order_id == refused.metadata["order_id"]
        [result] = told.event.limit_breached.results
        assert (result.rule, result.passed) == ("MAX_ORDER_QUANTITY", False)
        assert (result.value, result.limit, result.unit) == ("100", "50", "units")
        assert result.message


async def test_orders_that_broke_no_rule_are_not_told() -> None:
    async with scripted() as rig:
        order = await rig.place()
        rig.tell(order, ExecType.REJECTED, reason="not today")
        await rig.settled()
        changed = await limit_orders(rig, 5)
        [first] = await take(risk_events(rig, after_sequence=0), 1)
        assert first.event.sequence == changed == 4


async def test_a_change_of_limits_is_told_with_the_whole_profile_whose_state_is_not_said() -> None:
    async with scripted() as rig:
        await limit_orders(rig, 5)
        [told] = await take(risk_events(rig, after_sequence=0), 1)
        profile = told.event.risk_profile_changed.risk_profile
        assert (profile.account_id, profile.version, profile.max_open_orders) == (ACCOUNT, 2, 5)
        assert profile.updated_by == "user:anonymous"
        assert profile.trading_state == trading_state_pb2.TRADING_STATE_UNSPECIFIED


async def test_what_is_set_for_a_scope_is_told_by_every_account_that_it_bears_on() -> None:
    async with scripted() as rig:
        await note_one_of_each(rig)
        told = [message.event for message in await take(risk_events(rig, after_sequence=0), 5)]
        assert [event.sequence for event in told] == [2, 3, 4, 5, 6]
        assert {event.actor for event in told} == {"user:risk"}
        engaged, released, state, dead_man, ceiling = told
        assert engaged.kill_switch_changed.kill_switch.engaged
        assert engaged.kill_switch_changed.kill_switch.reason == "fire drill"
        assert engaged.kill_switch_changed.kill_switch.scope.HasField("all")
        assert not released.kill_switch_changed.kill_switch.engaged
        assert released.kill_switch_changed.kill_switch.release_reason == "over"
        assert state.trading_state_updated.state.scope.strategy.strategy_id == "trend"
        assert state.trading_state_updated.state.trading_state == trading_state_pb2.TRADING_STATE_HALTED
        assert dead_man.dead_man_switch_changed.dead_man_switch.timeout == Duration(seconds=1, nanos=500_000_000)
        assert ceiling.risk_profile_changed.risk_profile.account_id == ""
        assert ceiling.risk_profile_changed.risk_profile.max_open_orders == 9


async def test_what_the_desk_does_is_told_as_it_answered() -> None:
    async with scripted() as rig:
        risk = rig.client.risk
        stream = risk_events(rig, live=Live())
        await within(stream.read())
        firm = UpdateFirmRiskProfileRequest(risk_profile=RiskProfile(max_open_orders=9), reason="calm")
        ceiling = (await risk.UpdateFirmRiskProfile(firm)).risk_profile
        reducing = SetTradingStateRequest(
            scope=SCOPE, trading_state=trading_state_pb2.TRADING_STATE_REDUCING, reason="late"
        )
        state = (await risk.SetTradingState(reducing)).state
        engaged = (await risk.EngageKillSwitch(EngageKillSwitchRequest(scope=SCOPE, reason="drill"))).kill_switch
        release = ReleaseKillSwitchRequest(kill_switch_id=engaged.kill_switch_id, expected_version=1, reason="over")
        released = (await risk.ReleaseKillSwitch(release)).kill_switch
        arm = ArmDeadManSwitchRequest(scope=SCOPE, timeout=Duration(seconds=60), reason="lunch")
        armed = (await risk.ArmDeadManSwitch(arm)).dead_man_switch
        told = [message.event for message in await take(stream, 5)]
        assert [event.sequence for event in told] == [2, 3, 4, 5, 6]
        shown = told[0].risk_profile_changed.risk_profile
        shown.trading_state = ceiling.trading_state
        assert shown == ceiling
        assert told[1].trading_state_updated.state == state
        assert told[2].kill_switch_changed.kill_switch == engaged
        assert told[3].kill_switch_changed.kill_switch == released
        assert told[4].dead_man_switch_changed.dead_man_switch == armed


async def test_a_refused_replace_is_a_breach_that_names_the_order() -> None:
    async with scripted() as rig:
        order = await rig.place()
        rig.tell(order, ExecType.NEW)
        await rig.settled()
        await limit_quantity(rig, "100")
        replace_order = ReplaceOrderRequest(account_id=ACCOUNT, order_id=order.order_id, quantity="101")
        assert (await refusal(rig.client.orders.ReplaceOrder(replace_order))).rules == ["MAX_ORDER_QUANTITY"]
        [_, told] = await take(risk_events(rig, after_sequence=0), 2)
        assert told.event.order_id == order.order_id
        [result] = told.event.limit_breached.results
        assert (result.rule, result.value, result.limit) == ("MAX_ORDER_QUANTITY", "101", "100")
        request = StreamOrderEventsRequest(account_id=ACCOUNT, after_sequence=told.event.sequence - 1)
        [same] = await take(rig.client.orders.StreamOrderEvents(request), 1)
        assert (same.event.risk_limit_reached.order_id, same.event.sequence) == (order.order_id, told.event.sequence)


async def test_the_order_stream_stays_dense_over_all_of_it() -> None:
    async with scripted() as rig:
        await limit_quantity(rig, "50")
        await refusal(rig.place())
        await note_one_of_each(rig)
        request = StreamOrderEventsRequest(account_id=ACCOUNT, after_sequence=0)
        told = [message.event for message in await take(rig.client.orders.StreamOrderEvents(request), 8)]
        assert [event.sequence for event in told] == list(range(1, 9))
        assert kinds(told, "event") == [
            "account_created",
            "risk_profile_updated",
            "rejected",
            "kill_switch_engaged",
            "kill_switch_released",
            "trading_state_changed",
            "dead_man_switch_changed",
            "risk_profile_updated",
        ]
        assert [event.risk_profile_updated.firm for event in (told[1], told[7])] == [False, True]


# -- starts ------------------------------------------------------------------------------------------------


async def test_a_live_stream_says_at_once_where_it_stands() -> None:
    async with scripted() as rig:
        for stream in (risk_events(rig, live=Live()), risk_events(rig)):
            assert (await within(stream.read())).heartbeat.sequence == 1
        await limit_orders(rig, 5)
        assert (await within(stream.read())).event.sequence == 2


async def snapshot(rig: Rig) -> tuple[RiskSnapshot, int]:
    shown, end = await take(risk_events(rig, snapshot_then_live=SnapshotThenLive()), 2)
    assert kinds([shown, end]) == ["snapshot", "snapshot_end"]
    return shown.snapshot, end.snapshot_end.sequence


async def test_a_snapshot_is_one_message_of_all_that_bears_on_the_account_and_then_what_follows() -> None:
    async with scripted() as rig:
        await limit_orders(rig, 5)
        rig.engine.controls.put(replace(NO_CEILING, max_open_orders=3))
        order = await rig.place()
        rig.fill(order, "e1", 40)
        await rig.settled()
        stream = risk_events(rig, snapshot_then_live=SnapshotThenLive())
        shown, end = await take(stream, 2)
        profile, exposure = shown.snapshot.effective_risk_profile, shown.snapshot.exposure
        assert (profile.account_id, profile.version, profile.max_open_orders) == (ACCOUNT, 2, 3)
        assert profile.trading_state == trading_state_pb2.TRADING_STATE_ACTIVE
        assert (exposure.account_id, exposure.currency, exposure.long_exposure) == (ACCOUNT, "USD", "5000")
        assert exposure.sequence == end.snapshot_end.sequence == 4
        assert (await limit_orders(rig, 2), (await within(stream.read())).event.sequence) == (5, 5)


async def test_a_snapshot_has_the_switches_and_states_that_bear_on_the_account_and_are_in_force() -> None:
    async with scripted() as rig:
        here = of_account(ACCOUNT)
        elsewhere = of_account("other")
        put = rig.engine.controls.put
        done, still_open = await rig.place("done"), await rig.place("open")
        rig.fill(done, "e1", 100)
        await rig.settled()
        put(replace(KILL, orders=((ACCOUNT, done.order_id), (ACCOUNT, still_open.order_id))))
        put(replace(KILL, kill_switch_id="k-2", scope=elsewhere))
        put(replace(KILL, kill_switch_id="k-3", scope=here, engaged=False))
        for id, scope in (("d-1", here), ("d-2", elsewhere)):
            put(replace(DEAD_MAN, dead_man_switch_id=id, scope=scope))
        put(replace(DEAD_MAN, dead_man_switch_id="d-3", state=DeadManState.FIRED))
        for scope, state in (
            (BOLT, TradingState.HALTED),
            (here, TradingState.REDUCING),
            (EVERYTHING, TradingState.ACTIVE),
            (elsewhere, TradingState.HALTED),
        ):
            put(ScopedTradingState(scope, state, 1, "drill", "user:risk", START))
        shown, _ = await snapshot(rig)
        assert [(kill.kill_switch_id, kill.open_order_count) for kill in shown.kill_switches] == [("k-1", 1)]
        assert [switch.dead_man_switch_id for switch in shown.dead_man_switches] == ["d-1"]
        assert shown.dead_man_switches[0].state == dead_man_switch_pb2.DEAD_MAN_SWITCH_STATE_ARMED
        assert [(state.scope.symbol.symbol, state.scope.account_id) for state in shown.states] == [
            ("BOLT", ""),
            ("", ACCOUNT),
        ]
        assert shown.effective_risk_profile.trading_state == trading_state_pb2.TRADING_STATE_HALTED


async def test_a_snapshot_without_a_price_shows_what_is_missing() -> None:
    async with scripted() as rig:
        order = await rig.place()
        rig.fill(order, "e1", 40)
        await rig.settled()
        rig.quotes.remove("ACME")
        shown, _ = await snapshot(rig)
        assert shown.exposure.missing_prices == ["ACME"]
        assert shown.exposure.gross_exposure == ""


async def test_snapshots_taken_while_limits_change_neither_miss_nor_repeat_any() -> None:
    async with scripted() as rig:

        async def pour() -> None:
            for i in range(120):
                await limit_orders(rig, i + 1)
                await rig.place(f"p{i}", quantity="1")

        pouring = asyncio.create_task(pour())
        for _ in range(5):
            stream = risk_events(rig, snapshot_then_live=SnapshotThenLive())
            shown, end, following = await take(stream, 3)
            version = shown.snapshot.effective_risk_profile.version
            assert following.event.risk_profile_changed.risk_profile.version == version + 1
            assert following.event.sequence > end.snapshot_end.sequence == shown.snapshot.exposure.sequence
            stream.cancel()
        await pouring


# -- never dropped, never repeated -------------------------------------------------------------------------


async def test_a_reader_that_breaks_off_anywhere_resumes_without_a_gap_or_a_repeat() -> None:
    async with scripted() as rig:
        expected = []
        for i in range(40):
            expected.append(await limit_orders(rig, i + 1))
            await rig.place(f"p{i}", quantity="1")
            if i % 7 == 0:
                await note(rig, replace(STATE, version=i + 2))
                expected.append(expected[-1] + 2)
        chance, got, cursor = random.Random(5), list[int](), 0
        while len(got) < len(expected):
            stream = risk_events(rig, after_sequence=cursor)
            part = await take(stream, min(chance.randint(1, 6), len(expected) - len(got)))
            stream.cancel()
            got += [message.event.sequence for message in part]
            cursor = got[-1]
        assert got == expected


async def test_heartbeats_carry_the_sequence_that_needs_no_telling() -> None:
    async with scripted() as rig:
        stream = risk_events(rig, live=Live(), heartbeat_interval=SOON)
        await within(stream.read())
        for i in range(3):
            await rig.place(f"p{i}", quantity="1")
        while (message := await within(stream.read())).heartbeat.sequence < 4:
            assert message.WhichOneof("message") == "heartbeat"
        resumed = risk_events(rig, after_sequence=message.heartbeat.sequence)
        await within(resumed.initial_metadata())
        changed = await limit_orders(rig, 5)
        assert (await within(resumed.read())).event.sequence == changed == 5


async def test_a_cursor_from_the_future_is_out_of_range() -> None:
    async with scripted() as rig:
        refused = await refusal(risk_events(rig, after_sequence=2))
        assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_IN_FUTURE")
        assert refused.metadata == {"current_sequence": "1"}


@pytest.mark.parametrize("start", [{}, {"after_sequence": 0}, {"snapshot_then_live": SnapshotThenLive()}])
async def test_an_unknown_account_is_denied(start: dict[str, Any]) -> None:
    async with scripted() as rig:
        denied = await refusal(rig.client.risk.StreamRiskEvents(StreamRiskEventsRequest(account_id="nobody", **start)))
        assert (denied.code, denied.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")


async def test_a_malformed_request_is_refused_by_the_name_of_the_field() -> None:
    async with scripted() as rig:
        malformed = await refusal(risk_events(rig, heartbeat_interval=Duration(nanos=1)))
        assert list(malformed.fields) == ["heartbeat_interval"]


async def test_a_shutdown_says_goodbye_with_the_cursor_and_ends_well() -> None:
    async with scripted() as rig:
        changed = await limit_orders(rig, 5)
        streams = [risk_events(rig, live=Live()), risk_events(rig, after_sequence=0)]
        for stream in streams:
            await within(stream.read())
        stopping = asyncio.create_task(rig.stop())
        for stream in streams:
            *_, last = await rest(stream)
            assert (last.WhichOneof("message"), last.goodbye.sequence) == ("goodbye", changed)
            assert await stream.code() is grpc.StatusCode.OK
        await within(stopping)


async def test_a_hundred_subscribers_get_every_event_in_order() -> None:
    async with scripted() as rig:
        streams = [risk_events(rig, live=Live()) for _ in range(100)]
        for stream in streams:
            await within(stream.read())
        expected = [await limit_orders(rig, i + 1) for i in range(5)]
        for stream in streams:
            assert [message.event.sequence for message in await take(stream, 5)] == expected
