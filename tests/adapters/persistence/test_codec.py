import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.persistence.codec import (
    decode_account,
    decode_control,
    decode_event,
    decode_fill,
    decode_order,
    decode_position,
    decode_risk_profile,
    decode_risk_state,
    encode,
    encode_event,
    kind_of,
)
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event, EventType
from tests.support.domain_values import values
from tests.support.ledger import START, Ledger

DECODERS: dict[type, Callable[[bytes], Any]] = {
    Account: decode_account,
    Fill: decode_fill,
    Order: decode_order,
    Position: decode_position,
    RiskProfile: decode_risk_profile,
    RiskState: decode_risk_state,
}


@pytest.mark.parametrize("kind", DECODERS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_a_body_decodes_to_an_equal_value(kind: type, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert DECODERS[kind](encode(value)) == value


@pytest.mark.parametrize("kind", [KillSwitch, DeadManSwitch, ScopedTradingState, RiskProfile])
@given(data=st.data())
def test_a_control_decodes_by_its_kind(kind: type, data: st.DataObject) -> None:
    control = data.draw(values(kind))
    assert decode_control(kind_of(kind), encode(control)) == control


@given(values(Event))
def test_an_event_decodes_to_an_equal_event(event: Event) -> None:
    order_body = None if event.order is None else encode(event.order)
    assert decode_event(event.account_id, event.sequence, encode_event(event), order_body) == event


def test_a_decimal_keeps_its_digits_and_its_exponent() -> None:
    numbers = ["0.100", "1E-18", "12345678901234567890.123456789012345678", "1E+3", "-0.10", "0"]
    for number in numbers:
        account = Account("desk", "paper", "USD", Decimal(number), START)
        assert str(decode_account(encode(account)).starting_cash) == number


def test_numbers_are_strings_and_times_are_utc_for_whoever_reads_the_database() -> None:
    body = json.loads(encode(Ledger().account))
    assert body["starting_cash"] == "1000000"
    assert body["created_time"] == "2025-06-02T14:30:00Z"


def test_an_events_body_holds_neither_its_order_nor_what_says_nothing() -> None:
    ledger = Ledger()
    ledger.place("c-1")
    [event] = ledger.batch.events
    assert json.loads(encode_event(event)) == {
        "event_time": "2025-06-02T14:30:01Z",
        "actor": "user:test",
        "type": "ORDER_PLACED",
    }
    assert json.loads(encode_event(event._replace(reason="why")))["reason"] == "why"


def test_an_order_from_before_a_field_was_added_has_its_default() -> None:
    order = Ledger().place("c-1")
    body = json.loads(encode(order))
    del body["held"], body["group_id"]
    assert decode_order(json.dumps(body).encode()) == order


def test_an_event_of_no_order_decodes_without_one() -> None:
    event = Event("desk", 1, START, "user:test", EventType.ACCOUNT_CREATED, account=Ledger().account)
    assert decode_event("desk", 1, encode_event(event), None) == event
