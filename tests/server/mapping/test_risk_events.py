"""Which journal records RiskService tells, and as what."""

from dataclasses import replace

import pytest

from domain.trading.events.order_events import EventType
from quantmesh.risk.v1 import risk_event_pb2
from server.mapping.risk_events import is_risk_event, risk_event_message
from tests.support.one_of_each import ORDER, event

RISK_EVENTS = {
    EventType.RISK_PROFILE_UPDATED: "risk_profile_changed",
    EventType.ORDER_REJECTED: "limit_breached",
    EventType.TRADING_STATE_CHANGED: "trading_state_updated",
    EventType.LIMIT_BREACHED: "limit_breached",
    EventType.LIMIT_WARNING: "limit_warning",
    EventType.KILL_SWITCH_ENGAGED: "kill_switch_changed",
    EventType.KILL_SWITCH_RELEASED: "kill_switch_changed",
    EventType.DEAD_MAN_SWITCH_CHANGED: "dead_man_switch_changed",
}


@pytest.mark.parametrize("type", EventType)
def test_what_bears_on_risk_is_told_and_nothing_else(type: EventType) -> None:
    recorded = event(type)
    assert is_risk_event(recorded) == (type in RISK_EVENTS)
    if type in RISK_EVENTS:
        told = risk_event_message(recorded)
        assert told.WhichOneof("event") == RISK_EVENTS[type]
        assert (told.account_id, told.sequence, told.actor) == ("desk", 7, "user:a")


def test_every_kind_of_the_contract_is_told_of_something() -> None:
    kinds = {field.name for field in risk_event_pb2.RiskEvent.DESCRIPTOR.oneofs_by_name["event"].fields}
    assert kinds == set(RISK_EVENTS.values())


def test_an_order_that_the_broker_refused_is_no_risk_event() -> None:
    assert not is_risk_event(event(EventType.ORDER_REJECTED, violations=()))


@pytest.mark.parametrize("type", [EventType.ORDER_REJECTED, EventType.LIMIT_BREACHED])
def test_a_breach_names_its_order_and_every_rule(type: EventType) -> None:
    told = risk_event_message(event(type))
    assert told.order_id == ORDER.order_id
    shown = [(result.rule, result.passed, result.value, result.limit) for result in told.limit_breached.results]
    assert shown == [("MAX_OPEN_ORDERS", False, "4", "3"), ("MAX_ORDER_QUANTITY", False, "6", "5")]


def test_a_loss_limit_that_was_reached_is_about_no_order() -> None:
    assert risk_event_message(event(EventType.LIMIT_BREACHED, order_id="")).order_id == ""


def test_a_breach_by_an_order_of_another_event_is_told_by_the_order_itself() -> None:
    rejected = event(EventType.ORDER_REJECTED, order=replace(ORDER, order_id="o-9"))
    assert risk_event_message(rejected).order_id == "o-9"


def test_a_warning_says_how_much_of_the_limit_is_used() -> None:
    use = risk_event_message(event(EventType.LIMIT_WARNING)).limit_warning.limit_use
    assert (use.rule, use.key, use.value, use.limit, use.used_percent) == ("MAX_POSITION", "ACME", "80", "100", "80")
