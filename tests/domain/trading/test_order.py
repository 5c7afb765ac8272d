from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.decimals import ZERO
from domain.errors import PreconditionFailed, VersionMismatch
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import CancelReason, OrderType, TimeInForce
from tests.support.trading import START, Desk, terms

S = OrderStatus


def order(state: OrderStatus = S.NEW, **fields: Any) -> Order:
    return replace(Desk().place(quantity=10), state=state, **fields)


def after(before: Order, type: ExecType, **details: Any) -> Order:
    report = ExecutionReport(before.account_id, before.order_id, type, START, **details)
    changes = before.effect_of(report)
    return before if changes is None else before.changed(START, 2, **changes)


@pytest.mark.parametrize(
    ("state", "stale"),
    [
        (S.PARTIALLY_FILLED, ExecType.NEW),
        (S.PARTIALLY_FILLED, ExecType.TRIGGERED),
        (S.TRIGGERED, ExecType.NEW),
        (S.FILLED, ExecType.NEW),
        (S.CANCELED, ExecType.EXPIRED),
        (S.CANCELED, ExecType.REJECTED),
        (S.EXPIRED, ExecType.CANCELED),
        (S.REJECTED, ExecType.NEW),
        (S.NEW, ExecType.CANCEL_REJECTED),
        (S.NEW, ExecType.REPLACED),
        (S.NEW, ExecType.REPLACE_REJECTED),
        (S.NEW, ExecType.UNCLEAR),
        (S.NEW, ExecType.ABSENT),
    ],
)
def test_a_late_report_has_no_effect(state: OrderStatus, stale: ExecType) -> None:
    report = ExecutionReport("desk", "x", stale, START, reason="late")
    assert order(state).effect_of(report) is None


@pytest.mark.parametrize("type", [ExecType.REPLACED, ExecType.REPLACE_REJECTED])
def test_an_answer_to_another_replace_has_no_effect(type: ExecType) -> None:
    pending = order(replace_terms=terms(quantity=20), replace_version=7)
    assert after(pending, type, request_version=6) is pending


@pytest.mark.parametrize("closing", [ExecType.CANCELED, ExecType.EXPIRED, ExecType.REJECTED])
def test_a_report_that_closes_the_order_ends_all_that_was_pending(closing: ExecType) -> None:
    pending = order(cancel_pending=True, replace_terms=terms(quantity=20), replace_version=7)
    closed = after(pending, closing)
    assert not closed.is_open
    assert (closed.cancel_pending, closed.replace_terms, closed.replace_version) == (False, None, 0)


def test_an_acknowledged_order_cannot_turn_out_to_be_absent() -> None:
    pending = order(cancel_pending=True)
    assert after(pending, ExecType.ABSENT) is pending


def test_a_filled_order_is_open_as_long_as_a_request_about_it_is_unanswered() -> None:
    assert order(S.FILLED, cancel_pending=True).is_open
    assert order(S.FILLED, replace_terms=terms(quantity=20)).is_open
    assert not order(S.FILLED).is_open


@pytest.mark.parametrize(
    ("time_in_force", "reason"),
    [
        (TimeInForce.IOC, CancelReason.NOT_FILLED_AT_ONCE),
        (TimeInForce.FOK, CancelReason.NOT_FILLED_AT_ONCE),
        (TimeInForce.DAY, CancelReason.BROKER),
        (TimeInForce.GTC, CancelReason.BROKER),
    ],
)
def test_an_unasked_cancel_is_explained_by_the_time_in_force(time_in_force: TimeInForce, reason: CancelReason) -> None:
    working = order(terms=terms(time_in_force=time_in_force))
    assert after(working, ExecType.CANCELED).cancel_reason is reason


def test_a_cancel_that_was_asked_for_keeps_its_reason() -> None:
    pending = order(cancel_pending=True, cancel_reason=CancelReason.LEASE_EXPIRED)
    assert after(pending, ExecType.CANCELED).cancel_reason is CancelReason.LEASE_EXPIRED


@pytest.mark.parametrize("type", [ExecType.CANCEL_REJECTED, ExecType.EXPIRED, ExecType.REJECTED])
def test_a_cancel_that_did_not_come_about_leaves_no_reason_behind(type: ExecType) -> None:
    pending = order(cancel_pending=True, cancel_reason=CancelReason.REQUESTED)
    assert after(pending, type).cancel_reason is None


def test_a_rejection_after_a_fill_is_a_cancel_by_the_broker_and_no_rejection() -> None:
    rest = after(order(S.PARTIALLY_FILLED, filled_quantity=Decimal(4)), ExecType.REJECTED)
    assert (rest.status, rest.reject_reason, rest.cancel_reason) == (S.CANCELED, "", CancelReason.BROKER)


def test_a_rejection_by_the_broker_says_so() -> None:
    rejected = after(order(S.PENDING_NEW), ExecType.REJECTED, reason="no such account")
    assert (rejected.reject_reason, rejected.reason_text) == ("BROKER_REJECTED", "no such account")


@pytest.mark.parametrize("type", [OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP])
def test_a_stop_whose_only_fill_was_busted_has_triggered_all_the_same(type: OrderType) -> None:
    filled = order(S.PARTIALLY_FILLED, filled_quantity=Decimal(4), terms=terms(quantity=10, type=type))
    changes = filled.with_fill_change(Decimal(-4), Decimal(-200), Decimal(0), ExecType.TRADE_CANCEL)
    assert changes["state"] is S.TRIGGERED


@pytest.mark.parametrize(
    ("filled", "state", "quantity"),
    [(10, S.FILLED, 10), (11, S.PARTIALLY_FILLED, 12), (12, S.FILLED, 12), (13, S.FILLED, 10)],
)
def test_only_what_the_asked_for_quantity_explains_and_the_old_one_does_not_proves_a_replace(
    filled: int, state: OrderStatus, quantity: int
) -> None:
    pending = order(replace_terms=terms(quantity=12), replace_version=7, replace_price=Decimal(51))
    changed = pending.changed(START, 2, **pending.with_fill_change(Decimal(filled), ZERO, ZERO, ExecType.TRADE))
    assert (changed.state, changed.terms.quantity) == (state, Decimal(quantity))
    settled = (changed.replace_terms, changed.replace_version, changed.reserve_price) == (None, 0, Decimal(51))
    assert settled is (quantity == 12)


def test_what_is_left_after_a_bust_proves_a_replace_as_if_the_fill_had_never_been() -> None:
    overfilled = order(S.FILLED, filled_quantity=Decimal(15), replace_terms=terms(quantity=12), replace_version=7)
    changes = overfilled.with_fill_change(Decimal(-4), ZERO, ZERO, ExecType.TRADE_CANCEL)
    assert (changes["state"], changes["terms"].quantity) == (S.PARTIALLY_FILLED, 12)


def test_the_stop_price_is_kept_when_a_stop_triggers() -> None:
    triggered = after(order(), ExecType.TRIGGERED, price=Decimal("49.50"))
    assert (triggered.status, triggered.active_stop_price) == (S.TRIGGERED, Decimal("49.50"))


def test_the_brokers_first_name_for_an_order_stays() -> None:
    named = after(order(S.PENDING_NEW), ExecType.NEW, broker_order_id="b-1")
    assert after(named, ExecType.CANCELED, broker_order_id="b-2").broker_order_id == "b-1"


def test_every_change_is_a_version_of_its_own() -> None:
    before = order()
    changed = before.changed(START, 9, cancel_pending=True)
    assert (changed.version, changed.sequence, before.cancel_pending) == (before.version + 1, 9, False)


def test_a_caller_who_read_another_version_is_told_the_present_one() -> None:
    with pytest.raises(VersionMismatch) as refused:
        order(version=3).require_version(2)
    assert refused.value.metadata["current_version"] == "3"


@pytest.mark.parametrize("state", [S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED])
def test_nothing_can_be_asked_of_a_closed_order(state: OrderStatus) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        order(state).require_open("cancel")
    assert refused.value.reason == "ORDER_NOT_OPEN"


@pytest.mark.parametrize("state", [S.PENDING_NEW, S.UNKNOWN])
def test_an_order_that_no_broker_has_confirmed_cannot_be_replaced(state: OrderStatus) -> None:
    with pytest.raises(PreconditionFailed) as refused:
        order(state).require_replaceable()
    assert refused.value.reason == "ORDER_NOT_REPLACEABLE"


def test_the_average_price_is_weighted_by_quantity_and_absent_before_a_fill() -> None:
    assert order().average_fill_price is None
    filled = order(filled_quantity=Decimal(3), filled_notional=Decimal(100))
    assert filled.average_fill_price == Decimal("33.333333333333333333")


def test_more_filled_than_asked_for_leaves_nothing_and_nothing_negative() -> None:
    assert order(S.PARTIALLY_FILLED, filled_quantity=Decimal(12)).leaves_quantity == 0
