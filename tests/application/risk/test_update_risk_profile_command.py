from decimal import Decimal

import pytest

from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from application.risk.queries.get_risk_profile_query import GetRiskProfile
from domain.errors import OrderNotPlaced, VersionMismatch
from domain.trading.events.order_events import EventType
from tests.support.trading import ACCOUNT, Desk

D = Decimal


def update(desk: Desk, expected_version: int | None = None, **changes: object) -> None:
    desk.run(UpdateRiskProfile(ACCOUNT, "user:test", changes, expected_version))


def test_a_limit_holds_for_the_next_order_and_survives_a_restart() -> None:
    desk = Desk()
    update(desk, max_order_quantity=D(10))
    desk.restart()
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(quantity=11)
    assert [violation.rule for violation in refused.value.violations] == ["MAX_ORDER_QUANTITY"]
    desk.place(client_order_id="smaller", quantity=10)


def test_a_limit_that_is_taken_off_holds_no_more() -> None:
    desk = Desk(max_order_quantity=D(10))
    update(desk, max_order_quantity=None)
    desk.place(quantity=11)


def test_orders_that_work_already_stay() -> None:
    desk = Desk()
    order = desk.place(quantity=11)
    update(desk, max_order_quantity=D(10))
    assert desk.order() == order


def test_an_update_is_the_next_version_and_says_what_it_changed() -> None:
    desk = Desk()
    update(desk, max_order_quantity=D(10), short_selling=True)
    assert desk.records.profile.version == 2
    event = desk.records.events[-1]
    assert (event.type, event.changed_paths) == (EventType.RISK_PROFILE_UPDATED, ("max_order_quantity",))
    assert event.risk_profile == desk.records.profile == desk.run(GetRiskProfile(ACCOUNT, "user:test"))


def test_an_update_that_changes_nothing_records_nothing() -> None:
    desk = Desk(max_order_quantity=D(10))
    update(desk, max_order_quantity=D("10.0"))
    assert (desk.records.profile.version, desk.records.sequence) == (1, 1)


def test_an_update_of_another_version_changes_nothing_and_names_the_present_one() -> None:
    desk = Desk()
    update(desk, max_order_quantity=D(10))
    with pytest.raises(VersionMismatch) as refused:
        update(desk, expected_version=1, max_order_quantity=D(99))
    assert refused.value.metadata["current_version"] == "2"
    assert desk.records.profile.max_order_quantity == D(10)
    update(desk, expected_version=2, max_order_quantity=D(99))
