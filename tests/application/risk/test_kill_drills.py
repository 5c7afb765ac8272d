"""Kill switches while the broker is down, slow or refuses, and when the server dies half-way: repeated until proven."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from application.trading.commands.create_account_command import CreateAccount
from application.trading.commands.place_order_command import PlaceOrder
from domain.errors import OrderNotPlaced
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import EVERYTHING
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from tests.support.engine import MAIN, Fault
from tests.support.risk_desk import ACCOUNT, DeskHouse
from tests.support.trading import D, ScriptedBroker, terms

X = ExecType
S = OrderStatus


@pytest.fixture
async def house() -> AsyncIterator[DeskHouse]:
    house = await DeskHouse().open()
    yield house
    await house.close()


async def working(house: DeskHouse, *client_order_ids: str) -> None:
    for name in client_order_ids or ("x",):
        await house.place(name, quantity=10)
        await house.tell(X.NEW, name)


def cancels(house: DeskHouse, client_order_id: str = "x") -> int:
    return house.broker.times("cancel", house.order(client_order_id).order_id)


async def state_of(house: DeskHouse, kill: KillSwitch) -> tuple[str, str]:
    """The state of the switch's one order, and the reason why its cancel did not go through."""
    (outcome,) = (await house.desk.kill_switches.get(kill.kill_switch_id)).outcomes
    return outcome.state.value, outcome.error.message if outcome.error else ""


# -- brokers ----------------------------------------------------------------------------------------------


async def test_a_refused_cancel_is_repeated_until_the_order_has_ended(house: DeskHouse) -> None:
    await working(house)
    kill = (await house.engage()).view.kill
    for times in (1, 2, 3):
        assert cancels(house) == times
        await house.tell(X.CANCEL_REJECTED, reason="not today")
        assert await state_of(house, kill) == ("RETRYING", "broker scripted refused the cancel: not today")
        await house.pass_time(6)
    assert cancels(house) == 4
    await house.tell(X.CANCELED)
    await house.pass_time(12)
    assert cancels(house) == 4
    assert await state_of(house, kill) == ("CANCELED", "")


async def test_a_refused_cancel_is_not_repeated_at_once_by_the_supervisor_but_is_by_engaging_again(
    house: DeskHouse,
) -> None:
    await working(house)
    await house.engage()
    await house.tell(X.CANCEL_REJECTED)
    await house.pass_time(2)
    assert cancels(house) == 1
    await house.engage()
    assert cancels(house) == 2


async def test_a_silent_broker_is_asked_until_it_answers(house: DeskHouse) -> None:
    await working(house)
    house.broker.reachable = False
    kill = (await house.engage()).view.kill
    await house.pass_time(20)
    assert house.order().cancel_pending
    assert await state_of(house, kill) == ("RETRYING", "broker scripted has not answered the cancel")
    house.broker.reachable = True
    house.broker.knows[house.order().order_id] = [house.says(X.CANCELED, house.order().order_id)]
    await house.pass_time(2)
    assert house.order().state is S.CANCELED


async def test_a_broker_that_is_down_gets_the_cancel_when_it_is_back(house: DeskHouse) -> None:
    await working(house)
    house.broker.connected = house.broker.reachable = False
    kill = (await house.engage()).view.kill
    assert await state_of(house, kill) == ("RETRYING", "broker scripted cannot be reached")
    await house.pass_time(10)
    house.broker.connected = house.broker.reachable = True
    house.broker.knows[house.order().order_id] = [house.says(X.NEW, house.order().order_id)]
    before = cancels(house)
    await house.pass_time(2)
    assert cancels(house) > before
    await house.tell(X.CANCELED)
    assert await state_of(house, kill) == ("CANCELED", "")


async def test_an_order_whose_submission_is_unknown_is_cancelled_too(house: DeskHouse) -> None:
    house.broker.reachable = False
    await house.place()
    await house.pass_time(6)
    assert house.order().status is S.UNKNOWN
    kill = (await house.engage()).view.kill
    assert house.order().cancel_pending
    house.broker.reachable = True  # and it never had the order
    await house.pass_time(5)
    assert not house.order().is_open
    assert (await state_of(house, kill))[0] == "CANCELED"


async def test_a_fill_that_overtakes_the_cancel_is_booked(house: DeskHouse) -> None:
    await working(house)
    kill = (await house.engage()).view.kill
    await house.tell(X.TRADE, execution_id="t1", quantity=10)
    await house.tell(X.CANCEL_REJECTED, reason="filled")
    assert (await state_of(house, kill))[0] == "ENDED"
    assert house.writer.book.portfolio.positions["ACME"].quantity == 10


async def test_an_order_that_is_being_replaced_is_cancelled(house: DeskHouse) -> None:
    await working(house)
    await house.replace(quantity=20)
    await house.engage()
    assert house.order().cancel_pending
    with pytest.raises(OrderNotPlaced):
        await house.place("y")


async def test_a_released_switch_asks_for_no_more_cancels(house: DeskHouse) -> None:
    await working(house)
    kill = (await house.engage()).view.kill
    await house.desk.kill_switches.release(kill.kill_switch_id, "all clear", "user:boss", 1)
    await house.tell(X.CANCEL_REJECTED)
    await house.pass_time(12)
    assert cancels(house) == 1
    assert (await state_of(house, kill))[0] == "LEFT_OPEN"


# -- crashes ----------------------------------------------------------------------------------------------


async def test_a_switch_survives_a_restart_and_goes_on(house: DeskHouse) -> None:
    await working(house)
    kill = (await house.engage()).view.kill
    await house.tell(X.CANCEL_REJECTED)
    await house.restart()
    with pytest.raises(OrderNotPlaced):
        await house.place("y")
    await house.pass_time(1)
    assert cancels(house) == 1  # of this process
    await house.tell(X.CANCELED)
    assert (await state_of(house, kill))[0] == "CANCELED"
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED)) == 1


async def test_a_crash_between_the_commit_and_the_accounts_is_made_good(house: DeskHouse) -> None:
    await working(house)
    kill = KillSwitch("k-1", EVERYTHING, True, False, "enough", "user:boss", house.clock.now())
    await house.crash()
    house.stored_controls["k-1"] = kill
    await house.come_back()
    await house.pass_time(1)
    assert house.order().cancel_pending
    (event,) = house.noted(EventType.KILL_SWITCH_ENGAGED)
    assert event.actor == "user:boss"
    stored = house.stored_controls["k-1"]
    assert isinstance(stored, KillSwitch)
    assert stored.orders == ((MAIN, house.order().order_id),)


async def test_a_crash_between_the_release_and_the_accounts_is_made_good(house: DeskHouse) -> None:
    kill = (await house.engage()).view.kill
    await house.crash()
    released = replace(kill, engaged=False, version=2, release_reason="all clear", released_by="user:other")
    house.stored_controls[kill.kill_switch_id] = released
    await house.come_back()
    await house.pass_time(1)
    (event,) = house.noted(EventType.KILL_SWITCH_RELEASED)
    assert event.actor == "user:other"
    await house.pass_time(3)
    assert len(house.noted(EventType.KILL_SWITCH_RELEASED)) == 1
    assert house.writer.book.risk_state.noted == {}


async def test_an_order_that_never_left_before_the_crash_does_not_leave_after_it(house: DeskHouse) -> None:
    house.broker.submit = lambda order: None  # type: ignore[method-assign]  # the process dies before it is handed over
    await house.place()
    await house.crash()
    house.stored_controls["k-1"] = KillSwitch("k-1", ACCOUNT, True, False, "enough", "user:boss", house.clock.now())
    await house.come_back(broker=ScriptedBroker())
    await house.pass_time(5)
    assert house.submissions() == 0
    assert not house.order().is_open


async def test_an_account_whose_note_fails_is_told_by_the_supervisor(house: DeskHouse) -> None:
    await working(house)
    house.journal.faults += [None, Fault.NOT_WRITTEN, Fault.NOT_WRITTEN]
    await house.engage()
    await house.pass_time(7)
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED)) == 1
    assert house.order().cancel_pending
    await house.require_stream_equals_store()


async def test_an_account_that_hangs_does_not_keep_the_answer_from_coming(house: DeskHouse) -> None:
    await house.create_account(CreateAccount("other", "user:test", house.broker.name, "USD", D(1_000_000)))
    await house.run(PlaceOrder("other", "user:test", terms("theirs", quantity=1)))
    house.journal.read_gate.clear()
    hanging = house.begin(house.placing("hangs"))
    await house.settle()
    engaged = await house.engage(EVERYTHING)
    assert [outcome.state.value for outcome in engaged.view.outcomes] == ["CANCELING"]
    house.journal.read_gate.set()
    with pytest.raises(OrderNotPlaced):
        await hanging
    await house.settle()
    assert len(house.noted(EventType.KILL_SWITCH_ENGAGED)) == 1
