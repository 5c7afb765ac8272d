"""The registry that every order is held against: what is found for an order, and what ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from application.ports.journal import Control
from application.risk.controls import NO_CEILING, Controls, control_id
from domain.risk.aggregates.dead_man_switch import DeadManState, DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile, stricter
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.risk.value_objects.trading_state import TradingState
from tests.support.trading import START, D

STRATEGY = Scope(ScopeKind.STRATEGY, "", "momentum")
SYMBOL = Scope(ScopeKind.SYMBOL, "", "ACME")
ORDER = ("desk", "momentum", "ACME")

SCOPES = [
    (EVERYTHING, True),
    (of_account("desk"), True),
    (of_account("other"), False),
    (STRATEGY, True),
    (replace(STRATEGY, account_id="desk"), True),
    (replace(STRATEGY, account_id="other"), False),
    (replace(STRATEGY, key="other"), False),
    (SYMBOL, True),
    (replace(SYMBOL, account_id="desk"), True),
    (replace(SYMBOL, account_id="other"), False),
    (replace(SYMBOL, key="BOLT"), False),
]


def kill(scope: Scope = EVERYTHING, id: str = "k-1", **more: Any) -> KillSwitch:
    return KillSwitch(id, scope, True, False, "enough", "user:boss", START, **more)


def state(scope: Scope = EVERYTHING, to: TradingState = TradingState.HALTED, version: int = 1) -> ScopedTradingState:
    return ScopedTradingState(scope, to, version, "why", "user:boss", START)


def dead_man(**more: Any) -> DeadManSwitch:
    return DeadManSwitch("d-1", EVERYTHING, D(5), START + timedelta(seconds=5), True, False, "user:x", START, **more)


@pytest.mark.parametrize(("scope", "is_in"), SCOPES, ids=str)
def test_a_kill_switch_and_a_state_are_found_for_the_orders_in_their_scope_only(scope: Scope, is_in: bool) -> None:
    assert scope.covers(*ORDER) is is_in
    assert (Controls([kill(scope)]).kill_for(*ORDER) is not None) is is_in
    assert (Controls([state(scope)]).state_for(*ORDER) is not None) is is_in


def test_an_order_without_a_strategy_is_in_the_scope_of_none() -> None:
    assert Controls([kill(STRATEGY)]).kill_for("desk", "", "ACME") is None


def test_the_most_severe_of_several_states_counts() -> None:
    controls = Controls([state(EVERYTHING, TradingState.REDUCING), state(SYMBOL, TradingState.HALTED)])
    found = controls.state_for(*ORDER)
    assert found is not None
    assert found.scope == SYMBOL


def test_a_state_that_is_active_again_is_remembered_and_holds_nobody_back() -> None:
    controls = Controls([state()])
    controls.put(state(to=TradingState.ACTIVE, version=2))
    assert controls.state_for(*ORDER) is None
    assert controls.state_of(EVERYTHING) == state(to=TradingState.ACTIVE, version=2)


@pytest.mark.parametrize(
    ("control", "ended"),
    [(kill(), kill(engaged=False)), (dead_man(), dead_man(state=DeadManState.FIRED))],
    ids=["kill switch", "dead-man switch"],
)
def test_what_has_ended_is_let_go(control: Any, ended: Any) -> None:
    controls = Controls([control])
    assert controls.get(control_id(control)) == control
    controls.put(ended)
    assert controls.get(control_id(control)) is None
    assert list(controls) == []
    assert controls.kill_for(*ORDER) is None
    assert controls.armed(EVERYTHING) is None


def test_loading_forgets_what_was_there_before() -> None:
    controls = Controls([kill(), state(), RiskProfile("", max_open_orders=1)])
    controls.load([dead_man()])
    assert list(controls) == [dead_man()]
    assert controls.kill_for(*ORDER) is None
    assert controls.state_for(*ORDER) is None
    assert controls.firm == NO_CEILING


def test_what_bears_on_an_account_is_all_that_it_could_have_something_in_the_scope_of() -> None:
    mine: list[Control] = [kill(), state(of_account("desk")), kill(replace(SYMBOL, account_id="desk"), "k-2")]
    controls = Controls([*mine, kill(of_account("other"), "k-3")])
    assert list(controls.bearing_on("desk")) == mine


def test_no_ceiling_changes_no_account() -> None:
    own = RiskProfile("desk", max_order_quantity=D(7))
    assert stricter(own, NO_CEILING) == own
