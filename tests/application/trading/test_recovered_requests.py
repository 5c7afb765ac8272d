"""What was under way when the server died or a commit failed: the broker is asked, and no order is sent twice."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason
from tests.support.asked_broker import NEW, knows, works
from tests.support.engine import Fault, House
from tests.support.trading import ABLE_TO_ALL, D, ScriptedBroker

S = OrderStatus
X = ExecType


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = await House().open()
    yield house
    await house.close()


async def test_an_order_that_was_never_sent_before_a_restart_is_sent_then_once_and_under_its_id(house: House) -> None:
    placed = await house.place()
    await house.restart(seconds_later=10)
    assert house.broker.asked == [placed.order.order_id]
    assert house.broker.handed == [("submit", placed.order.order_id)]
    knows(house, NEW)
    await house.pass_time(8)
    assert house.order().status is S.NEW
    assert house.submissions() == 1


async def test_an_order_that_did_reach_the_broker_before_a_restart_is_adopted_and_not_sent(house: House) -> None:
    placed = await house.place()
    broker = ScriptedBroker()
    broker.knows[placed.order.order_id] = [house.says(X.NEW, placed.order.order_id)]
    await house.restart(seconds_later=10, broker=broker)
    assert house.order().status is S.NEW
    assert house.broker.handed == []


async def test_an_order_that_is_too_old_after_an_outage_is_not_sent_any_more(house: House) -> None:
    await house.place()
    await house.restart(seconds_later=61)
    order = house.order()
    assert (order.status, order.cancel_reason) == (S.CANCELED, CancelReason.NEVER_SUBMITTED)
    assert house.broker.handed == []


async def test_an_order_is_not_sent_late_to_a_broker_that_would_take_it_twice(house: House) -> None:
    await house.place()
    forgetful = ScriptedBroker(capabilities=replace(ABLE_TO_ALL, unique_client_ids=False))
    await house.restart(seconds_later=10, broker=forgetful)
    assert house.order().status is S.CANCELED
    assert house.broker.handed == []


async def test_an_order_that_cannot_be_asked_about_after_a_restart_waits_for_the_broker(house: House) -> None:
    placed = await house.place()
    broker = ScriptedBroker()
    broker.reachable = False
    await house.restart(seconds_later=10, broker=broker)
    await house.pass_time(5)
    assert house.broker.handed == []
    broker.reachable = True
    await house.pass_time(1)
    assert house.broker.handed == [("submit", placed.order.order_id)]


async def test_an_order_of_unknown_outcome_is_asked_about_again_after_a_restart_and_never_sent(house: House) -> None:
    house.broker.reachable = False
    await house.place()
    await house.pass_time(6)
    await house.restart(seconds_later=10)
    await house.pass_time(3)
    assert house.order().status is S.CANCELED
    assert house.broker.times("submit", house.order().order_id) == 0


async def test_a_cancel_that_was_pending_before_a_restart_is_sent_again_until_it_is_answered(house: House) -> None:
    await works(house)
    await house.cancel()
    broker = ScriptedBroker()
    order_id = house.order().order_id
    broker.knows[order_id] = [house.says(X.NEW, order_id)]
    await house.restart(seconds_later=10, broker=broker)
    assert house.broker.times("cancel", order_id) == 1
    await house.tell(X.CANCELED)
    assert house.order().status is S.CANCELED


async def test_a_filled_order_whose_cancel_was_never_answered_is_settled_after_a_restart(house: House) -> None:
    await works(house)
    await house.cancel()
    await house.tell(X.TRADE, execution_id="t", quantity=10)
    assert house.order().status is S.PENDING_CANCEL
    await house.restart(seconds_later=10)
    await house.pass_time(4)
    assert house.order().status is S.FILLED


async def test_working_orders_are_shown_to_the_broker_at_the_start(house: House) -> None:
    await works(house)
    await house.place("other")
    await house.restart()
    assert [order.terms.client_order_id for order in house.broker.working] == ["x", "other"]


async def test_what_the_broker_reports_while_it_is_started_is_taken_in(house: House) -> None:
    await works(house)

    class Eager(ScriptedBroker):
        async def start(self, sink: Any, working: Any) -> None:
            await super().start(sink, working)
            for order in working:
                sink(house.says(X.TRADE, order.order_id, execution_id="missed", quantity=4))

    await house.restart(broker=Eager())
    assert house.order().filled_quantity == D(4)


async def test_an_order_whose_commit_failed_though_it_was_written_is_sent_once_when_the_broker_proves_absence(
    house: House,
) -> None:
    house.journal.faults.append(Fault.WRITTEN)
    asked = house.begin(house.placing())
    await house.settle()
    assert asked.exception() is not None
    assert house.broker.asked == [house.order().order_id]
    assert house.submissions() == 1
    await house.pass_time(4)
    assert house.submissions() == 1


async def test_an_order_that_waits_for_its_answer_is_not_asked_about_when_another_commit_fails(house: House) -> None:
    await house.place()
    house.journal.faults.append(Fault.NOT_WRITTEN)
    asked = house.begin(house.placing("other"))
    await house.settle()
    assert asked.exception() is not None
    assert house.broker.asked == []
    assert house.submissions() == 1
