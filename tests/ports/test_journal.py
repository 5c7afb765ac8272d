import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.persistence.store import Store
from application.ports.journal import AccountSnapshot, Batch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.value_objects.money import Money
from domain.trading.value_objects.order_type import Side
from tests.support.domain_values import values
from tests.support.ledger import START, D, Ledger, events, loaded

OpenStore = Callable[..., Awaitable[Store]]

# -- what is written ------------------------------------------------------------------------------------


async def test_an_account_that_was_never_opened_is_not_there(store: Store) -> None:
    assert await store.journal.load("desk") is None
    assert list(await store.journal.account_ids()) == []


async def test_a_new_account_is_loaded_as_it_was_opened(store: Store, ledger: Ledger) -> None:
    assert await loaded(store) == AccountSnapshot(
        account=ledger.account,
        sequence=1,
        risk_profile=RiskProfile("desk", max_order_quantity=D(500)),
        risk_state=RiskState("desk"),
        cash=[Money(D("1000000"), "USD")],
        positions=[],
        orders=[],
        fills=[],
    )


async def test_an_account_without_a_profile_of_its_own_has_the_default_limits(store: Store) -> None:
    batch = Ledger().opened()
    batch.risk_profiles.clear()
    await store.journal.append(batch)
    assert (await loaded(store)).risk_profile == RiskProfile("desk")


async def test_what_the_rules_remember_is_stored_with_the_account(store: Store, ledger: Ledger) -> None:
    state = RiskState("desk", high=D("1000000"), day=START)
    for noted in ({"k-1": 1}, {"k-1": 2}):
        state = replace(state, noted=noted, warned=frozenset({"MAX_POSITION:ACME"}))
        await store.journal.append(Batch(risk_states={"desk": state, "other": RiskState("other")}))
        assert (await loaded(store)).risk_state == state


async def test_every_account_is_listed(store: Store) -> None:
    for account_id in ("desk-2", "desk-1", "Desk-3"):
        await store.journal.append(Ledger(account_id).opened())
    assert sorted(await store.journal.account_ids()) == ["Desk-3", "desk-1", "desk-2"]


async def test_a_batch_writes_events_and_read_models_together(store: Store, ledger: Ledger) -> None:
    order = ledger.place("c-1", tags=(("desk", "7"),), strategy_id="s-1")
    fill = ledger.fill(order, "x-1")
    position = ledger.hold("ACME", 1)
    ledger.batch.cash["desk", "EUR"] = Money(D("-12.50"), "EUR")
    profile = RiskProfile("desk", version=2)
    ledger.batch.risk_profiles["desk"] = profile
    batch = ledger.take()
    await store.journal.append(batch)

    snapshot = await loaded(store)
    assert snapshot.sequence == 3
    assert snapshot.risk_profile == profile
    assert sorted(snapshot.cash, key=lambda money: money.currency) == [
        Money(D("-12.50"), "EUR"),
        Money(D("1000000"), "USD"),
    ]
    assert list(snapshot.positions) == [position]
    assert list(snapshot.orders) == list(batch.orders.values())
    assert list(snapshot.fills) == [fill]
    assert (await events(store))[1:] == batch.events


async def test_an_event_keeps_the_order_as_it_was_then(store: Store, ledger: Ledger) -> None:
    placed = ledger.place("c-1")
    accepted = ledger.change(placed)
    await store.journal.append(ledger.take())
    assert [event.order for event in await events(store)] == [None, placed, accepted]
    assert list((await loaded(store)).orders) == [accepted]


async def test_an_order_that_changes_again_replaces_what_was_stored(store: Store, ledger: Ledger) -> None:
    placed = ledger.place("c-1")
    await store.journal.append(ledger.take())
    accepted = ledger.change(placed)
    await store.journal.append(ledger.take())
    assert list((await loaded(store)).orders) == [accepted]


async def test_one_batch_may_be_about_many_accounts(store: Store) -> None:
    batch = Batch()
    ledgers = [Ledger(f"desk-{number}") for number in range(3)]
    for ledger in ledgers:
        batch.merge(ledger.opened())
        ledger.place("c-1")
        batch.merge(ledger.take())
    await store.journal.append(batch)
    assert [(await loaded(store, ledger.account_id)).sequence for ledger in ledgers] == [2, 2, 2]


@pytest.mark.parametrize("size", [1, 63, 64, 65, 300])
async def test_a_batch_may_be_of_any_size(store: Store, ledger: Ledger, size: int) -> None:
    orders = [ledger.place(f"c-{number}") for number in range(size)]
    await store.journal.append(ledger.take())
    snapshot = await loaded(store)
    assert snapshot.sequence == size + 1
    assert list(snapshot.orders) == orders


async def test_a_batch_without_anything_writes_nothing(store: Store, ledger: Ledger) -> None:
    await store.journal.append(Batch())
    assert (await loaded(store)).sequence == 1


async def test_sides_and_numbers_of_an_order_survive(store: Store, ledger: Ledger) -> None:
    order = ledger.place("c-1", side=Side.SELL, quantity=D("0.000000000000000001"), limit_price=D("12E+3"))
    await store.journal.append(ledger.take())
    [stored] = (await loaded(store)).orders
    assert stored == order
    assert (str(stored.terms.quantity), str(stored.terms.limit_price)) == ("1E-18", "1.2E+4")


# Whatever the fields hold comes back equal: the account is new for each example, the database is not.
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_whatever_is_written_comes_back_equal(store: Store, data: st.DataObject) -> None:
    account_id = f"desk-{len(await store.journal.account_ids())}"
    mine = {"account_id": st.just(account_id)}
    one = {"sequence": st.just(1), **mine}
    order = data.draw(values(Order, state=st.just(OrderStatus.NEW), created_sequence=st.just(1), **mine))
    event = data.draw(values(Event, order=st.just(order) | st.none(), **one))
    fill = data.draw(values(Fill, order_id=st.just(order.order_id), **one))
    account, profile = data.draw(values(Account, **mine)), data.draw(values(RiskProfile, **mine))
    state = data.draw(values(RiskState, **mine))
    position, money = data.draw(values(Position, **mine)), data.draw(values(Money))
    batch = Batch(
        events=[event],
        orders={(account_id, order.order_id): order},
        fills={(account_id, fill.execution_id): fill},
        positions={(account_id, position.symbol): position},
        cash={(account_id, money.currency): money},
        accounts={account_id: account},
        risk_profiles={account_id: profile},
        risk_states={account_id: state},
    )
    await store.journal.append(batch)
    assert await events(store, account_id) == [event]
    assert await loaded(store, account_id) == AccountSnapshot(
        account, 1, profile, state, [money], [position], [order], [fill]
    )


# -- what a start reads ---------------------------------------------------------------------------------


async def test_closed_orders_and_their_fills_stay_where_they_are(store: Store, ledger: Ledger) -> None:
    over, working = ledger.place("c-over"), ledger.place("c-working")
    ledger.fill(over, "x-over")
    ledger.cancel(over)
    fill = ledger.fill(working, "x-working")
    await store.journal.append(ledger.take())
    snapshot = await loaded(store)
    assert [order.order_id for order in snapshot.orders] == [working.order_id]
    assert list(snapshot.fills) == [fill]


async def test_a_closed_member_is_loaded_while_its_group_is_open(store: Store, ledger: Ledger) -> None:
    parent = ledger.place("c-parent", group_id="g-1")
    child = ledger.place("c-child", group_id="g-1")
    for client_order_id in ("c-a", "c-b"):
        ledger.cancel(ledger.place(client_order_id, group_id="g-over"))
    fill = ledger.fill(parent, "x-1")
    closed = ledger.cancel(parent)
    await store.journal.append(ledger.take())
    snapshot = await loaded(store)
    assert list(snapshot.orders) == [closed, child]
    assert list(snapshot.fills) == [fill]

    ledger.cancel(child)
    await store.journal.append(ledger.take())
    assert list((await loaded(store)).orders) == []


async def test_orders_are_loaded_in_the_order_they_were_placed(store: Store, ledger: Ledger) -> None:
    placed = [ledger.place(f"c-{number}") for number in range(5)]
    await store.journal.append(ledger.take())
    for order in (placed[3], placed[0]):
        ledger.change(order)
        await store.journal.append(ledger.take())
    loaded_ids = [order.order_id for order in (await loaded(store)).orders]
    assert loaded_ids == [order.order_id for order in placed]


async def test_a_flat_position_is_loaded_for_what_it_has_earned(store: Store, ledger: Ledger) -> None:
    ledger.place("c-1")
    flat = ledger.hold("ACME", 0)
    await store.journal.append(ledger.take())
    assert list((await loaded(store)).positions) == [flat]


async def test_an_account_is_loaded_without_the_others(store: Store, ledger: Ledger) -> None:
    other = Ledger("other")
    await store.journal.append(other.opened())
    other.fill(other.place("c-1"), "x-1")
    other.hold("ACME", 5)
    await store.journal.append(other.take())
    snapshot = await loaded(store)
    assert (list(snapshot.orders), list(snapshot.fills), list(snapshot.positions)) == ([], [], [])


# -- lookups --------------------------------------------------------------------------------------------


async def test_orders_are_found_by_the_callers_ids_whatever_their_state(store: Store, ledger: Ledger) -> None:
    first, second = ledger.place("c-1"), ledger.place("c-2")
    ledger.place("c-3")
    first = ledger.cancel(first)
    await store.journal.append(ledger.take())
    for more in ([], [f"new-{number}" for number in range(100)]):
        found = await store.journal.orders_by_client_id("desk", ["c-1", "new", "c-2", "c-1", *more])
        assert sorted(found, key=lambda order: order.created_sequence) == [first, second]
    assert list(await store.journal.orders_by_client_id("desk", [])) == []
    assert list(await store.journal.orders_by_client_id("other", ["c-1"])) == []


async def test_accounts_that_look_up_at_the_same_time_each_find_their_own(store: Store) -> None:
    ledgers = [Ledger(f"desk-{number}") for number in range(3)]
    placed = {}
    for ledger in ledgers:
        await store.journal.append(ledger.opened())
        placed[ledger.account_id] = [ledger.place("c-1"), ledger.place(f"of {ledger.account_id}")]
        await store.journal.append(ledger.take())
    every_id = ["c-1", "new", *(f"of {ledger.account_id}" for ledger in ledgers)]
    asked = [*placed, "desk-none"]
    found = await asyncio.gather(*(store.journal.orders_by_client_id(account, every_id) for account in asked))
    by_age = [sorted(orders, key=lambda order: order.created_sequence) for orders in found]
    assert by_age == [*placed.values(), []]


async def test_one_who_gives_up_a_look_up_leaves_the_others_theirs(store: Store, ledger: Ledger) -> None:
    order = ledger.place("c-1")
    await store.journal.append(ledger.take())
    looking = [asyncio.ensure_future(store.journal.orders_by_client_id("desk", ["c-1"])) for _ in range(2)]
    await asyncio.sleep(0)
    looking[0].cancel()
    assert await looking[1] == [order]


async def test_orders_are_found_by_their_ids(store: Store, ledger: Ledger) -> None:
    orders = [ledger.place(f"c-{number}") for number in range(200)]
    await store.journal.append(ledger.take())
    found = await store.journal.orders_by_id("desk", {order.order_id for order in orders} | {"none"})
    assert sorted(found, key=lambda order: order.created_sequence) == orders


async def test_fills_of_orders_come_with_the_busted_ones(store: Store, ledger: Ledger) -> None:
    first, second, third = (ledger.place(f"c-{number}") for number in range(3))
    kept, other = ledger.fill(first, "x-1"), ledger.fill(second, "x-2")
    busted = ledger.bust(ledger.fill(first, "x-3"))
    ledger.fill(third, "x-4")
    await store.journal.append(ledger.take())
    found = await store.journal.fills_of_orders("desk", [first.order_id, second.order_id])
    assert sorted(found, key=lambda fill: fill.sequence) == [kept, other, busted]


async def test_fills_of_a_symbol_are_those_that_count_in_the_order_they_were_booked(
    store: Store, ledger: Ledger
) -> None:
    acme, other = ledger.place("c-1"), ledger.place("c-2", symbol="OTHER")
    fills = [ledger.fill(acme, f"x-{number}") for number in range(12)]
    ledger.fill(other, "x-other")
    await store.journal.append(ledger.take())
    ledger.bust(fills.pop(3))
    await store.journal.append(ledger.take())
    assert list(await store.journal.fills_of_symbol("desk", "ACME")) == fills


@pytest.mark.parametrize("more", [0, 100])
async def test_executions_are_known_once_they_are_booked_and_when_they_are_busted(
    store: Store, ledger: Ledger, more: int
) -> None:
    order = ledger.place("c-1")
    ledger.fill(order, "x-1")
    ledger.bust(ledger.fill(order, "x-2"))
    ledger.fill(order, "x-3")
    await store.journal.append(ledger.take())
    asked = ["x-1", "x-2", "x-4", *(f"new-{number}" for number in range(more))]
    assert sorted(await store.journal.known_executions("desk", asked)) == ["x-1", "x-2"]
    assert list(await store.journal.known_executions("other", asked)) == []
