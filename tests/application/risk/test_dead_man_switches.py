"""Dead-man switches: they fire by themselves, exactly when their time is up, the server's absence included."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.errors import AccessDenied, InvalidArgument, NotFound, OrderNotPlaced, Unavailable
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import EVERYTHING, of_account
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from tests.support.engine import MAIN, Fault
from tests.support.risk_desk import ACCOUNT, BOSS, DeskHouse
from tests.support.trading import D

X = ExecType


@pytest.fixture
async def house() -> AsyncIterator[DeskHouse]:
    house = await DeskHouse().open()
    yield house
    await house.close()


async def arm(house: DeskHouse, seconds: str = "5", **more: bool) -> DeadManSwitch:
    return await house.desk.dead_man_switches.arm(ACCOUNT, D(seconds), "watchdog", BOSS, **more)


def engaged(house: DeskHouse) -> KillSwitch | None:
    return house.controls.engaged(ACCOUNT)


async def test_it_waits_as_long_as_it_is_refreshed(house: DeskHouse) -> None:
    switch = await arm(house)
    for _ in range(4):
        await house.pass_time(4)
        refreshed = await house.desk.dead_man_switches.refresh(switch.dead_man_switch_id)
        assert refreshed.expire_time == house.clock.now() + timedelta(seconds=5)
    assert engaged(house) is None
    assert len(house.noted(EventType.DEAD_MAN_SWITCH_CHANGED)) == 1


async def test_it_fires_when_its_time_is_up_and_not_before(house: DeskHouse) -> None:
    await house.place()
    await house.tell(X.NEW)
    switch = await arm(house, "2.5")
    await house.pass_time(2.25)
    assert engaged(house) is None
    await house.pass_time(0.25)
    kill = engaged(house)
    assert kill is not None
    assert kill.engaged_by == f"dead_man_switch:{switch.dead_man_switch_id}"
    assert kill.orders == ((MAIN, house.order().order_id),)
    assert house.order().cancel_pending
    fired = house.stored_controls[switch.dead_man_switch_id]
    assert isinstance(fired, DeadManSwitch)
    assert (fired.state, fired.kill_switch_id) == (DeadManState.FIRED, kill.kill_switch_id)
    house.require_memory_equals_store()


async def test_the_account_is_told_that_it_was_armed_and_that_it_fired(house: DeskHouse) -> None:
    await arm(house)
    await house.pass_time(6)
    told = house.noted(EventType.DEAD_MAN_SWITCH_CHANGED)
    states = [event.dead_man_switch.state for event in told if event.dead_man_switch]
    assert states == [DeadManState.ARMED, DeadManState.FIRED]
    assert [event.actor for event in told] == [BOSS, "system"]
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED)) == 1


async def test_time_that_passes_while_the_server_is_down_counts(house: DeskHouse) -> None:
    await house.place()
    await house.tell(X.NEW)
    await arm(house, "60")
    await house.crash()
    await house.come_back(61)
    with pytest.raises(OrderNotPlaced):
        await house.place("y")
    await house.pass_time(1)
    assert house.order().cancel_pending
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED)) == 1


async def test_it_goes_on_waiting_after_a_short_absence(house: DeskHouse) -> None:
    await arm(house, "60")
    await house.restart(30)
    await house.pass_time(1)
    assert engaged(house) is None
    await house.pass_time(29)
    assert engaged(house) is not None


async def test_what_was_to_be_sent_after_a_crash_is_not_sent_when_it_fires_at_the_start(house: DeskHouse) -> None:
    await arm(house, "20")
    house.broker.submit = lambda order: None  # type: ignore[method-assign]  # the process dies before it is handed over
    await house.place()
    await house.restart(30)
    await house.pass_time(5)
    assert house.submissions() == 0


async def test_a_refresh_that_comes_too_late_fires_it(house: DeskHouse) -> None:
    switch = await arm(house)
    house.clock.advance(5)
    with pytest.raises(NotFound) as refused:
        await house.desk.dead_man_switches.refresh(switch.dead_man_switch_id)
    assert refused.value.reason == "DEAD_MAN_SWITCH_NOT_FOUND"
    assert engaged(house) is not None


async def test_arming_the_scope_again_refreshes_it_and_sets_it_anew(house: DeskHouse) -> None:
    first = await arm(house)
    await house.pass_time(4)
    second = await arm(house, "10", flatten=True)
    assert second.dead_man_switch_id == first.dead_man_switch_id
    assert (second.version, second.timeout, second.flatten) == (2, D(10), True)
    assert second.expire_time == house.clock.now() + timedelta(seconds=10)
    await house.pass_time(9)
    assert engaged(house) is None


async def test_one_that_was_disarmed_does_not_fire(house: DeskHouse) -> None:
    switch = await arm(house)
    disarm = house.desk.dead_man_switches.disarm
    disarmed = await disarm(switch.dead_man_switch_id, "going home", "user:other")
    assert disarmed.state is DeadManState.DISARMED
    await house.pass_time(6)
    assert engaged(house) is None
    assert await disarm(switch.dead_man_switch_id, "again", BOSS) == disarmed
    with pytest.raises(NotFound):
        await house.desk.dead_man_switches.refresh(switch.dead_man_switch_id)
    assert [event.actor for event in house.noted(EventType.DEAD_MAN_SWITCH_CHANGED)] == [BOSS, "user:other"]
    house.require_memory_equals_store()


async def test_disarming_one_that_fired_gives_it_back_and_its_kill_switch_stays(house: DeskHouse) -> None:
    switch = await arm(house)
    await house.pass_time(5)
    given = await house.desk.dead_man_switches.disarm(switch.dead_man_switch_id, "late", BOSS)
    assert given.state is DeadManState.FIRED
    assert engaged(house) is not None


async def test_one_that_fires_into_an_engaged_switch_adds_what_it_wants(house: DeskHouse) -> None:
    kill = (await house.engage(cancel_orders=False)).view.kill
    switch = await arm(house, flatten=True)
    await house.pass_time(5)
    fired = house.stored_controls[switch.dead_man_switch_id]
    assert isinstance(fired, DeadManSwitch)
    assert fired.kill_switch_id == kill.kill_switch_id
    stored = house.stored_controls[kill.kill_switch_id]
    assert isinstance(stored, KillSwitch)
    assert (stored.cancel_orders, stored.flatten, stored.version) == (True, True, 2)


async def test_while_the_store_fails_it_is_fired_again_and_again(house: DeskHouse) -> None:
    await arm(house)
    house.journal.faults += [Fault.NOT_WRITTEN] * 2
    await house.pass_time(9)
    assert engaged(house) is not None
    house.require_memory_equals_store()


async def test_a_refresh_that_could_not_be_stored_does_not_count(house: DeskHouse) -> None:
    switch = await arm(house)
    await house.pass_time(3)
    house.journal.faults.append(Fault.NOT_WRITTEN)
    with pytest.raises(Unavailable):
        await house.desk.dead_man_switches.refresh(switch.dead_man_switch_id)
    await house.pass_time(2)
    assert engaged(house) is not None


async def test_a_refresh_and_the_end_of_its_time_do_not_cross(house: DeskHouse) -> None:
    switch = await arm(house)
    await house.pass_time(4.75)
    house.journal.gate.clear()
    refreshing = asyncio.create_task(house.desk.dead_man_switches.refresh(switch.dead_man_switch_id))
    await house.settle()
    await house.pass_time(1)
    house.journal.gate.set()
    await refreshing
    await house.settle()
    assert engaged(house) is None
    house.require_memory_equals_store()


async def test_bad_requests_change_nothing(house: DeskHouse) -> None:
    with pytest.raises(InvalidArgument, match="flatten"):
        await arm(house, cancel_orders=False, flatten=True)
    with pytest.raises(AccessDenied):
        await house.desk.dead_man_switches.arm(of_account("nobody"), D(5), "why", BOSS)
    for ask in (
        house.desk.dead_man_switches.refresh("nope"),
        house.desk.dead_man_switches.disarm("nope", "why", BOSS),
    ):
        with pytest.raises(NotFound):
            await ask
    assert list(house.controls) == []


async def test_lists_have_the_newest_first_and_the_ended_only_when_asked(house: DeskHouse) -> None:
    first = await arm(house)
    await house.desk.dead_man_switches.disarm(first.dead_man_switch_id, "why", BOSS)
    second = await house.desk.dead_man_switches.arm(EVERYTHING, D(5), "why", BOSS)
    page = house.desk.dead_man_switches.page
    assert [switch.dead_man_switch_id for switch in await page("", True, "", 10)] == [
        second.dead_man_switch_id,
        first.dead_man_switch_id,
    ]
    assert list(await page(MAIN, False, "", 10)) == [second]
