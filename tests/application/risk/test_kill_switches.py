"""Engaging and releasing: idempotent, durable, and nothing new in the scope after the answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from application.risk.commands.enforce_kill_switch_command import EnforceKillSwitch
from application.risk.commands.note_control_command import NoteControl
from application.trading.commands.create_account_command import CreateAccount
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.commands.place_order_group_command import PlaceOrderGroup
from domain.errors import AccessDenied, InvalidArgument, NotFound, OrderNotPlaced, Unavailable, VersionMismatch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason, GroupType, Side
from tests.support.engine import MAIN, Fault
from tests.support.risk_desk import ACCOUNT, BOSS, DeskHouse
from tests.support.trading import D, terms

X = ExecType
STRATEGY = Scope(ScopeKind.STRATEGY, "", "momentum")
SYMBOL = Scope(ScopeKind.SYMBOL, "", "ACME")


@pytest.fixture
async def house() -> AsyncIterator[DeskHouse]:
    house = await DeskHouse().open()
    yield house
    await house.close()


# -- engaging ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", [EVERYTHING, ACCOUNT, STRATEGY, SYMBOL], ids=lambda scope: scope.kind.value)
async def test_after_the_answer_no_new_order_in_the_scope_is_taken(house: DeskHouse, scope: Scope) -> None:
    await house.place("before", strategy_id="momentum")
    engaged = await house.engage(scope)
    with pytest.raises(OrderNotPlaced) as refused:
        await house.place("after", strategy_id="momentum")
    assert [violation.rule for violation in refused.value.violations] == ["KILL_SWITCH"]
    assert house.broker.times("submit", house.order("after").order_id) == 0
    assert not engaged.already_engaged
    assert house.stored_controls[engaged.view.kill.kill_switch_id] == engaged.view.kill


@pytest.mark.parametrize("scope", [STRATEGY, SYMBOL], ids=lambda scope: scope.kind.value)
async def test_an_order_outside_of_the_scope_goes_on(house: DeskHouse, scope: Scope) -> None:
    await house.place("other", symbol="BOLT", price=20, strategy_id="value")
    await house.engage(scope)
    await house.place("new", symbol="BOLT", price=20, strategy_id="value")
    assert house.submissions("new") == 1
    assert not house.order("other").cancel_pending


async def test_every_open_order_has_its_cancel_recorded_and_sent_when_the_answer_comes(house: DeskHouse) -> None:
    for name in ("a", "b"):
        await house.place(name)
        await house.tell(X.NEW, name)
    view = (await house.engage()).view
    assert [(o.order.terms.client_order_id, o.state.value) for o in view.outcomes] == [
        ("a", "CANCELING"),
        ("b", "CANCELING"),
    ]
    assert view.open_order_count == 2
    for name in ("a", "b"):
        order = house.order(name)
        assert order.cancel_pending
        assert order.cancel_reason is CancelReason.KILL_SWITCH
        assert house.broker.times("cancel", order.order_id) == 1


async def test_outcomes_follow_the_orders_to_their_ends(house: DeskHouse) -> None:
    for name in ("canceled", "filled", "pending"):
        await house.place(name, quantity=10)
        await house.tell(X.NEW, name)
    kill = (await house.engage()).view.kill
    await house.tell(X.CANCELED, "canceled")
    await house.tell(X.TRADE, "filled", execution_id="t1", quantity=10)
    assert await house.outcomes(kill.kill_switch_id) == ["CANCELED", "CANCELING", "CANCELING"]
    await house.tell(X.CANCEL_REJECTED, "filled", reason="too late")
    assert await house.outcomes(kill.kill_switch_id) == ["CANCELED", "ENDED", "CANCELING"]
    assert (await house.desk.kill_switches.get(kill.kill_switch_id)).open_order_count == 1


async def test_orders_are_left_open_when_no_cancels_are_asked_for(house: DeskHouse) -> None:
    await house.place()
    await house.tell(X.NEW)
    view = (await house.engage(cancel_orders=False)).view
    await house.pass_time(3)
    assert not house.order().cancel_pending
    assert [outcome.state.value for outcome in view.outcomes] == ["LEFT_OPEN"]


async def test_a_held_child_ends_at_once(house: DeskHouse) -> None:
    members = (terms("entry", quantity=10), terms("exit", Side.SELL, 10, 60))
    await house.run(PlaceOrderGroup(MAIN, "user:test", GroupType.OTO, members, ("orders[0]", "orders[1]")))
    await house.tell(X.NEW, "entry")
    await house.engage()
    assert house.happened("exit")[-1] == "ORDER_CANCELED"
    assert house.submissions("exit") == 0


async def test_engaging_again_gives_the_same_switch_and_changes_nothing(house: DeskHouse) -> None:
    first = await house.engage()
    again = await house.engage()
    assert again.already_engaged
    assert again.view.kill == first.view.kill
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED)) == 1


async def test_engaging_again_adds_what_is_new_and_takes_nothing_away(house: DeskHouse) -> None:
    await house.place()
    await house.tell(X.NEW)
    first = (await house.engage(cancel_orders=False)).view.kill
    second = (await house.engage(cancel_orders=True, flatten=True)).view.kill
    third = (await house.engage(cancel_orders=False)).view.kill
    assert (first.version, second.version, third.version) == (1, 2, 2)
    assert (third.cancel_orders, third.flatten) == (True, True)
    assert third.orders == first.orders
    assert house.order().cancel_pending
    assert [e.kill_switch.version for e in house.noted(EventType.KILL_SWITCH_ENGAGED) if e.kill_switch] == [1, 2]


async def test_many_who_engage_at_once_engage_one_switch(house: DeskHouse) -> None:
    answers = await asyncio.gather(*(house.engage() for _ in range(8)))
    assert len({answer.view.kill.kill_switch_id for answer in answers}) == 1
    assert sum(not answer.already_engaged for answer in answers) == 1


async def test_no_order_is_accepted_after_it_was_engaged_however_they_interleave(house: DeskHouse) -> None:
    async def place(number: int) -> None:
        for _ in range(number % 7):
            await asyncio.sleep(0)
        await house.place(f"o-{number}", quantity=1)

    placing = [asyncio.create_task(place(number)) for number in range(60)]
    for _ in range(4):
        await asyncio.sleep(0)
    kill = (await house.engage()).view.kill
    sent_before_the_answer = len([verb for verb, _ in house.broker.handed if verb == "submit"])
    answers = await asyncio.gather(*placing, return_exceptions=True)
    await house.settle()
    accepted = [number for number, answer in enumerate(answers) if answer is None]
    assert 0 < len(accepted) < 60
    assert len([verb for verb, _ in house.broker.handed if verb == "submit"]) == sent_before_the_answer
    assert set(kill.orders) == {(MAIN, house.order(f"o-{number}").order_id) for number in accepted}
    assert all(house.order(f"o-{number}").cancel_pending for number in accepted)


async def test_the_account_is_told_once_by_whom_and_why(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    (event,) = house.noted(EventType.KILL_SWITCH_ENGAGED)
    assert (event.actor, event.reason) == (BOSS, "enough")
    assert event.kill_switch is not None
    assert event.kill_switch.kill_switch_id == kill.kill_switch_id
    assert event.kill_switch.orders == ()


async def test_an_account_that_comes_later_is_stopped_and_told_too(house: DeskHouse) -> None:
    await house.engage(EVERYTHING)
    await house.create_account(CreateAccount("late", BOSS, house.broker.name, "USD", D(1000)))
    with pytest.raises(OrderNotPlaced):
        await house.run(PlaceOrder("late", "user:test", terms("x", quantity=1)))
    await house.pass_time(1.5)
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED, "late")) == 1


async def test_flatten_without_cancels_is_refused_and_changes_nothing(house: DeskHouse) -> None:
    with pytest.raises(InvalidArgument, match="flatten"):
        await house.engage(cancel_orders=False, flatten=True)
    assert list(house.controls) == []


async def test_a_scope_of_an_account_that_is_not_there_is_refused(house: DeskHouse) -> None:
    with pytest.raises(AccessDenied):
        await house.engage(of_account("nobody"))


async def test_a_caller_that_goes_away_does_not_stop_it(house: DeskHouse) -> None:
    house.journal.gate.clear()
    calling = asyncio.create_task(house.engage())
    await house.settle()
    calling.cancel()
    house.journal.gate.set()
    await house.settle()
    assert house.controls.engaged(ACCOUNT) is not None
    house.require_memory_equals_store()


# -- when the store fails ---------------------------------------------------------------------------------


async def test_a_switch_that_could_not_be_stored_is_not_engaged(house: DeskHouse) -> None:
    house.journal.faults.append(Fault.NOT_WRITTEN)
    with pytest.raises(Unavailable):
        await house.engage()
    assert house.controls.engaged(ACCOUNT) is None
    house.require_memory_equals_store()
    await house.place()


async def test_a_switch_that_was_stored_without_anybody_being_told_is_engaged_and_found_by_the_next(
    house: DeskHouse,
) -> None:
    await house.place()
    await house.tell(X.NEW)
    house.journal.faults.append(Fault.WRITTEN)
    with pytest.raises(Unavailable):
        await house.engage()
    house.require_memory_equals_store()
    again = await house.engage()
    assert again.already_engaged
    assert house.order().cancel_pending


async def test_while_the_store_cannot_be_read_back_nothing_new_is_taken_and_then_the_store_counts(
    house: DeskHouse,
) -> None:
    house.journal.faults.append(Fault.NOT_WRITTEN)
    house.journal.failing_reads = 1
    with pytest.raises(Unavailable):
        await house.engage()
    assert house.controls.engaged(ACCOUNT) is not None
    with pytest.raises(OrderNotPlaced):
        await house.place("meanwhile")
    await house.pass_time(1.5)
    assert house.controls.engaged(ACCOUNT) is None
    house.require_memory_equals_store()


async def test_no_order_is_accepted_while_the_commit_is_under_way(house: DeskHouse) -> None:
    house.journal.gate.clear()
    engaging = asyncio.create_task(house.engage())
    await house.settle()
    placing = asyncio.create_task(house.place())
    await house.settle()
    house.journal.gate.set()
    await engaging
    with pytest.raises(OrderNotPlaced):
        await placing


# -- releasing --------------------------------------------------------------------------------------------


async def release(house: DeskHouse, kill: KillSwitch, version: int | None = None) -> KillSwitch:
    released = await house.desk.kill_switches.release(
        kill.kill_switch_id, "all clear", "user:other", version or kill.version
    )
    return released.kill


async def test_after_the_release_orders_are_taken_again(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    released = await release(house, kill)
    assert (released.engaged, released.version, released.release_reason) == (False, 2, "all clear")
    assert (released.released_by, released.released_time) == ("user:other", house.clock.now())
    await house.place()
    (event,) = house.noted(EventType.KILL_SWITCH_RELEASED)
    assert (event.actor, event.reason) == ("user:other", "all clear")
    house.require_memory_equals_store()


async def test_releasing_another_version_is_refused_and_changes_nothing(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    with pytest.raises(VersionMismatch) as refused:
        await release(house, kill, 7)
    assert refused.value.metadata == {"expected_version": "7", "current_version": "1"}
    assert house.controls.engaged(ACCOUNT) == kill


async def test_releasing_again_gives_it_back_whatever_the_version(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    first = await release(house, kill)
    assert await release(house, kill, 9) == first
    assert len(house.noted(EventType.KILL_SWITCH_RELEASED)) == 1


async def test_a_switch_that_nobody_knows_is_not_found(house: DeskHouse) -> None:
    for ask in (house.desk.kill_switches.get("nope"), house.desk.kill_switches.release("nope", "why", BOSS, 1)):
        with pytest.raises(NotFound) as refused:
            await ask
        assert refused.value.reason == "KILL_SWITCH_NOT_FOUND"


async def test_engaging_a_released_scope_makes_a_new_switch(house: DeskHouse) -> None:
    first = (await house.engage()).view.kill
    await release(house, first)
    second = await house.engage()
    assert not second.already_engaged
    assert second.view.kill.kill_switch_id != first.kill_switch_id


async def test_a_release_that_could_not_be_stored_leaves_it_engaged(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    house.journal.faults.append(Fault.NOT_WRITTEN)
    with pytest.raises(Unavailable):
        await release(house, kill)
    with pytest.raises(OrderNotPlaced):
        await house.place()
    house.require_memory_equals_store()


async def test_no_order_is_taken_before_the_release_is_durable(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    house.journal.gate.clear()
    releasing = asyncio.create_task(release(house, kill))
    await house.settle()
    placing = asyncio.create_task(house.place())
    await house.settle()
    house.journal.gate.set()
    await releasing
    with pytest.raises(OrderNotPlaced):
        await placing


async def test_a_registry_that_is_read_back_during_the_release_takes_it_all_the_same(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    house.journal.gate.clear()
    releasing = asyncio.create_task(release(house, kill))
    await house.settle()
    house.controls.load([replace(kill)])
    house.journal.gate.set()
    await releasing
    house.require_memory_equals_store()


async def test_noting_and_enforcing_again_change_nothing(house: DeskHouse) -> None:
    await house.place()
    await house.tell(X.NEW)
    kill = (await house.engage()).view.kill
    recorded = len(house.events)
    await house.run(NoteControl(MAIN, BOSS, kill))
    assert await house.run(EnforceKillSwitch(MAIN, BOSS, kill.kill_switch_id)) == ()
    assert len(house.events) == recorded


async def test_a_switch_that_a_loss_limit_has_just_engaged_is_durable_when_it_is_given_back(house: DeskHouse) -> None:
    struck = KillSwitch("k-1", ACCOUNT, True, True, "loss limit", "system", house.clock.now())
    house.controls.put(struck)
    answer = await house.engage()
    assert (answer.already_engaged, answer.view.kill) == (True, struck)
    assert house.stored_controls["k-1"] == struck


async def test_lists_have_the_newest_first_and_the_released_only_when_asked(house: DeskHouse) -> None:
    first = (await house.engage(SYMBOL)).view.kill
    await release(house, first)
    second = (await house.engage(EVERYTHING)).view.kill
    third = (await house.engage(ACCOUNT)).view.kill
    page = house.desk.kill_switches.page
    assert [view.kill.kill_switch_id for view in await page("", True, "", 10)] == [
        third.kill_switch_id,
        second.kill_switch_id,
        first.kill_switch_id,
    ]
    assert [view.kill for view in await page(MAIN, False, third.kill_switch_id, 10)] == [second]
