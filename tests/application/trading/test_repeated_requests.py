"""The same client order id again: the first answer, for ever."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from application.trading import account_book
from application.trading.commands.place_order_group_command import PlacedGroup, PlaceOrderGroup
from application.trading.commands.place_orders_command import PlaceOrders
from application.trading.placement import Placed
from domain.errors import AlreadyExists, InvalidArgument, OrderNotPlaced
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, Side
from tests.support.engine import MAIN, House
from tests.support.trading import terms

X = ExecType

Between = Callable[[House], Awaitable[None]]


async def nothing(house: House) -> None:
    """The answer is still in memory."""


async def restarted(house: House) -> None:
    await house.restart()


async def forgotten(house: House) -> None:
    """Enough orders have closed since that memory has let go of the first one."""
    for number in range(4):
        await house.place(f"later {number}")
        await house.tell(X.CANCELED, f"later {number}")


BETWEEN = pytest.mark.parametrize("between", [nothing, restarted, forgotten])


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(account_book, "_RECENT_CLOSED_ORDERS", 2)
    house = await House().open()
    yield house
    await house.close()


@BETWEEN
async def test_an_order_placed_again_is_answered_as_the_first_time_whatever_became_of_it(
    house: House, between: Between
) -> None:
    first = await house.place(quantity=10)
    await house.tell(X.TRADE, execution_id="t", quantity=10)
    handed = house.broker.handed.copy()
    await between(house)
    again = await house.place(quantity=10)
    assert again == Placed(first.order, first.sequence, replayed=True)
    assert again.order.status is OrderStatus.PENDING_NEW
    assert house.order().status is OrderStatus.FILLED
    assert ("submit", first.order.order_id) in handed
    assert house.broker.times("submit", first.order.order_id) == (0 if between is restarted else 1)


@BETWEEN
async def test_an_order_that_was_refused_is_refused_again_in_the_same_words(house: House, between: Between) -> None:
    with pytest.raises(OrderNotPlaced) as first:
        await house.place(quantity="0.5")
    await between(house)
    with pytest.raises(OrderNotPlaced) as again:
        await house.place(quantity="0.5")
    assert again.value.message == first.value.message
    assert again.value.violations == first.value.violations
    assert again.value.metadata == {**first.value.metadata, "replayed": "true"}
    assert house.happened() == ["ORDER_REJECTED"]


@BETWEEN
async def test_a_refused_id_stays_used_though_the_order_would_pass_now(house: House, between: Between) -> None:
    house.quotes.remove("ACME")
    with pytest.raises(OrderNotPlaced):
        await house.place()
    house.quotes.set("ACME", "50")
    await between(house)
    with pytest.raises(OrderNotPlaced):
        await house.place()


@BETWEEN
async def test_the_same_id_with_other_content_is_refused_and_names_the_first_order(
    house: House, between: Between
) -> None:
    first = await house.place(quantity=10)
    await house.tell(X.CANCELED)
    await between(house)
    with pytest.raises(AlreadyExists) as refused:
        await house.place(quantity=11)
    assert refused.value.metadata["order_id"] == first.order.order_id
    assert house.happened() == ["ORDER_PLACED", "ORDER_CANCELED"]


async def test_the_same_order_asked_for_twice_at_once_is_placed_once(house: House) -> None:
    house.journal.gate.clear()
    asked = [house.begin(house.placing()) for _ in range(2)]
    await house.settle()
    house.journal.gate.set()
    first, again = [await task for task in asked]
    assert (first.replayed, again.replayed) == (False, True)
    assert first.order == again.order
    await house.settle()
    assert house.submissions() == 1


async def test_an_order_that_was_only_checked_leaves_its_id_free(house: House) -> None:
    command = house.placing()
    checked = await house.run(type(command)(MAIN, command.actor, command.terms, validate_only=True))
    assert (checked.sequence, checked.replayed) == (0, False)
    assert not house.is_stored("x")
    assert not (await house.place()).replayed


@BETWEEN
async def test_many_orders_placed_again_are_each_answered_as_the_first_time(house: House, between: Between) -> None:
    orders = terms("a"), terms("b", quantity="0.5"), terms("c")
    first = await house.run(PlaceOrders(MAIN, "user:test", orders))
    for name in ("a", "c"):
        await house.tell(X.CANCELED, name)
    await between(house)
    again = await house.run(PlaceOrders(MAIN, "user:test", orders))
    assert [type(result) for result in again] == [Placed, OrderNotPlaced, Placed]
    for before, after in zip(first, again, strict=True):
        if isinstance(before, Placed):
            assert after == Placed(before.order, before.sequence, replayed=True)


async def test_many_orders_with_one_that_was_placed_before_place_the_rest(house: House) -> None:
    await house.place("a")
    results = await house.run(PlaceOrders(MAIN, "user:test", (terms("a"), terms("b")), atomic=True))
    assert [isinstance(r, Placed) and r.replayed for r in results] == [True, False]


async def test_many_orders_all_or_none_place_none_when_one_is_refused(house: House) -> None:
    with pytest.raises(OrderNotPlaced) as refused:
        await house.run(PlaceOrders(MAIN, "user:test", (terms("a"), terms("b", quantity="0.5")), atomic=True))
    assert refused.value.metadata["index"] == "1"
    assert not house.is_stored("a")
    assert not house.is_stored("b")


async def test_one_id_twice_in_one_request_is_malformed_and_places_nothing(house: House) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await house.run(PlaceOrders(MAIN, "user:test", (terms("a"), terms("a"))))
    assert refused.value.field == "orders[1].client_order_id"
    assert not house.is_stored("a")


# -- groups ---------------------------------------------------------------------------------------------


def bracket(quantity: int = 10, group_id: str = "") -> PlaceOrderGroup:
    members = (
        terms("entry", quantity=quantity),
        terms("profit", Side.SELL, quantity, 55),
        terms("loss", Side.SELL, quantity, 45),
    )
    paths = ("entry", "take_profit", "stop_loss")
    return PlaceOrderGroup(MAIN, "user:test", GroupType.BRACKET, members, paths, group_id)


@BETWEEN
async def test_a_group_placed_again_is_answered_as_the_first_time(house: House, between: Between) -> None:
    first = await house.run(bracket())
    await house.tell(X.CANCELED, "entry")
    await between(house)
    again = await house.run(bracket())
    assert again == PlacedGroup(
        first.group_id,
        tuple(Placed(placed.order, placed.sequence, replayed=True) for placed in first.orders),
        first.sequence,
        replayed=True,
    )


@BETWEEN
async def test_a_group_with_an_order_of_other_content_is_refused_whole(house: House, between: Between) -> None:
    await house.run(bracket())
    await house.tell(X.CANCELED, "entry")
    await between(house)
    with pytest.raises(AlreadyExists):
        await house.run(bracket(quantity=11))


@BETWEEN
async def test_a_group_id_that_was_used_is_refused_for_other_orders(house: House, between: Between) -> None:
    await house.run(bracket(group_id="g"))
    await house.tell(X.CANCELED, "entry")
    await between(house)
    others = (terms("a"), terms("b"))
    with pytest.raises(AlreadyExists) as refused:
        await house.run(PlaceOrderGroup(MAIN, "user:test", GroupType.OCO, others, ("a", "b"), "g"))
    assert refused.value.reason == "CLIENT_GROUP_ID_REUSED"
    assert not house.is_stored("a")


async def test_a_group_of_which_one_order_is_refused_is_not_placed_at_all(house: House) -> None:
    refused_exit = terms("b", Side.SELL, "0.5")
    with pytest.raises(OrderNotPlaced) as refused:
        await house.run(
            PlaceOrderGroup(MAIN, "user:test", GroupType.OTO, (terms("a"), refused_exit), ("parent", "children[0]"))
        )
    assert refused.value.metadata["order"] == "children[0]"
    assert not house.is_stored("a")
