from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.persistence.store import Store
from application.ports.journal import Batch, Control
from application.risk.controls import FIRM_PROFILE_ID, control_id
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.risk.value_objects.trading_state import TradingState
from tests.support.domain_values import values
from tests.support.ledger import START

SCOPES = [EVERYTHING, of_account("desk"), of_account("other"), Scope(ScopeKind.SYMBOL, key="ACME")]
SCOPES += [Scope(ScopeKind.STRATEGY, "desk", "s-1"), Scope(ScopeKind.STRATEGY, "other", "s-1")]


def kill(number: int, scope: Scope = EVERYTHING, **more: Any) -> KillSwitch:
    return KillSwitch(f"{number:026}", scope, True, False, "why", "user:test", START, **more)


def armed(number: int, scope: Scope = EVERYTHING, **more: Any) -> DeadManSwitch:
    soon = START + timedelta(seconds=30)
    return DeadManSwitch(f"{number:026}", scope, Decimal(30), soon, True, False, "user:test", START, **more)


def state_of(scope: Scope, state: TradingState = TradingState.HALTED) -> ScopedTradingState:
    return ScopedTradingState(scope, state, 1, "why", "user:test", START)


async def put(store: Store, *controls: Control) -> None:
    await store.journal.append(Batch(controls={control_id(control): control for control in controls}))


async def in_force(store: Store) -> dict[str, Control]:
    return {control_id(control): control for control in await store.journal.controls()}


async def test_nothing_is_in_force_before_something_was_set(store: Store) -> None:
    assert list(await store.journal.controls()) == []
    assert list(await store.controls.kill_switches("", True, "", 10)) == []
    assert await store.controls.kill_switch("none") is None


async def test_a_start_reads_what_is_in_force(store: Store) -> None:
    engaged, watching = kill(1), armed(2)
    halted, active = state_of(EVERYTHING), state_of(of_account("desk"), TradingState.ACTIVE)
    firm = RiskProfile("", max_leverage=Decimal(3), restricted_symbols=frozenset({"ACME", "BOLT"}))
    await put(store, engaged, watching, halted, active, firm)
    await put(store, kill(3, engaged=False), armed(4, state=DeadManState.FIRED), armed(5, state=DeadManState.DISARMED))
    expected: Sequence[Control] = [engaged, watching, halted, active, firm]
    assert await in_force(store) == {control_id(control): control for control in expected}


async def test_a_control_that_changes_replaces_what_was_stored(store: Store) -> None:
    switch = kill(1, orders=(("desk", "o-1"), ("desk", "o-2")))
    await put(store, switch, RiskProfile("", version=1))
    released = replace(switch, version=2, engaged=False, release_reason="over", released_time=START)
    await put(store, released, RiskProfile("", version=2))
    assert await in_force(store) == {FIRM_PROFILE_ID: RiskProfile("", version=2)}
    assert await store.controls.kill_switch(switch.kill_switch_id) == released
    assert await store.controls.dead_man_switch(switch.kill_switch_id) is None


async def test_what_is_written_by_one_server_is_read_by_the_next(store: Store, open_another: Any) -> None:
    await put(store, kill(1))
    assert list(await (await open_another()).journal.controls()) == [kill(1)]


async def test_kill_switches_are_listed_newest_first_and_by_pages(store: Store) -> None:
    switches = [kill(number, engaged=number % 3 != 0) for number in range(1, 8)]
    await put(store, armed(9), state_of(EVERYTHING), *switches)
    newest_first = switches[::-1]
    listed = partial(store.controls.kill_switches, "")
    assert list(await listed(True, "", 10)) == newest_first
    assert list(await listed(False, "", 10)) == [one for one in newest_first if one.engaged]
    first = await listed(True, "", 4)
    await put(store, kill(8))  # between the pages
    assert [*first, *await listed(True, control_id(first[-1]), 4)] == newest_first


async def test_dead_man_switches_are_listed_newest_first_and_by_pages(store: Store) -> None:
    states = [DeadManState.ARMED, DeadManState.FIRED, DeadManState.DISARMED, DeadManState.ARMED]
    switches = [armed(number, state=state) for number, state in enumerate(states)]
    await put(store, kill(9), RiskProfile(""), *switches)
    listed = partial(store.controls.dead_man_switches, "")
    assert list(await listed(True, "", 10)) == switches[::-1]
    assert list(await listed(False, "", 10)) == [switches[3], switches[0]]
    assert list(await listed(True, switches[2].dead_man_switch_id, 1)) == [switches[1]]
    assert await store.controls.dead_man_switch(switches[1].dead_man_switch_id) == switches[1]


async def test_trading_states_are_listed_by_pages_the_active_ones_too(store: Store) -> None:
    states = sorted((state_of(scope) for scope in SCOPES), key=control_id)
    states[1] = replace(states[1], state=TradingState.ACTIVE)
    await put(store, RiskProfile(""), kill(1), *states)
    assert list(await store.controls.trading_states("", "", 10)) == states
    assert list(await store.controls.trading_states("", control_id(states[2]), 2)) == states[3:5]


@pytest.mark.parametrize("page", [1, 10])
async def test_a_list_for_an_account_has_what_bears_on_it(store: Store, page: int) -> None:
    for number, scope in enumerate(SCOPES):
        await put(store, kill(number, scope), armed(100 + number, scope), state_of(scope))

    async def scopes(listed: Callable[[str], Awaitable[Sequence[Any]]]) -> list[Scope]:
        found: list[Any] = []
        while some := await listed(control_id(found[-1]) if found else ""):
            assert len(some) <= page
            found += some
        return [one.scope for one in found]

    lists = store.controls
    bearing_on_it = [scope for scope in SCOPES if scope.account_id != "other"]
    assert await scopes(lambda after: lists.kill_switches("desk", False, after, page)) == bearing_on_it[::-1]
    assert await scopes(lambda after: lists.dead_man_switches("desk", True, after, page)) == bearing_on_it[::-1]
    by_id = sorted(bearing_on_it, key=lambda scope: control_id(state_of(scope)))
    assert await scopes(lambda after: lists.trading_states("desk", after, page)) == by_id


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    switch=values(KillSwitch, engaged=st.just(True), kill_switch_id=st.just("k")),
    watching=values(DeadManSwitch, state=st.just(DeadManState.ARMED), dead_man_switch_id=st.just("d")),
    state=values(ScopedTradingState, scope=st.just(EVERYTHING)),
    firm=values(RiskProfile, account_id=st.just("")),
)
async def test_whatever_is_set_comes_back_equal(
    store: Store, switch: KillSwitch, watching: DeadManSwitch, state: ScopedTradingState, firm: RiskProfile
) -> None:
    controls = {control_id(control): control for control in (switch, watching, state, firm)}
    await store.journal.append(Batch(controls=controls))
    assert await in_force(store) == controls
