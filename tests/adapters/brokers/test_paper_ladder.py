from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from adapters.brokers.paper_ladder import Ladder, withdraw
from adapters.brokers.paper_order import PaperOrder
from tests.adapters.brokers.paper_desk import Desk

LOWEST = Decimal(-1000)
_DESK = Desk()


def paper_order() -> PaperOrder:
    return PaperOrder(_DESK.order(), "B")


def drained(ladder: Ladder, edge: Decimal = LOWEST) -> list[PaperOrder]:
    orders = []
    while (order := ladder.first(edge)) is not None:
        withdraw(order)
        orders.append(order)
    return orders


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans())), st.integers(-6, 6))
def test_orders_come_by_key_then_by_age_and_only_up_to_the_edge(entries: list[tuple[int, bool]], edge: int) -> None:
    ladder, kept = Ladder(), []
    for key, stays in entries:
        order = paper_order()
        ladder.add(Decimal(key), order)
        if stays:
            kept.append((key, order))
        else:
            withdraw(order)
    assert len(ladder) == len(kept)
    expected = [order for key, order in sorted(kept, key=lambda entry: -entry[0]) if key >= edge]
    assert drained(ladder, Decimal(edge)) == expected
    assert len(ladder) == len(kept) - len(expected)


@given(st.lists(st.integers(0, 4)), st.lists(st.integers(0, 4)))
def test_an_absorbed_ladder_loses_nobody_and_everyone_can_still_withdraw(one: list[int], two: list[int]) -> None:
    first, second = Ladder(), Ladder()
    orders = {}
    for ladder, keys in ((first, one), (second, two)):
        for key in keys:
            order = paper_order()
            ladder.add(Decimal(key), order)
            orders[order] = key
    both = first.absorb(second)
    assert len(both) == len(orders)
    keys_drained = [orders[order] for order in drained(both)]
    assert keys_drained == sorted(one + two, reverse=True)


def test_an_order_without_a_place_withdraws_to_no_effect() -> None:
    order = paper_order()
    withdraw(order)
    assert order.level is None
