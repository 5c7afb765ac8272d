from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from adapters.persistence.store import Store
from application.ports.journal import Batch
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event
from domain.trading.repositories.order_repository import FillFilter, OrderFilter
from domain.trading.value_objects.order_type import Side
from tests.support.ledger import START, Ledger

ANY = OrderFilter()
ANY_FILL = FillFilter()


@pytest.fixture
async def orders(store: Store, ledger: Ledger) -> list[Order]:
    """Six orders, as they are stored, in the order they were placed: events 2 to 7, and later ones."""
    buy = ledger.place("c-0", strategy_id="s-1")
    sell = ledger.place("c-1", side=Side.SELL, symbol="OTHER")
    working = ledger.place("c-2", strategy_id="s-1", group_id="g-1")
    canceled = ledger.place("c-3", group_id="g-1", strategy_id="s-2")
    pending = ledger.place("c-4", symbol="OTHER")
    replaced = ledger.place("c-5", side=Side.SELL)
    stored = [
        buy,
        sell,
        ledger.change(working),
        ledger.cancel(canceled),
        ledger.change(pending, cancel_pending=True),
        ledger.change(replaced, replace_terms=replaced.terms, replace_version=2),
    ]
    await store.journal.append(ledger.take())
    other = Ledger("other")
    other_batch = other.opened()
    other.place("c-0", strategy_id="s-1", group_id="g-1")
    other_batch.merge(other.take())
    await store.journal.append(other_batch)
    return stored


# -- orders ---------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_its_id_and_by_the_callers(store: Store, orders: list[Order]) -> None:
    for order in orders:
        assert await store.orders.order("desk", order.order_id) == order
        assert await store.orders.order_by_client_id("desk", order.terms.client_order_id) == order


async def test_what_is_not_there_is_none(store: Store, orders: list[Order]) -> None:
    assert await store.orders.order("desk", "nobody") is None
    assert await store.orders.order("nobody", orders[0].order_id) is None
    assert await store.orders.order_by_client_id("desk", "nobody") is None
    assert await store.orders.account("nobody") is None
    assert list(await store.orders.orders("nobody", ANY, None, 10, False)) == []


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (ANY, [0, 1, 2, 3, 4, 5]),
        (OrderFilter(symbol="OTHER"), [1, 4]),
        (OrderFilter(side=Side.SELL), [1, 5]),
        (OrderFilter(side=Side.BUY, symbol="ACME"), [0, 2, 3]),
        (OrderFilter(statuses=frozenset({OrderStatus.PENDING_NEW})), [0, 1]),
        (OrderFilter(statuses=frozenset({OrderStatus.CANCELED, OrderStatus.NEW})), [2, 3]),
        (OrderFilter(statuses=frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE})), [4, 5]),
        (OrderFilter(statuses=frozenset(OrderStatus)), [0, 1, 2, 3, 4, 5]),
        (OrderFilter(strategy_id="s-1"), [0, 2]),
        (OrderFilter(group_id="g-1"), [2, 3]),
        (OrderFilter(open_only=True), [0, 1, 2, 4, 5]),
        (OrderFilter(open_only=True, group_id="g-1", strategy_id="s-1", symbol="ACME", side=Side.BUY), [2]),
        (OrderFilter(created_from=START + timedelta(seconds=4)), [2, 3, 4, 5]),
        (OrderFilter(created_before=START + timedelta(seconds=4)), [0, 1]),
        (OrderFilter(created_from=START + timedelta(seconds=3, microseconds=1)), [2, 3, 4, 5]),
        (
            OrderFilter(created_from=START + timedelta(seconds=3), created_before=START + timedelta(seconds=5)),
            [1, 2],
        ),
        (OrderFilter(symbol="NONE"), []),
    ],
)
@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_filter_lists_what_meets_all_of_it(
    store: Store, orders: list[Order], where: OrderFilter, wanted: list[int], newest_first: bool
) -> None:
    listed = list(await store.orders.orders("desk", where, None, 10, newest_first))
    assert listed == [orders[index] for index in (reversed(wanted) if newest_first else wanted)]


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("where", [ANY, OrderFilter(open_only=True), OrderFilter(strategy_id="s-1")])
async def test_pages_of_orders_follow_each_other_without_a_gap_or_a_repeat(
    store: Store, orders: list[Order], where: OrderFilter, newest_first: bool
) -> None:
    whole = list(await store.orders.orders("desk", where, None, 100, newest_first))
    paged: list[Order] = []
    while page := await store.orders.orders("desk", where, _last(paged), 2, newest_first):
        assert len(page) <= 2
        paged += page
    assert paged == whole


def _last(orders: list[Order]) -> int | None:
    return orders[-1].created_sequence if orders else None


async def test_a_page_is_not_shifted_by_what_comes_in_between(
    store: Store, ledger: Ledger, orders: list[Order]
) -> None:
    first = await store.orders.orders("desk", ANY, None, 2, True)
    ledger.place("c-new")
    await store.journal.append(ledger.take())
    second = await store.orders.orders("desk", ANY, first[-1].created_sequence, 2, True)
    assert [*first, *second] == orders[:1:-1]


# -- fills ----------------------------------------------------------------------------------------------


@pytest.fixture
async def fills(store: Store, ledger: Ledger) -> list[Fill]:
    """Five fills of three orders as they are stored; the second one is busted."""
    first = ledger.place("c-0", strategy_id="s-1")
    second = ledger.place("c-1", side=Side.SELL, symbol="OTHER", strategy_id="s-2")
    third = ledger.place("c-2", side=Side.SELL)
    booked = [ledger.fill(order, f"x-{n}") for n, order in enumerate((first, second, first, third, second))]
    booked[1] = ledger.bust(booked[1])
    await store.journal.append(ledger.take())
    other = Ledger("other")
    other_batch = other.opened()
    other.fill(other.place("c-0", strategy_id="s-1"), "x-0")
    other_batch.merge(other.take())
    await store.journal.append(other_batch)
    return booked


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        (ANY_FILL, [0, 1, 2, 3, 4]),
        (FillFilter(symbol="OTHER"), [1, 4]),
        (FillFilter(side=Side.SELL), [1, 3, 4]),
        (FillFilter(strategy_id="s-1"), [0, 2]),
        (FillFilter(order_id="desk-000004"), [3]),
        (FillFilter(order_id="desk-000003", symbol="ACME"), []),
        (FillFilter(filled_from=START + timedelta(seconds=7)), [2, 3, 4]),
        (FillFilter(filled_before=START + timedelta(seconds=7)), [0, 1]),
        (FillFilter(side=Side.SELL, strategy_id="s-2", filled_from=START + timedelta(seconds=7)), [4]),
    ],
)
@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_fill_filter_lists_what_meets_all_of_it(
    store: Store, fills: list[Fill], where: FillFilter, wanted: list[int], newest_first: bool
) -> None:
    listed = list(await store.orders.fills("desk", where, None, 10, newest_first))
    assert listed == [fills[index] for index in (reversed(wanted) if newest_first else wanted)]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_pages_of_fills_follow_each_other_without_a_gap_or_a_repeat(
    store: Store, fills: list[Fill], newest_first: bool
) -> None:
    paged: list[Fill] = []
    while page := await store.orders.fills("desk", ANY_FILL, paged[-1].sequence if paged else None, 2, newest_first):
        paged += page
    assert paged == (fills[::-1] if newest_first else fills)


async def test_fills_are_found_by_their_orders(store: Store, fills: list[Fill]) -> None:
    found = await store.orders.fills_of_orders("desk", ["desk-000002", "desk-000004", "nobody"])
    assert list(found) == [fills[0], fills[2], fills[3]]
    assert list(await store.orders.fills_of_orders("desk", [])) == []


# -- positions and accounts -----------------------------------------------------------------------------


async def test_positions_are_listed_by_symbol_without_the_flat_ones(store: Store, ledger: Ledger) -> None:
    ledger.place("c-1")
    held = {symbol: ledger.hold(symbol, quantity) for symbol, quantity in _HELD}
    await store.journal.append(ledger.take())
    listed = [held["ABC"], held["BTC/USD"], held["aAPL"], held["Ä"]]
    assert list(await store.orders.positions("desk", "", 10)) == listed
    assert list(await store.orders.positions("desk", "", 2)) == listed[:2]
    assert list(await store.orders.positions("desk", "BTC/USD", 10)) == listed[2:]
    assert list(await store.orders.positions("other", "", 10)) == []


_HELD = [("aAPL", 3), ("BTC/USD", -1), ("FLAT", 0), ("Ä", 1), ("ABC", 5)]


async def test_a_position_that_was_closed_leaves_the_list(store: Store, ledger: Ledger) -> None:
    for quantity in (5, 0):
        ledger.place(f"c-{quantity}")
        ledger.hold("ACME", quantity)
        await store.journal.append(ledger.take())
        assert len(await store.orders.positions("desk", "", 10)) == (1 if quantity else 0)


async def test_accounts_are_listed_by_id_in_the_order_of_their_characters(store: Store) -> None:
    ids = ["A", "B", "_", "a", "b", "é"]
    batch = Batch()
    ledgers = {account_id: Ledger(account_id) for account_id in reversed(ids)}
    for ledger in ledgers.values():
        batch.merge(ledger.opened())
    await store.journal.append(batch)
    accounts = [ledgers[account_id].account for account_id in ids]
    assert list(await store.orders.accounts("", 10)) == accounts
    assert list(await store.orders.accounts("B", 2)) == accounts[2:4]
    assert await store.orders.account("_") == accounts[2]


# -- events ---------------------------------------------------------------------------------------------


@pytest.fixture
async def journaled(store: Store, ledger: Ledger) -> list[Event]:
    batch = Batch()
    first, second = ledger.place("c-1"), ledger.place("c-2")
    ledger.fill(ledger.change(first), "x-1")
    ledger.cancel(second)
    recorded = ledger.take()
    batch.merge(recorded)
    await store.journal.append(batch)
    return recorded.events


async def test_events_are_read_from_any_sequence_on(store: Store, journaled: list[Event]) -> None:
    for after in range(1, 7):
        assert list(await store.orders.events("desk", after, 10)) == journaled[after - 1 :]
    assert list(await store.orders.events("desk", 99, 10)) == []
    assert list(await store.orders.events("nobody", 0, 10)) == []


async def test_events_are_read_a_page_at_a_time(store: Store, journaled: list[Event]) -> None:
    assert list(await store.orders.events("desk", 1, 2)) == journaled[:2]
    assert list(await store.orders.events("desk", 3, 2)) == journaled[2:4]


async def test_events_are_read_up_to_and_with_a_sequence(store: Store, journaled: list[Event]) -> None:
    assert list(await store.orders.events("desk", 1, 10, until=4)) == journaled[:3]
    assert list(await store.orders.events("desk", 4, 10, until=4)) == []
    assert list(await store.orders.events("desk", 5, 10, until=4)) == []


async def test_events_of_one_order_leave_out_the_others(store: Store, journaled: list[Event]) -> None:
    mine = [event for event in journaled if event.order and event.order.order_id == "desk-000002"]
    assert len(mine) == 3
    assert list(await store.orders.events("desk", 0, 10, order_id="desk-000002")) == mine
    assert list(await store.orders.events("desk", 2, 1, order_id="desk-000002", until=4)) == mine[1:2]
    assert list(await store.orders.events("desk", 0, 10, order_id="nobody")) == []


async def test_the_last_sequence_is_that_of_the_newest_event(store: Store, journaled: list[Event]) -> None:
    assert await store.orders.last_sequence("desk") == journaled[-1].sequence
    assert await store.orders.last_sequence("nobody") == 0


# -- beside the writer ----------------------------------------------------------------------------------


async def test_another_server_on_the_database_reads_what_is_committed(
    store: Store, orders: list[Order], open_another: Callable[[], Awaitable[Store]]
) -> None:
    other = await open_another()
    assert list(await other.orders.orders("desk", ANY, None, 10, False)) == orders
