"""What may be changed about an order, and what is held against the account's limits meanwhile."""

from dataclasses import replace as with_fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from application.trading.command import OrderRef
from application.trading.commands.replace_order_command import Change, ReplaceOrder
from domain.errors import DomainError, InvalidArgument, NotFound, PreconditionFailed, VersionMismatch
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, OrderType, Side, TimeInForce
from tests.support.trading import ABLE_TO_ALL, ACCOUNT, START, Desk, ScriptedBroker, terms

S = OrderStatus
X = ExecType
D = Decimal

STOP: dict[str, Any] = {"price": None, "type": OrderType.STOP, "stop_price": D(60)}
TRAIL: dict[str, Any] = {"price": None, "type": OrderType.TRAILING_STOP, "trail_offset": D(2)}


def working(**order: Any) -> Desk:
    desk = Desk()
    desk.place(**{"quantity": 10} | order)
    desk.report(X.NEW)
    return desk


def refused(desk: Desk, **change: Any) -> DomainError:
    handed = list(desk.broker.handed)
    before = desk.order()
    with pytest.raises(DomainError) as refusal:
        desk.replace("x", **change)
    assert (desk.order(), desk.broker.handed) == (before, handed)
    return refusal.value


def test_the_old_terms_stay_in_force_until_the_broker_has_answered() -> None:
    desk = working()
    pending = desk.replace("x", quantity=D(20), limit_price=D(51))
    assert pending.status is S.PENDING_REPLACE
    assert (pending.terms.quantity, pending.terms.limit_price) == (D(10), D(50))
    desk.report(X.REPLACED)
    assert (desk.order().terms.quantity, desk.order().terms.limit_price) == (D(20), D(51))


@pytest.mark.parametrize(
    ("order", "change", "name", "value"),
    [
        ({}, {"limit_price": D(49)}, "limit_price", D(49)),
        (STOP, {"stop_price": D(61)}, "stop_price", D(61)),
        (TRAIL, {"trail_offset": D(3)}, "trail_offset", D(3)),
        (TRAIL, {"trail_percent": D(5)}, "trail_percent", D(5)),
        ({}, {"time_in_force": TimeInForce.GTC}, "time_in_force", TimeInForce.GTC),
    ],
)
def test_each_term_can_be_changed_where_the_order_has_it(
    order: dict[str, Any], change: dict[str, Any], name: str, value: object
) -> None:
    desk = working(**order)
    desk.replace("x", **change)
    desk.report(X.REPLACED)
    assert getattr(desk.order().terms, name) == value


def test_a_trailing_distance_is_an_amount_or_a_percentage_never_both() -> None:
    desk = working(**TRAIL)
    desk.replace("x", trail_percent=D(5))
    desk.report(X.REPLACED)
    assert desk.order().terms.trail_offset is None


def test_an_expiry_ends_with_the_time_in_force_that_it_belongs_to() -> None:
    desk = working(time_in_force=TimeInForce.GTD, expire_time=START + timedelta(days=1))
    desk.replace("x", time_in_force=TimeInForce.GTC)
    desk.report(X.REPLACED)
    assert desk.order().terms.expire_time is None


@pytest.mark.parametrize(
    ("order", "change", "field"),
    [
        (STOP, {"limit_price": D(49)}, "limit_price"),
        ({}, {"stop_price": D(61)}, "stop_price"),
        ({}, {"trail_percent": D(5)}, "trail_percent"),
        ({}, {"time_in_force": TimeInForce.GTD}, "expire_time"),
    ],
)
def test_a_term_that_the_order_does_not_have_is_malformed(
    order: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    error = refused(working(**order), **change)
    assert isinstance(error, InvalidArgument)
    assert error.field == field


@pytest.mark.parametrize("quantity", [3, 4])
def test_a_quantity_of_no_more_than_has_filled_is_refused(quantity: int) -> None:
    desk = working()
    desk.trade("t", 4)
    assert refused(desk, quantity=D(quantity)).reason == "ORDER_NOT_REPLACEABLE"


def test_a_change_that_changes_nothing_asks_no_broker() -> None:
    desk = working()
    before = desk.order()
    assert desk.replace("x", quantity=D("10.0"), limit_price=D(50)) == before
    assert [verb for verb, _ in desk.broker.handed] == ["submit"]


@pytest.mark.parametrize("change", [{"quantity": D("10.5")}, {"limit_price": D("50.001")}, {"quantity": D(10**9)}])
def test_what_a_new_order_would_be_refused_for_a_change_is_refused_for(change: dict[str, Any]) -> None:
    assert refused(working(), **change).reason == "RISK_CHECK_FAILED"


@pytest.mark.parametrize("filled", [False, True])
def test_the_stop_of_an_order_that_has_triggered_cannot_be_changed(filled: bool) -> None:
    desk = working(**STOP)
    desk.report(X.TRIGGERED)
    if filled:
        desk.trade("t", 4)
    assert refused(desk, stop_price=D(61)).reason == "ORDER_NOT_REPLACEABLE"


def test_the_quantity_of_a_groups_member_follows_its_group_and_its_price_does_not() -> None:
    desk = Desk()
    desk.place_group(GroupType.OCO, terms("x", quantity=10), terms("y", Side.BUY, 10, 49))
    desk.report(X.NEW)
    assert refused(desk, quantity=D(20)).reason == "ORDER_NOT_REPLACEABLE"
    assert desk.replace("x", limit_price=D(51)).status is S.PENDING_REPLACE


def test_a_child_that_is_held_is_changed_at_once_since_no_broker_has_it() -> None:
    desk = Desk()
    desk.place_group(GroupType.OTO, terms("parent", quantity=10), terms("x", Side.SELL, 10, 55))
    changed = desk.replace("x", limit_price=D(56))
    assert (changed.status, changed.terms.limit_price, changed.held) == (S.PENDING_NEW, D(56), True)
    assert desk.broker.times("replace", changed.order_id) == 0


def test_a_broker_that_cannot_replace_is_not_asked() -> None:
    desk = Desk(broker=ScriptedBroker(capabilities=with_fields(ABLE_TO_ALL, replace=False)))
    desk.place(quantity=10)
    desk.report(X.NEW)
    assert refused(desk, quantity=D(20)).reason == "BROKER_NOT_CAPABLE"


def test_an_order_of_another_version_than_expected_is_left_alone() -> None:
    desk = working()
    ref = OrderRef(client_order_id="x")
    with pytest.raises(VersionMismatch):
        desk.run(ReplaceOrder(ACCOUNT, "user:test", ref, Change(quantity=D(20)), expected_version=1))
    desk.run(ReplaceOrder(ACCOUNT, "user:test", ref, Change(quantity=D(20)), expected_version=2))


def test_a_change_that_is_only_checked_shows_the_order_as_it_would_be_and_asks_nobody() -> None:
    desk = working()
    command = ReplaceOrder(ACCOUNT, "user:test", OrderRef(client_order_id="x"), Change(quantity=D(20)), None, True)
    before = desk.order()
    assert desk.run(command).order.terms.quantity == D(20)
    assert desk.order() == before
    assert desk.broker.times("replace", before.order_id) == 0


def test_an_order_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        Desk().replace("x", quantity=D(20))


def test_a_replace_is_measured_at_the_dearest_course_it_may_take() -> None:
    """100 at 50 may fill before the broker takes 200 at 25: together 7500, and there are 5000."""
    desk = Desk(5_000)
    desk.place(quantity=100, price=50)
    desk.report(X.NEW)
    error = refused(desk, quantity=D(200), limit_price=D(25))
    assert isinstance(error, PreconditionFailed)
    assert [violation.rule for violation in error.violations] == ["BUYING_POWER", "MAX_LEVERAGE"]
    desk.replace("x", quantity=D(100), limit_price=D(25))


def test_a_replaced_order_is_measured_by_what_it_would_become_and_not_twice() -> None:
    desk = Desk(10_000, max_order_notional=D(10_000))
    desk.place(quantity=100)
    desk.report(X.NEW)
    assert desk.replace("x", quantity=D(200)).replace_terms is not None


def test_a_reduce_only_order_grows_no_further_than_the_plain_ones_beside_it_leave_room() -> None:
    desk = Desk(max_gross_exposure=D(2_500))
    desk.place(client_order_id="held", quantity=20)
    desk.trade("t", 20, 50, "held")
    for name, quantity, reduces in (("plain", 60, False), ("x", 5, True)):
        desk.place(client_order_id=name, side=Side.SELL, quantity=quantity, price=50, reduce_only=reduces)
        desk.report(X.NEW, name)
    error = refused(desk, quantity=D(20))
    assert isinstance(error, PreconditionFailed)
    assert [violation.rule for violation in error.violations] == ["MAX_GROSS_EXPOSURE"]
    assert desk.replace("x", quantity=D(6)).replace_terms is not None
