"""Trading states and the firm's ceiling: in force when they are answered, versioned, and noted by every account."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from application.trading.commands.create_account_command import CreateAccount
from domain.errors import AccessDenied, OrderNotPlaced, PreconditionFailed, Unavailable, VersionMismatch
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.events.order_events import EventType
from tests.support.engine import MAIN, Fault
from tests.support.risk_desk import ACCOUNT, BOSS, DeskHouse
from tests.support.trading import D

HALTED, REDUCING, ACTIVE = TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE


@pytest.fixture
async def house() -> AsyncIterator[DeskHouse]:
    house = await DeskHouse().open()
    yield house
    await house.close()


async def set_state(
    house: DeskHouse, state: TradingState, scope: Scope = ACCOUNT, version: int | None = None, reason: str = "why"
) -> ScopedTradingState:
    return await house.desk.set_trading_state(scope, state, reason, BOSS, version)


# -- trading states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scope",
    [EVERYTHING, ACCOUNT, Scope(ScopeKind.STRATEGY, "", "momentum"), Scope(ScopeKind.SYMBOL, MAIN, "ACME")],
    ids=lambda scope: scope.kind.value,
)
@pytest.mark.parametrize("state", [HALTED, REDUCING])
async def test_once_answered_it_holds_for_the_next_order(house: DeskHouse, scope: Scope, state: TradingState) -> None:
    answer = await set_state(house, state, scope)
    assert (answer.state, answer.version, answer.updated_by) == (state, 1, BOSS)
    with pytest.raises(OrderNotPlaced) as refused:
        await house.place("x", strategy_id="momentum")
    assert [violation.rule for violation in refused.value.violations] == ["TRADING_STATE"]
    await set_state(house, ACTIVE, scope)
    await house.place("y", strategy_id="momentum")
    house.require_memory_equals_store()


async def test_it_survives_a_restart(house: DeskHouse) -> None:
    await set_state(house, HALTED)
    await house.restart()
    with pytest.raises(OrderNotPlaced):
        await house.place()
    assert (await set_state(house, ACTIVE)).version == 2


async def test_the_account_is_told_of_each_change_with_what_it_was_before(house: DeskHouse) -> None:
    for state in (REDUCING, HALTED, ACTIVE):
        await set_state(house, state)
    told = house.noted(EventType.TRADING_STATE_CHANGED)
    assert [(e.previous_state, e.trading_state and e.trading_state.state) for e in told] == [
        (None, REDUCING),
        (REDUCING, HALTED),
        (HALTED, ACTIVE),
    ]
    await house.pass_time(3)
    assert len(house.noted(EventType.TRADING_STATE_CHANGED)) == 3


async def test_a_repeat_changes_nothing(house: DeskHouse) -> None:
    first = await set_state(house, HALTED)
    assert await set_state(house, HALTED) == first
    assert (await set_state(house, HALTED, reason="another")).version == 2


async def test_another_version_is_refused(house: DeskHouse) -> None:
    await set_state(house, HALTED)
    with pytest.raises(VersionMismatch) as refused:
        await set_state(house, ACTIVE, version=2)
    assert refused.value.metadata == {"expected_version": "2", "current_version": "1"}
    assert (await set_state(house, ACTIVE, version=1)).version == 2


async def test_a_kill_switch_of_the_same_scope_must_be_released_first(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    with pytest.raises(PreconditionFailed) as refused:
        await set_state(house, ACTIVE)
    assert refused.value.reason == "KILL_SWITCH_ENGAGED"
    assert refused.value.metadata == {"kill_switch_id": kill.kill_switch_id}
    await set_state(house, HALTED, EVERYTHING)


async def test_a_change_that_could_not_be_stored_is_not_made(house: DeskHouse) -> None:
    for before, after in ((ACTIVE, HALTED), (HALTED, ACTIVE)):
        await set_state(house, before)
        house.journal.faults.append(Fault.NOT_WRITTEN)
        with pytest.raises(Unavailable):
            await set_state(house, after)
        found = house.controls.state_of(ACCOUNT)
        assert found is not None
        assert found.state is before
        house.require_memory_equals_store()


async def test_what_holds_back_is_in_force_before_it_is_durable_and_what_lets_go_only_after(house: DeskHouse) -> None:
    for state in (HALTED, ACTIVE):
        house.journal.gate.clear()
        setting = asyncio.create_task(set_state(house, state))
        await house.settle()
        assert house.controls.state_for(MAIN, "", "ACME") is not None
        house.journal.gate.set()
        await setting
    assert house.controls.state_for(MAIN, "", "ACME") is None


async def test_a_loss_limit_that_strikes_meanwhile_is_not_undone(house: DeskHouse) -> None:
    """An account's own limit changes the registry in its own turn, not the desk's."""
    await set_state(house, HALTED)
    house.journal.gate.clear()
    setting = asyncio.create_task(set_state(house, ACTIVE))
    await house.settle()
    struck = ScopedTradingState(ACCOUNT, REDUCING, 2, "loss limit", "system", house.clock.now())
    house.controls.put(struck)
    house.journal.gate.set()
    await setting
    assert house.controls.state_of(ACCOUNT) == struck


async def test_states_are_listed_with_those_that_are_active_again(house: DeskHouse) -> None:
    await set_state(house, HALTED, EVERYTHING)
    await set_state(house, ACTIVE, EVERYTHING)
    await set_state(house, REDUCING, ACCOUNT)
    listed = await house.desk.list_trading_states(MAIN, "", 10)
    assert [(state.scope.kind, state.state) for state in listed] == [
        (ScopeKind.ACCOUNT, REDUCING),
        (ScopeKind.ALL, ACTIVE),
    ]


async def test_an_account_that_is_not_there_is_refused(house: DeskHouse) -> None:
    with pytest.raises(AccessDenied):
        await set_state(house, HALTED, of_account("nobody"))
    with pytest.raises(AccessDenied):
        await house.desk.list_trading_states("nobody", "", 10)


# -- the firm's ceiling -----------------------------------------------------------------------------------


async def test_the_ceiling_holds_for_the_next_order_of_every_account(house: DeskHouse) -> None:
    firm = await house.desk.update_firm_profile({"max_order_quantity": D(50)}, BOSS)
    assert (firm.profile.account_id, firm.profile.version, firm.profile.updated_by) == ("", 2, BOSS)
    with pytest.raises(OrderNotPlaced) as refused:
        await house.place(quantity=51)
    assert [violation.rule for violation in refused.value.violations] == ["MAX_ORDER_QUANTITY"]
    await house.place("y", quantity=50)


async def test_every_account_notes_the_ceiling_and_one_that_comes_later_does_too(house: DeskHouse) -> None:
    await house.desk.update_firm_profile({"max_order_quantity": D(50)}, BOSS)
    (event,) = house.noted(EventType.RISK_PROFILE_UPDATED)
    assert event.risk_profile is not None
    assert (event.risk_profile.account_id, event.changed_paths, event.actor) == ("", ("max_order_quantity",), BOSS)
    await house.create_account(CreateAccount("late", BOSS, house.broker.name, "USD", D(1000)))
    await house.pass_time(1.5)
    assert len(house.noted(EventType.RISK_PROFILE_UPDATED, "late")) == 1


async def test_the_ceiling_survives_a_restart(house: DeskHouse) -> None:
    firm = await house.desk.update_firm_profile({"max_open_orders": 3}, BOSS)
    await house.restart()
    assert (await house.desk.firm()).profile == firm.profile
    await house.pass_time(2)
    assert len(house.noted(EventType.RISK_PROFILE_UPDATED)) == 1


async def test_an_update_that_changes_nothing_makes_no_version(house: DeskHouse) -> None:
    first = await house.desk.update_firm_profile({"max_open_orders": 3}, BOSS)
    assert await house.desk.update_firm_profile({"max_open_orders": 3}, "user:other") == first


async def test_another_version_of_the_ceiling_is_refused(house: DeskHouse) -> None:
    with pytest.raises(VersionMismatch):
        await house.desk.update_firm_profile({"max_open_orders": 3}, BOSS, expected_version=2)
    assert (await house.desk.update_firm_profile({"max_open_orders": 3}, BOSS, 1)).profile.version == 2


async def test_while_a_new_ceiling_is_stored_the_stricter_of_each_changed_limit_holds(house: DeskHouse) -> None:
    await house.desk.update_firm_profile({"max_order_quantity": D(50), "max_open_orders": 5}, BOSS)
    house.journal.gate.clear()
    changes = {"max_order_quantity": D(90), "max_open_orders": 2}
    updating = asyncio.create_task(house.desk.update_firm_profile(changes, BOSS))
    await house.settle()
    held = house.controls.firm
    assert (held.max_order_quantity, held.max_open_orders, held.self_match_action) == (D(50), 2, None)
    house.journal.gate.set()
    firm = await updating
    assert (firm.profile.max_order_quantity, firm.profile.max_open_orders) == (D(90), 2)
    assert house.controls.firm == firm.profile


async def test_a_ceiling_that_could_not_be_stored_is_not_set(house: DeskHouse) -> None:
    before = house.controls.firm
    house.journal.faults.append(Fault.NOT_WRITTEN)
    with pytest.raises(Unavailable):
        await house.desk.update_firm_profile({"max_open_orders": 1}, BOSS)
    assert house.controls.firm == before
    house.require_memory_equals_store()


async def test_the_firm_is_halted_under_a_kill_switch_over_everything(house: DeskHouse) -> None:
    assert (await house.desk.firm()).trading_state is ACTIVE
    await set_state(house, REDUCING, EVERYTHING)
    assert (await house.desk.firm()).trading_state is REDUCING
    await house.engage(EVERYTHING)
    assert (await house.desk.firm()).trading_state is HALTED
