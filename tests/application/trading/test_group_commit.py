"""Answers, broker calls and streams after the commit, and what becomes of them when a commit fails."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from application.ports.journal import Batch
from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.errors import OrderNotPlaced, Throttled, Unavailable
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from tests.support.engine import MAIN, Fault, House
from tests.support.trading import D

S = OrderStatus
X = ExecType


@dataclass(frozen=True)
class HalfDone:
    """A command with a fault: it changes an order, and breaks."""

    account_id: str
    actor: str
    order_id: str

    def needs(self) -> Needs:
        return Needs(order_ids=(self.order_id,))

    def decide(self, book: AccountBook) -> None:
        book.change(book.orders[self.order_id], EventType.ORDER_TRIGGERED, {})
        raise ArithmeticError("half of it is done")


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = await House().open()
    yield house
    await house.close()


async def test_nothing_leaves_before_the_commit(house: House) -> None:
    house.journal.gate.clear()
    asked = house.begin(house.placing())
    await house.settle()
    assert house.journal.waiting == 1
    assert not asked.done()
    assert house.broker.handed == []
    assert await house.streamed() == []
    house.journal.gate.set()
    placed = await asked
    assert placed.sequence == 2
    await house.settle()
    assert house.broker.handed == [("submit", placed.order.order_id)]
    assert await house.streamed() == [2]


async def test_a_refusal_is_told_only_after_its_commit(house: House) -> None:
    house.journal.gate.clear()
    asked = house.begin(house.placing(quantity="0.5"))
    await house.settle()
    assert not asked.done()
    house.journal.gate.set()
    with pytest.raises(OrderNotPlaced):
        await asked
    assert house.order().status is S.REJECTED


async def test_whatever_is_decided_during_a_commit_shares_the_next_one(house: House) -> None:
    house.journal.gate.clear()
    first = house.begin(house.placing("0"))
    await house.settle()
    others = [house.begin(house.placing(str(number))) for number in range(1, 200)]
    await house.settle()
    house.journal.batches.clear()
    house.journal.gate.set()
    await asyncio.gather(first, *others)
    assert [len(batch.events) for batch in house.journal.batches] == [1, 199]


async def test_answers_come_in_the_order_of_the_questions(house: House) -> None:
    answered: list[str] = []

    async def ask(number: int) -> int:
        placed = await house.place(str(number))
        answered.append(placed.order.terms.client_order_id)
        return placed.sequence

    sequences = await asyncio.gather(*(ask(number) for number in range(100)))
    assert answered == [str(number) for number in range(100)]
    assert sequences == list(range(2, 102))


async def test_a_caller_that_goes_away_does_not_take_its_command_along(house: House) -> None:
    house.journal.gate.clear()
    asked = house.begin(house.placing())
    await house.settle()
    asked.cancel()
    await house.settle()
    house.journal.gate.set()
    await house.settle()
    assert house.submissions() == 1
    assert (await house.place()).replayed


async def test_a_caller_that_goes_away_before_its_turn_does_not_take_its_command_along(house: House) -> None:
    asked = house.begin(house.placing())
    await asyncio.sleep(0)
    asked.cancel()
    await house.settle()
    assert house.submissions() == 1


# -- when a commit fails --------------------------------------------------------------------------------


async def test_a_commit_that_failed_leaves_nothing_behind(house: House) -> None:
    house.journal.faults.append(Fault.NOT_WRITTEN)
    with pytest.raises(Unavailable):
        await house.place()
    assert not house.is_stored("x")
    assert house.broker.handed == []
    await house.settle()
    placed = await house.place()
    assert not placed.replayed
    await house.settle()
    assert house.submissions() == 1
    await house.require_stream_equals_store()


async def test_a_commit_that_was_written_though_it_failed_is_found_and_sent_once(house: House) -> None:
    house.journal.faults.append(Fault.WRITTEN)
    with pytest.raises(Unavailable):
        await house.place()
    await house.settle()
    placed = await house.place()
    assert placed.replayed
    await house.pass_time(3)
    assert house.submissions() == 1
    assert house.happened() == ["ORDER_PLACED"]
    await house.require_stream_equals_store()


@pytest.mark.parametrize("fault", Fault)
async def test_what_was_decided_upon_a_failed_commit_fails_with_it(house: House, fault: Fault) -> None:
    house.journal.gate.clear()
    house.journal.faults.append(fault)
    first = house.begin(house.placing("first"))
    await house.settle()
    second = house.begin(house.placing("second"))
    await house.settle()
    house.journal.gate.set()
    results = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    assert house.is_stored("first") is (fault is Fault.WRITTEN)
    assert not house.is_stored("second")
    await house.place("third")
    await house.require_stream_equals_store()


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("type", [X.TRADE, X.CANCELED, X.TRADE_CANCEL])
async def test_a_report_in_a_failed_commit_is_taken_in_all_the_same_and_once(
    house: House, fault: Fault, type: ExecType
) -> None:
    """The broker will not tell it again, and it is not asked: the order has closed, or its fill was long ago."""
    await house.place(quantity=10)
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    house.journal.faults.append(fault)
    details: dict[ExecType, dict[str, Any]] = {
        X.TRADE: {"execution_id": "u", "quantity": D(6)},
        X.TRADE_CANCEL: {"reference_id": "t"},
    }
    await house.tell(type, **details.get(type, {}))
    await house.settle()
    order = house.order()
    expected = {
        X.TRADE: (S.FILLED, D(10)),
        X.CANCELED: (S.CANCELED, D(4)),
        X.TRADE_CANCEL: (S.NEW, D(0)),
    }
    assert (order.status, order.filled_quantity) == expected[type]
    assert house.writer.book.portfolio.position("ACME", "USD").quantity == order.filled_quantity
    assert house.broker.asked == []
    await house.require_stream_equals_store()


async def test_a_bust_that_waits_for_its_trade_survives_a_failed_commit(house: House) -> None:
    await house.place(quantity=10)
    await house.tell(X.TRADE_CANCEL, reference_id="t")
    house.journal.faults.append(Fault.NOT_WRITTEN)
    with pytest.raises(Unavailable):
        await house.place("other")
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    assert house.order().filled_quantity == 0


async def test_a_store_that_stays_down_is_asked_until_it_is_back(house: House) -> None:
    await house.place(quantity=10)
    house.journal.faults.append(Fault.NOT_WRITTEN)
    house.journal.failing_reads = 5
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    with pytest.raises(Unavailable) as refused:
        await house.place("other")
    assert refused.value.reason == "ACCOUNT_RECOVERING"
    await house.pass_time(3)
    assert house.order().filled_quantity == D(4)
    assert not (await house.place("other")).replayed
    await house.require_stream_equals_store()


async def test_commits_that_keep_failing_are_tried_again_at_a_measured_pace(house: House) -> None:
    await house.place(quantity=10)
    house.journal.faults.extend([Fault.NOT_WRITTEN] * 5)
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    assert len(house.journal.faults) == 3, "twice at once, then not before time has passed"
    await house.pass_time(3)
    assert house.order().filled_quantity == D(4)
    await house.require_stream_equals_store()


async def test_a_commit_that_fails_while_the_writer_pauses_does_not_leave_the_account_dead(house: House) -> None:
    """The writer hands over and looks up again: it must see that the commit has failed meanwhile."""
    for number in range(20):
        house.journal.faults.append(Fault.NOT_WRITTEN)
        with pytest.raises(Unavailable):
            await house.place(f"failed {number}")
        await house.pass_time(0.25)
        assert not house.writer.recovering
    await house.place("works")


async def test_a_read_that_fails_during_a_commit_waits_for_that_commit(house: House) -> None:
    house.journal.gate.clear()
    first = house.begin(house.placing("first"))
    await house.settle()
    house.journal.failing_reads = 1
    second = house.begin(house.placing("second"))
    await house.settle()
    house.journal.gate.set()
    assert not (await first).replayed
    with pytest.raises(Unavailable):
        await second
    await house.settle()
    assert (await house.place("first")).replayed
    await house.place("third")
    await house.require_stream_equals_store()


async def test_flushing_ends_though_others_keep_on_committing(house: House) -> None:
    """A bust waits until its account's fills are stored: other accounts' traffic is not to hold it up."""
    committer = house.engine.committer
    traffic = True

    async def others() -> None:
        while traffic:
            await committer.write(Batch())

    tasks = [asyncio.create_task(others()) for _ in range(3)]
    await house.settle()
    async with asyncio.timeout(5):
        await committer.flushed()
    traffic = False
    await asyncio.gather(*tasks)


# -- the writer -----------------------------------------------------------------------------------------


async def test_a_fault_of_ours_in_one_command_ends_that_command_alone(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    placed = await house.place(quantity=10)
    with pytest.raises(ArithmeticError):
        await house.run(HalfDone(MAIN, "user:test", placed.order.order_id))
    assert "a command of account main failed" in caplog.text
    assert house.order().version == 1
    await house.settle()
    assert (await house.place(quantity=10)).replayed
    await house.require_stream_equals_store()


async def test_a_report_that_cannot_be_taken_in_is_dropped_and_the_next_one_is_not(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.place(quantity=10)
    await house.tell(X.TRADE, execution_id="nonsense", quantity="NaN")
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    assert "a command of account main failed" in caplog.text
    assert house.order().filled_quantity == D(4)
    await house.require_stream_equals_store()


async def test_stopping_answers_what_was_decided_and_refuses_the_rest() -> None:
    house = await House().open()
    house.journal.gate.clear()
    decided = house.begin(house.placing("decided"))
    await house.settle()
    stopping = asyncio.create_task(house.engine.stop())
    await house.settle()
    house.journal.gate.set()
    await stopping
    assert (await decided).sequence == 2
    with pytest.raises(Unavailable):
        await house.place("late")
    assert not house.is_stored("late")


async def test_stopping_refuses_what_was_still_being_looked_up() -> None:
    house = await House().open()
    house.journal.read_gate.clear()
    asked = house.begin(house.placing())
    await house.settle()
    await house.engine.stop()
    with pytest.raises(Unavailable) as refused:
        await asked
    assert refused.value.reason == "SERVER_STOPPING"


async def test_a_queue_that_is_full_refuses_more(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("application.trading.account_writer._LONGEST_QUEUE", 3)
    asked = [house.begin(house.placing(str(number))) for number in range(5)]
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(result, Throttled) for result in results] == [False, False, False, True, True]


async def test_a_limit_holds_for_the_orders_of_its_own_batch(house: House) -> None:
    """Look-alikes are read when a window is set, and what comes with it must be held against them."""
    window = UpdateRiskProfile(MAIN, "user:test", {"duplicate_window": D(60)})
    works = (house.begin(house.placing("a")), house.begin(window), house.begin(house.placing("b")))
    answers = await asyncio.gather(*works, return_exceptions=True)
    assert isinstance(answers[2], OrderNotPlaced)
    assert [violation.rule for violation in answers[2].violations] == ["DUPLICATE_ORDER"]


async def test_a_fault_outside_of_any_command_does_not_end_the_writer(house: House) -> None:
    class Unreadable:
        account_id, actor = MAIN, "user:test"

        def needs(self) -> Needs:
            raise ArithmeticError("what it needs cannot be told")

        def decide(self, book: AccountBook) -> None: ...

    refused = house.begin(Unreadable())
    await house.pass_time(1)
    with pytest.raises(Unavailable):
        await refused
    assert (await house.place("after")).order.order_id
