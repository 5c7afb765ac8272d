"""Closing positions for a kill switch: once the orders have ended, never twice, and only what is in the scope."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from application.risk.commands.flatten_command import Flatten, Held
from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from domain.risk.value_objects.scope import Scope, ScopeKind
from domain.trading.aggregates.order import Order
from domain.trading.entities.position import Position
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.engine import MAIN
from tests.support.risk_desk import ACCOUNT, DeskHouse
from tests.support.trading import D

X = ExecType


@pytest.fixture
async def house() -> AsyncIterator[DeskHouse]:
    house = await DeskHouse().open()
    yield house
    await house.close()


async def hold(house: DeskHouse, quantity: int, symbol: str = "ACME", name: str = "", **more: Any) -> None:
    """Have a position of so many, short when negative, by one order."""
    name = name or f"buy-{symbol}-{quantity}-{more.get('strategy_id', '')}"
    side = Side.BUY if quantity > 0 else Side.SELL
    await house.place(name, side=side, quantity=abs(quantity), symbol=symbol, price=None, **more)
    await house.tell(X.NEW, name)
    await house.tell(X.TRADE, name, execution_id=f"of {name}", quantity=abs(quantity))


def flattening(house: DeskHouse) -> list[Order]:
    """The orders that kill switches sent, as stored, oldest first."""
    placed = [event for event in house.events if event.actor.startswith("kill_switch:") and event.order]
    ids = [e.order.order_id for e in placed if e.type is EventType.ORDER_PLACED and e.order]
    return [house.database.state.orders[MAIN, order_id] for order_id in ids]


def position(house: DeskHouse) -> Position:
    return house.writer.book.portfolio.positions["ACME"]


async def trade(house: DeskHouse, order: Order, quantity: int) -> None:
    house.broker.sink(
        house.says(X.TRADE, order.order_id, execution_id=f"f {order.order_id} {quantity}", quantity=quantity)
    )
    await house.settle()


@pytest.mark.parametrize(("held", "side"), [(100, Side.SELL), (-100, Side.BUY)])
async def test_a_position_is_closed_at_the_market_reduce_only(house: DeskHouse, held: int, side: Side) -> None:
    await hold(house, held)
    kill = (await house.engage(flatten=True)).view.kill
    (order,) = flattening(house)
    assert (order.terms.side, order.terms.quantity, order.terms.type) == (side, D(100), OrderType.MARKET)
    assert order.terms.reduce_only
    (placed,) = [e for e in house.events if e.order and e.order.order_id == order.order_id]
    assert placed.actor == f"kill_switch:{kill.kill_switch_id}"
    assert house.broker.times("submit", order.order_id) == 1


async def test_nothing_is_sent_before_every_order_in_the_scope_has_ended(house: DeskHouse) -> None:
    await hold(house, 100)
    await house.place("open", quantity=10)
    await house.tell(X.NEW, "open")
    await house.engage(flatten=True)
    await house.pass_time(3)
    assert flattening(house) == []
    await house.tell(X.CANCELED, "open")
    await house.pass_time(1.5)
    assert len(flattening(house)) == 1


async def test_it_is_sent_once_however_often_it_is_looked_at(house: DeskHouse) -> None:
    await hold(house, 100)
    await house.engage(flatten=True)
    await house.engage(flatten=True)
    await house.pass_time(4)
    assert len(flattening(house)) == 1


async def test_its_own_order_is_not_cancelled_by_it_or_by_another_switch(house: DeskHouse) -> None:
    await hold(house, 100)
    await house.engage(flatten=True)
    await house.engage(Scope(ScopeKind.ALL))
    await house.pass_time(3)
    (order,) = flattening(house)
    assert not order.cancel_pending


async def test_what_a_partial_fill_leaves_is_closed_when_the_order_has_ended(house: DeskHouse) -> None:
    await hold(house, 100)
    await house.engage(flatten=True)
    (first,) = flattening(house)
    await trade(house, first, 60)
    house.broker.sink(house.says(X.CANCELED, first.order_id))
    await house.pass_time(1.5)
    assert [order.terms.quantity for order in flattening(house)] == [100, 40]
    await trade(house, flattening(house)[1], 40)
    await house.pass_time(3)
    assert len(flattening(house)) == 2
    assert house.writer.book.portfolio.positions["ACME"].quantity == 0


async def test_it_goes_on_after_a_restart_and_does_not_double(house: DeskHouse) -> None:
    await hold(house, 100)
    await house.engage(flatten=True)
    (order,) = flattening(house)
    house.broker.sink(house.says(X.NEW, order.order_id))
    await house.settle()
    await house.restart()
    await house.pass_time(3)
    assert len(flattening(house)) == 1
    house.broker.sink(house.says(X.CANCELED, order.order_id))
    await house.pass_time(1.5)
    assert len(flattening(house)) == 2


async def test_an_order_above_the_limit_of_one_order_is_sent_in_parts(house: DeskHouse) -> None:
    await hold(house, 100)
    await house.run(UpdateRiskProfile(MAIN, "user:test", {"max_order_quantity": D(40)}))
    await house.engage(flatten=True)
    for part, expected in enumerate([40, 40, 20]):
        order = flattening(house)[part]
        assert order.terms.quantity == expected
        await trade(house, order, expected)
        await house.pass_time(1.5)
    assert len(flattening(house)) == 3


async def test_without_a_price_it_waits_for_one(house: DeskHouse) -> None:
    await hold(house, 100)
    house.quotes.remove("ACME")
    await house.engage(flatten=True)
    assert flattening(house) == []
    await house.pass_time(1.5)
    assert len(flattening(house)) == 1


async def test_a_scope_of_a_symbol_closes_that_symbol_only(house: DeskHouse) -> None:
    await hold(house, 100)
    await hold(house, 50, "BOLT")
    await house.engage(Scope(ScopeKind.SYMBOL, MAIN, "BOLT"), flatten=True)
    assert [(order.terms.symbol, order.terms.quantity) for order in flattening(house)] == [("BOLT", D(50))]


async def test_a_scope_of_an_account_closes_every_symbol(house: DeskHouse) -> None:
    await hold(house, 100)
    await hold(house, -50, "BOLT")
    await house.engage(ACCOUNT, flatten=True)
    assert [(order.terms.symbol, order.terms.side) for order in flattening(house)] == [
        ("ACME", Side.SELL),
        ("BOLT", Side.BUY),
    ]


async def test_a_scope_of_a_strategy_closes_what_is_its_own(house: DeskHouse) -> None:
    await hold(house, 100, strategy_id="momentum")
    await hold(house, 30, strategy_id="value")
    await hold(house, 50, "BOLT", strategy_id="value")
    await house.engage(Scope(ScopeKind.STRATEGY, "", "momentum"), flatten=True)
    (order,) = flattening(house)
    assert (order.terms.symbol, order.terms.quantity, order.terms.strategy_id) == ("ACME", D(100), "momentum")
    await trade(house, order, 100)
    await house.pass_time(3)
    assert len(flattening(house)) == 1
    assert house.writer.book.portfolio.positions["ACME"].quantity == 30


async def test_a_strategy_that_sold_what_another_bought_has_nothing_to_close(house: DeskHouse) -> None:
    await hold(house, 100, strategy_id="value")
    await hold(house, -40, strategy_id="momentum")
    await house.engage(Scope(ScopeKind.STRATEGY, "", "momentum"), flatten=True)
    await house.pass_time(1.5)
    assert flattening(house) == []


async def test_a_fill_that_comes_after_the_cancel_is_closed_too(house: DeskHouse) -> None:
    await house.place("late", quantity=10)
    await house.tell(X.NEW, "late")
    await house.engage(flatten=True)
    await house.tell(X.CANCELED, "late")
    await house.pass_time(2)
    assert flattening(house) == []
    await house.tell(X.TRADE, "late", execution_id="late", quantity=4)
    await house.pass_time(1.5)
    assert [order.terms.quantity for order in flattening(house)] == [4]


async def test_after_the_release_nothing_more_is_closed(house: DeskHouse) -> None:
    await house.place("open", quantity=10)
    await house.tell(X.NEW, "open")
    await hold(house, 100, name="held")
    kill = (await house.engage(flatten=True)).view.kill
    await house.desk.kill_switches.release(kill.kill_switch_id, "all clear", "user:boss", 1)
    await house.tell(X.CANCELED, "open")
    await house.pass_time(3)
    assert flattening(house) == []


async def test_asking_again_sends_nothing_while_its_order_is_open_or_the_position_has_changed(house: DeskHouse) -> None:
    await hold(house, 100)
    kill = (await house.engage(flatten=True)).view.kill
    (order,) = flattening(house)
    again = Flatten(MAIN, "kill_switch:x", kill.kill_switch_id, (Held("ACME", D(40), position(house).sequence),))
    assert await house.run(again) == ()
    await trade(house, order, 60)
    house.broker.sink(house.says(X.CANCELED, order.order_id))
    await house.settle()
    assert await house.run(again) == ()
    assert len(flattening(house)) == 1


async def test_a_caller_cannot_pass_an_order_off_as_one_that_closes(house: DeskHouse) -> None:
    kill = (await house.engage(Scope(ScopeKind.SYMBOL, MAIN, "BOLT"), flatten=True)).view.kill
    await house.place("sly", quantity=10, tags=(("kill_switch", kill.kill_switch_id),))
    await house.tell(X.NEW, "sly")
    await house.engage(ACCOUNT)
    assert house.order("sly").cancel_pending
