"""Brokers that do not answer: how the truth about an order is found, and that nothing is sent twice for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import CancelReason
from tests.support.asked_broker import NEW, filled, knows, works
from tests.support.engine import House
from tests.support.trading import D, ScriptedBroker

S = OrderStatus
X = ExecType


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = await House().open()
    yield house
    await house.close()


# -- a submission without an answer -----------------------------------------------------------------------


async def test_an_answer_in_time_raises_no_question(house: House) -> None:
    await house.place()
    await house.tell(X.NEW)
    await house.pass_time(8)
    assert "SUBMISSION_UNKNOWN" not in house.happened()


async def test_a_silent_submission_is_unknown_after_its_time_and_not_before(house: House) -> None:
    house.broker.reachable = False
    await house.place()
    await house.pass_time(4.75)
    assert house.order().status is S.PENDING_NEW
    await house.pass_time(0.5)
    assert house.order().status is S.UNKNOWN


async def test_an_order_that_the_broker_has_is_adopted_with_all_that_happened_to_it(house: House) -> None:
    await house.place(quantity=10)
    knows(house, NEW, filled(4))
    await house.pass_time(6)
    order = house.order()
    assert (order.status, order.filled_quantity, order.broker_order_id) == (S.PARTIALLY_FILLED, D(4), "b-1")
    found = ["ORDER_ACCEPTED", "SUBMISSION_RESOLVED", "ORDER_FILLED"]
    assert house.happened() == ["ORDER_PLACED", "SUBMISSION_UNKNOWN", *found]
    assert house.submissions() == 1


async def test_an_order_that_the_broker_proves_not_to_have_is_canceled_as_never_submitted(house: House) -> None:
    await house.place()
    await house.pass_time(9)
    order = house.order()
    assert (order.status, order.cancel_reason) == (S.CANCELED, CancelReason.NEVER_SUBMITTED)
    assert house.happened() == ["ORDER_PLACED", "SUBMISSION_UNKNOWN", "ORDER_CANCELED", "SUBMISSION_RESOLVED"]
    assert house.submissions() == 1


async def test_absence_counts_only_after_the_broker_has_said_so_for_a_while(house: House) -> None:
    await house.place()
    await house.pass_time(6.5)
    assert house.broker.asked
    assert house.order().status is S.UNKNOWN


async def test_an_order_found_after_it_was_missed_at_first_is_adopted(house: House) -> None:
    await house.place()
    await house.pass_time(6)
    knows(house, NEW)
    await house.pass_time(4)
    assert house.order().status is S.NEW


async def test_a_broker_that_cannot_be_asked_proves_nothing_and_the_money_stays_reserved(house: House) -> None:
    house.broker.reachable = False
    await house.place()
    await house.pass_time(60)
    assert house.order().status is S.UNKNOWN
    assert house.writer.book.open_orders["ACME"].buy_quantity == 100
    knows(house, NEW)
    house.broker.reachable = True
    await house.pass_time(1)
    assert house.order().status is S.NEW
    assert house.submissions() == 1


async def test_an_answer_that_is_only_late_settles_an_unknown_order(house: House) -> None:
    house.broker.reachable = False
    await house.place()
    await house.pass_time(6)
    await house.tell(X.NEW)
    assert house.order().status is S.NEW
    asked = len(house.broker.asked)
    house.broker.reachable = True
    await house.pass_time(0.75)
    assert len(house.broker.asked) <= asked + 1


async def test_a_broker_that_says_its_answer_was_lost_makes_the_order_unknown_at_once(house: House) -> None:
    await house.place()
    await house.tell(X.UNCLEAR, reason="the connection broke")
    assert house.order().status is S.UNKNOWN
    knows(house, NEW)
    await house.pass_time(6)
    assert house.order().status is S.NEW


@pytest.mark.parametrize("sign", [X.NEW, X.TRIGGERED, X.TRADE])
async def test_an_order_that_turns_up_after_it_was_given_up_is_canceled_at_the_broker(
    house: House, sign: ExecType
) -> None:
    await house.place(quantity=10)
    await house.pass_time(9)
    assert house.order().status is S.CANCELED
    details: dict[str, Any] = {"execution_id": "t", "quantity": 4} if sign is X.TRADE else {}
    await house.tell(sign, **details)
    order = house.order()
    assert house.broker.times("cancel", order.order_id) == 1
    assert order.status is S.CANCELED
    assert order.filled_quantity == (D(4) if sign is X.TRADE else D(0))


async def test_a_cancel_may_be_asked_for_while_the_outcome_is_unknown(house: House) -> None:
    house.broker.reachable = False
    await house.place()
    await house.pass_time(6)
    await house.cancel()
    assert house.order().status is S.PENDING_CANCEL
    house.broker.reachable = True
    await house.pass_time(4)
    assert house.order().status is S.CANCELED


async def test_a_cancel_that_is_being_committed_is_not_sent_by_the_question_about_its_order(house: House) -> None:
    order_id = (await house.place()).order.order_id
    knows(house)
    await house.pass_time(5.5)
    knows(house, NEW)
    house.journal.gate.clear()
    canceling = asyncio.create_task(house.cancel())
    await house.pass_time(3)
    assert house.writer.book.orders[order_id].cancel_pending
    assert house.broker.times("cancel", order_id) == 0
    house.journal.gate.set()
    await canceling
    await house.settle()
    assert house.broker.times("cancel", order_id) == 1


# -- a cancel or a replace without an answer --------------------------------------------------------------


async def test_a_silent_cancel_is_asked_about_and_sent_again(house: House) -> None:
    await works(house)
    await house.cancel()
    await house.pass_time(6)
    order_id = house.order().order_id
    assert order_id in house.broker.asked
    assert house.broker.times("cancel", order_id) > 1
    await house.tell(X.CANCELED)
    order = house.order()
    assert (order.status, order.cancel_reason) == (S.CANCELED, CancelReason.REQUESTED)


async def test_a_silent_cancel_is_asked_about_though_a_fill_has_come_meanwhile(house: House) -> None:
    await works(house)
    await house.cancel()
    await house.pass_time(1)
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    knows(house, NEW, (X.TRADE, {"execution_id": "t", "quantity": 4}), (X.CANCELED, {}))
    await house.pass_time(6)
    assert house.order().status is S.CANCELED


async def test_a_silent_replace_that_was_done_is_found_done(house: House) -> None:
    await works(house)
    await house.replace(quantity=D(20))
    knows(house, NEW, (X.REPLACED, {"request_version": house.order().replace_version}))
    await house.pass_time(6)
    order = house.order()
    assert (order.status, order.terms.quantity) == (S.NEW, D(20))


async def test_a_silent_replace_of_which_the_broker_knows_nothing_is_refused(house: House) -> None:
    await works(house)
    await house.replace(quantity=D(20))
    await house.pass_time(6)
    order = house.order()
    assert (order.status, order.terms.quantity) == (S.NEW, D(10))
    assert house.happened()[-1] == "REPLACE_REJECTED"
    assert house.broker.times("replace", order.order_id) == 1


async def test_a_new_replace_is_given_its_own_time_though_an_earlier_request_has_just_run_out(house: House) -> None:
    await works(house)
    await house.cancel()
    await house.pass_time(2)
    await house.tell(X.CANCEL_REJECTED)
    await house.pass_time(2)
    await house.replace(quantity=D(20))
    await house.pass_time(3)
    assert house.order().status is S.PENDING_REPLACE
    await house.pass_time(3)
    assert house.order().status is S.NEW


async def test_a_cancel_of_an_order_that_the_broker_does_not_know_any_more_is_refused(house: House) -> None:
    """It was acknowledged, so that it is not found proves no absence: nothing can be asked about it, that is all."""
    await works(house)
    await house.cancel()
    house.broker.knows.clear()
    await house.pass_time(9)
    assert house.order().status is S.NEW
    assert house.happened()[-1] == "CANCEL_REJECTED"


async def test_a_replace_that_is_still_being_committed_is_not_taken_for_silent(house: House) -> None:
    await works(house)
    house.journal.gate.clear()
    replacing = asyncio.create_task(house.replace(quantity=D(20)))
    await house.pass_time(6)  # by now the submission has been silent for too long, had it not been answered
    house.journal.gate.set()
    await replacing
    await house.settle()
    assert house.order().status is S.PENDING_REPLACE
    assert house.broker.times("replace", house.order().order_id) == 1


# -- lost and stray reports, and an adapter at fault ------------------------------------------------------


async def test_a_report_that_got_lost_is_found_by_asking_round(house: House) -> None:
    await works(house)
    knows(house, NEW, filled(4))
    await house.pass_time(4)
    assert house.order().filled_quantity == D(4)


async def test_a_report_on_an_order_of_an_unknown_account_is_ignored(house: House) -> None:
    await works(house)
    before = len(house.events)
    house.broker.sink(ExecutionReport("nobody", house.order().order_id, X.CANCELED, house.clock.now()))
    await house.settle()
    assert len(house.events) == before


class FaultyAdapter(ScriptedBroker):
    """An adapter with a fault in handing over and, as often as `faults` says, in asking."""

    faults = 3

    def submit(self, order: Order) -> None:
        super().submit(order)
        raise KeyError("the adapter is at fault")

    async def find(self, order: Order) -> Any:
        known = await super().find(order)
        if self.faults:
            self.faults -= 1
            raise KeyError("the adapter is at fault")
        return known


async def test_an_adapter_that_breaks_while_it_is_handed_an_order_leaves_it_unknown_and_the_rest_alone(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.restart(broker=FaultyAdapter())
    await house.place("a")
    await house.place("b")
    knows(house, NEW, client_order_id="a")
    await house.pass_time(12)
    assert (house.order("a").status, house.order("b").status) == (S.NEW, S.CANCELED)
    assert "handing order" in caplog.text
    assert "asking scripted about order" in caplog.text
