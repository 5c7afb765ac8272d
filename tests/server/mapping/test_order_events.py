"""Journal records as the contract tells them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.risk.aggregates.dead_man_switch import DeadManState
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_type import CancelReason, OrderType, RestateReason
from quantmesh.trading.v1 import order_event_pb2 as pb
from quantmesh.trading.v1 import order_pb2
from quantmesh.type.v1 import trading_state_pb2
from server.mapping.order_events import event_message
from tests.support.one_of_each import DEAD_MAN, ORDER, PROFILE, STATE, event
from tests.support.trading import terms


@pytest.mark.parametrize("type", EventType)
def test_every_kind_of_record_says_what_happened(type: EventType) -> None:
    recorded = event(type)
    told = event_message(recorded)
    assert told.WhichOneof("event") is not None
    assert (told.account_id, told.sequence, told.actor) == ("desk", 7, "user:a")
    assert told.HasField("order") == (recorded.order is not None)


def test_a_stop_that_moved_says_where_it_stands_as_its_order_does() -> None:
    trail = terms(price=None, type=OrderType.TRAILING_STOP, trail_percent=Decimal("2.5"))
    moved = replace(ORDER, terms=trail, state=OrderStatus.NEW, active_stop_price=Decimal("97.50"), version=3)
    told = event_message(event(EventType.STOP_MOVED, order=moved))
    assert told.stop_moved == pb.StopMoved(stop_price="97.5")
    assert told.order.active_stop_price == "97.5"
    assert told.order.status == order_pb2.ORDER_STATUS_NEW


@pytest.mark.parametrize(
    ("state", "cancel_reason", "found"),
    [
        (OrderStatus.NEW, None, True),
        (OrderStatus.FILLED, None, True),
        (OrderStatus.REJECTED, None, True),
        (OrderStatus.CANCELED, CancelReason.REQUESTED, True),
        (OrderStatus.CANCELED, CancelReason.NEVER_SUBMITTED, False),
    ],
)
def test_a_submission_is_found_unless_its_broker_never_had_it(
    state: OrderStatus, cancel_reason: CancelReason | None, found: bool
) -> None:
    proven = replace(ORDER, state=state, cancel_reason=cancel_reason, version=3)
    told = event_message(event(EventType.SUBMISSION_RESOLVED, order=proven))
    assert told.submission_resolved == pb.SubmissionResolved(found=found)
    assert told.order.version == 3


@pytest.mark.parametrize(
    ("reason", "contracts"),
    [
        (RestateReason.PARENT_FILLED, pb.RESTATE_REASON_PARENT_FILLED),
        (RestateReason.GROUP_FILLED, pb.RESTATE_REASON_GROUP_FILLED),
    ],
)
def test_a_restated_order_says_why_and_what_the_broker_said(
    reason: RestateReason, contracts: pb.RestateReason.ValueType
) -> None:
    message = event_message(event(EventType.ORDER_RESTATED, restate_reason=reason))
    assert message.restated == pb.OrderRestated(reason=contracts, text="words")


def test_a_change_of_limits_names_them_as_the_contract_does() -> None:
    told = event_message(event(EventType.RISK_PROFILE_UPDATED)).risk_profile_updated
    assert told == pb.RiskProfileUpdated(version=2, paths=["allow_short_selling", "max_open_orders"])


def test_a_change_of_the_firms_limits_says_so() -> None:
    ceiling = replace(PROFILE, account_id="", version=9)
    told = event_message(event(EventType.RISK_PROFILE_UPDATED, risk_profile=ceiling)).risk_profile_updated
    assert (told.firm, told.version) == (True, 9)


def test_a_state_names_the_strategy_or_symbol_that_it_is_for() -> None:
    told = event_message(event(EventType.TRADING_STATE_CHANGED)).trading_state_changed
    assert told == pb.TradingStateChanged(
        trading_state=trading_state_pb2.TRADING_STATE_HALTED,
        previous_trading_state=trading_state_pb2.TRADING_STATE_REDUCING,
        strategy_id="trend",
        reason="too often",
    )
    for scope, strategy, symbol in (
        (Scope(ScopeKind.SYMBOL, "", "ACME"), "", "ACME"),
        (of_account("desk"), "", ""),
        (EVERYTHING, "", ""),
    ):
        state = replace(STATE, scope=scope)
        told = event_message(event(EventType.TRADING_STATE_CHANGED, trading_state=state)).trading_state_changed
        assert (told.strategy_id, told.symbol) == (strategy, symbol)


def test_a_state_that_was_never_set_was_active() -> None:
    told = event_message(event(EventType.TRADING_STATE_CHANGED, previous_state=None)).trading_state_changed
    assert told.previous_trading_state == trading_state_pb2.TRADING_STATE_ACTIVE


def test_a_refused_replace_names_its_order_and_the_first_rule() -> None:
    told = event_message(event(EventType.LIMIT_BREACHED)).risk_limit_reached
    assert (told.order_id, told.result.rule, told.result.passed) == ("o-1", "MAX_OPEN_ORDERS", False)
    assert (told.result.value, told.result.limit, told.result.unit) == ("4", "3", "orders")


def test_a_warning_is_of_a_rule_that_still_passes() -> None:
    told = event_message(event(EventType.LIMIT_WARNING)).risk_limit_reached
    assert (told.order_id, told.result.rule, told.result.passed) == ("", "MAX_POSITION", True)


def test_a_kill_switch_is_engaged_and_released_each_with_its_reason() -> None:
    engaged = event_message(event(EventType.KILL_SWITCH_ENGAGED)).kill_switch_engaged
    assert engaged == pb.KillSwitchEngaged(kill_switch_id="k-1", reason="fire drill")
    released = event_message(event(EventType.KILL_SWITCH_RELEASED)).kill_switch_released
    assert released == pb.KillSwitchReleased(kill_switch_id="k-1", reason="over")


@pytest.mark.parametrize(
    ("state", "kill_switch_id", "armed"),
    [(DeadManState.ARMED, "", True), (DeadManState.FIRED, "k-1", False), (DeadManState.DISARMED, "", False)],
)
def test_a_dead_man_switch_is_armed_or_disarmed_or_has_engaged_a_kill_switch(
    state: DeadManState, kill_switch_id: str, armed: bool
) -> None:
    switch = replace(DEAD_MAN, state=state, kill_switch_id=kill_switch_id)
    told = event_message(event(EventType.DEAD_MAN_SWITCH_CHANGED, dead_man_switch=switch)).dead_man_switch_changed
    assert told == pb.DeadManSwitchChanged(dead_man_switch_id="d-1", armed=armed, kill_switch_id=kill_switch_id)


def test_a_record_that_lacks_what_it_is_about_is_a_fault() -> None:
    with pytest.raises(ValueError, match="KILL_SWITCH_ENGAGED 7 of desk is incomplete"):
        event_message(event(EventType.KILL_SWITCH_ENGAGED, kill_switch=None))
