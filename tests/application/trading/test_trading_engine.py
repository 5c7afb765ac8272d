"""Accounts, restarts and a second server on the same database."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.persistence.memory import MemoryJournal
from application.trading.command import OrderRef
from application.trading.commands.cancel_order_command import CancelOrder
from application.trading.commands.create_account_command import CreateAccount
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.commands.place_order_group_command import PlaceOrderGroup
from application.trading.queries.get_portfolio_query import GetPortfolio
from domain.errors import AccessDenied, AlreadyExists, NotFound, Unavailable
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, OrderType, Side
from tests.support.engine import MAIN, Fault, House
from tests.support.trading import D, terms

S = OrderStatus
X = ExecType


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = await House().open()
    yield house
    await house.close()


def account(account_id: str = "second", cash: int = 5_000, broker: str = "scripted") -> CreateAccount:
    return CreateAccount(account_id, "user:test", broker, "USD", D(cash))


# -- accounts -------------------------------------------------------------------------------------------


async def test_a_new_account_can_be_traded_at_once(house: House) -> None:
    created = await house.create_account(account())
    assert (created.account.starting_cash, created.replayed) == (D(5_000), False)
    placed = await house.run(PlaceOrder("second", "user:test", terms(quantity=100)))
    assert placed.sequence == 2


async def test_an_account_created_again_with_the_same_content_is_no_error(house: House) -> None:
    first = await house.create_account(account())
    again = await house.create_account(account())
    assert (again.account, again.replayed) == (first.account, True)
    assert len(house.database.events["second"]) == 1


async def test_an_account_created_twice_at_once_is_created_once(house: House) -> None:
    created = await asyncio.gather(house.create_account(account()), house.create_account(account()))
    assert sorted(answer.replayed for answer in created) == [False, True]
    assert len(house.database.events["second"]) == 1


@pytest.mark.parametrize("other", [account(cash=1), CreateAccount("second", "user:test", "scripted", "EUR", D(5_000))])
async def test_an_account_created_again_with_other_content_is_refused(house: House, other: CreateAccount) -> None:
    await house.create_account(account())
    with pytest.raises(AlreadyExists) as refused:
        await house.create_account(other)
    assert refused.value.reason == "ACCOUNT_ALREADY_EXISTS"


async def test_an_account_needs_a_broker_that_is_configured(house: House) -> None:
    with pytest.raises(NotFound) as refused:
        await house.create_account(account(broker="alpaca"))
    assert refused.value.reason == "BROKER_NOT_FOUND"


@pytest.mark.parametrize("fault", Fault)
async def test_an_account_whose_commit_failed_is_there_exactly_once_when_it_is_asked_for_again(
    house: House, fault: Fault
) -> None:
    house.journal.faults.append(fault)
    with pytest.raises(Unavailable):
        await house.create_account(account())
    created = await house.create_account(account())
    assert created.replayed is (fault is Fault.WRITTEN)
    assert len(house.database.events["second"]) == 1
    placed = await house.run(PlaceOrder("second", "user:test", terms(quantity=100)))
    assert placed.sequence == 2


async def test_a_caller_that_goes_away_gets_its_account_all_the_same(house: House) -> None:
    house.journal.gate.clear()
    asked = asyncio.create_task(house.create_account(account()))
    await house.settle()
    asked.cancel()
    house.journal.gate.set()
    await house.settle()
    assert (await house.create_account(account())).replayed


async def test_an_account_that_is_not_there_looks_like_one_without_a_grant(house: House) -> None:
    with pytest.raises(AccessDenied):
        await house.run(PlaceOrder("nobody", "user:test", terms()))


async def test_accounts_do_not_see_each_others_orders_and_share_commits(house: House) -> None:
    await house.create_account(account())
    house.journal.gate.clear()
    blocked = house.begin(house.placing("0"))
    await house.settle()
    asked = [house.begin(PlaceOrder(name, "user:test", terms("x", quantity=10))) for name in (MAIN, "second")]
    await house.settle()
    house.journal.batches.clear()
    house.journal.gate.set()
    await asyncio.gather(blocked, *asked)
    assert [len({event.account_id for event in batch.events}) for batch in house.journal.batches] == [1, 2]
    with pytest.raises(NotFound):
        await house.run(CancelOrder("second", "user:test", OrderRef(client_order_id="0")))


async def test_one_accounts_failed_commit_does_not_mix_up_the_other(house: House) -> None:
    await house.create_account(account())
    house.journal.faults.append(Fault.NOT_WRITTEN)
    asked = [house.begin(PlaceOrder(name, "user:test", terms("x", quantity=10))) for name in (MAIN, "second")]
    results = await asyncio.gather(*asked, return_exceptions=True)
    await house.settle()
    assert all(isinstance(result, Unavailable) for result in results)
    for name in (MAIN, "second"):
        await house.run(PlaceOrder(name, "user:test", terms("x", quantity=10)))
        assert [event.sequence for event in house.database.events[name]] == [1, 2]


# -- restarts -------------------------------------------------------------------------------------------


async def test_a_restart_finds_orders_positions_and_limits_as_they_were(house: House) -> None:
    await house.place(quantity=10)
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    before = await house.run(GetPortfolio(MAIN, "user:test"))
    reserved = house.writer.book.open_orders
    await house.restart()
    after = await house.run(GetPortfolio(MAIN, "user:test"))
    assert (after.cash, after.positions, after.margin) == (before.cash, before.positions, before.margin)
    assert house.writer.book.open_orders == reserved
    assert after.sequence == before.sequence


async def test_a_fill_told_again_after_a_restart_is_not_booked_twice(house: House) -> None:
    await house.place(quantity=10)
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    await house.tell(X.TRADE, execution_id="u", quantity=6)
    await house.restart()
    for execution_id, quantity in (("t", 4), ("u", 6)):
        await house.tell(X.TRADE, execution_id=execution_id, quantity=quantity)
    assert house.order().filled_quantity == D(10)
    assert house.writer.book.portfolio.position("ACME", "USD").quantity == D(10)


async def test_a_bracket_goes_on_after_a_restart_where_it_was(house: House) -> None:
    members = (
        terms("entry", quantity=10),
        terms("profit", Side.SELL, 10, 55),
        terms("loss", Side.SELL, 10, None, type=OrderType.STOP, stop_price=D(45)),
    )
    await house.run(PlaceOrderGroup(MAIN, "user:test", GroupType.BRACKET, members, ("a", "b", "c")))
    await house.tell(X.TRADE, "entry", execution_id="t", quantity=4)
    assert house.order("profit").terms.quantity == D(4)
    await house.restart()
    await house.tell(X.NEW, "profit")
    await house.tell(X.NEW, "loss")
    await house.tell(X.TRADE, "entry", execution_id="u", quantity=6)
    assert house.order("profit").status is S.PENDING_REPLACE
    await house.tell(X.REPLACED, "profit")
    await house.tell(X.REPLACED, "loss")
    assert [house.order(name).terms.quantity for name in ("profit", "loss")] == [D(10), D(10)]
    await house.tell(X.TRADE, "profit", execution_id="v", quantity=10)
    assert house.order("loss").status is S.PENDING_CANCEL


async def test_held_children_are_neither_shown_nor_sent_nor_asked_about_after_a_restart(house: House) -> None:
    group = PlaceOrderGroup(
        MAIN, "user:test", GroupType.OTO, (terms("a", quantity=10), terms("b", Side.SELL, 10)), ("a", "b")
    )
    await house.run(group)
    await house.tell(X.NEW, "a")
    await house.restart(seconds_later=100)
    assert [order.terms.client_order_id for order in house.broker.working] == ["a"]
    await house.pass_time(10)
    child = house.order("b")
    assert child.held
    assert ("submit", child.order_id) not in house.broker.handed
    assert child.order_id not in house.broker.asked


async def test_stopping_leaves_orders_as_they_are_at_their_broker(house: House) -> None:
    await house.place()
    await house.tell(X.NEW)
    handed = house.broker.handed.copy()
    await house.restart()
    assert handed == [("submit", house.order().order_id)]
    assert house.broker.handed == []
    assert house.order().status is S.NEW


# -- a second server ------------------------------------------------------------------------------------


async def test_a_server_that_was_taken_over_can_commit_nothing_more_and_says_so_once(house: House) -> None:
    await house.place("before")
    newer = MemoryJournal(house.database, reached=lambda point: None)
    assert await newer.take_over() == house.engine.epoch + 1
    stored = len(house.events)
    for number in range(3):
        with pytest.raises(Unavailable) as refused:
            await house.place(f"after {number}")
        assert refused.value.reason == "ACCOUNT_RECOVERING"
        await house.pass_time(1)
    assert len(house.events) == stored
    assert house.fenced == 1
    assert len(house.broker.handed) == 1


async def test_a_server_that_was_taken_over_loses_the_reports_to_the_newer_one(house: House) -> None:
    await house.place(quantity=10)
    newer = MemoryJournal(house.database, reached=lambda point: None)
    await newer.take_over()
    await house.tell(X.TRADE, execution_id="t", quantity=4)
    await house.pass_time(2)
    assert house.order().filled_quantity == 0


async def test_every_start_has_a_higher_epoch(house: House) -> None:
    first = house.engine.epoch
    await house.restart()
    assert house.engine.epoch == first + 1
