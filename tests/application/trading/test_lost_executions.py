"""What was executed, and reported to a process that died before it had written it down."""

import pytest

from application.trading.commands.create_account_command import CreateAccount
from domain.trading.value_objects.execution_report import ExecType
from tests.support.engine import MAIN, House
from tests.support.trading import D, ScriptedBroker


@pytest.fixture
async def house() -> House:
    house = await House().open()
    await house.place()
    await house.tell(ExecType.NEW)
    return house


async def ended_with_a_fill_that_is_only_known_to_the_broker(house: House) -> ScriptedBroker:
    order_id = house.order().order_id
    fill = house.says(ExecType.TRADE, order_id, execution_id="late", quantity=40)
    await house.tell(ExecType.CANCELED)
    broker = ScriptedBroker()
    broker.knows[order_id] = [fill, house.says(ExecType.CANCELED, order_id)]
    return broker


async def test_a_fill_of_an_order_that_has_ended_is_booked_after_the_restart(house: House) -> None:
    broker = await ended_with_a_fill_that_is_only_known_to_the_broker(house)
    await house.restart(seconds_later=100_000, broker=broker)
    assert house.order().filled_quantity == 40
    assert house.database.state.positions[MAIN, "ACME"].quantity == 40
    await house.close()


async def test_a_fill_that_is_known_is_not_booked_again(house: House) -> None:
    order_id = house.order().order_id
    fill = house.says(ExecType.TRADE, order_id, execution_id="known", quantity=40)
    await house.tell(ExecType.TRADE, execution_id="known", quantity=40)
    await house.tell(ExecType.CANCELED)
    broker = ScriptedBroker()
    broker.knows[order_id] = [fill]
    events = len(house.events)
    await house.restart(broker=broker)
    assert len(house.events) == events
    await house.close()


async def test_a_broker_that_cannot_be_asked_is_asked_again(house: House) -> None:
    broker = await ended_with_a_fill_that_is_only_known_to_the_broker(house)
    broker.reachable = False
    await house.restart(broker=broker)
    assert house.order().filled_quantity == 0
    broker.reachable = True
    await house.pass_time(6)
    assert house.order().filled_quantity == 40
    await house.close()


async def test_a_broker_that_cannot_be_asked_is_not_asked_for_every_account_of_a_round(house: House) -> None:
    await house.create_account(CreateAccount("other", "user:test", house.broker.name, "USD", D(1)))
    broker = await ended_with_a_fill_that_is_only_known_to_the_broker(house)
    broker.reachable = False
    await house.restart(broker=broker)
    assert len(broker.asked_for_executions) == 1
    broker.reachable = True
    await house.pass_time(6)
    assert sorted(broker.asked_for_executions[1:]) == [MAIN, "other"]
    await house.close()


async def test_what_was_executed_long_before_the_last_event_is_not_asked_for(house: House) -> None:
    broker = await ended_with_a_fill_that_is_only_known_to_the_broker(house)
    house.clock.advance(2 * 3600)
    house.quotes.set("ACME", "50")
    await house.place("later")
    await house.restart(broker=broker)
    assert house.order().filled_quantity == 0
    await house.close()
