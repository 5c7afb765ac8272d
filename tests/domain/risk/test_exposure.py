"""Exposure by any grouping, against the margin and against each other."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.services.exposure import Attribution, Exposure, Orders, Stake, grouped
from domain.risk.services.margin import OpenOrders

D = Decimal
AMOUNT = st.integers(-50, 50).map(Decimal)
NOTIONAL = st.integers(0, 500).map(Decimal)
STRATEGY = st.sampled_from(["", "a", "b"])
ORDERS = st.dictionaries(STRATEGY, st.builds(Orders, NOTIONAL, NOTIONAL))


def stake(quantity: int | Decimal, price: int | Decimal | None = 10, **orders: Orders) -> Stake:
    return Stake("desk", "ACME", "USD", "", D(quantity), None if price is None else D(price), orders)


@pytest.mark.parametrize(
    ("quantity", "orders", "worst"),
    [
        (0, Orders(), 0),
        (5, Orders(), 50),
        (-5, Orders(), -50),
        # Buys add to what is long; sells that only close do not make it less.
        (5, Orders(buys=D(20)), 70),
        (5, Orders(sells=D(50)), 50),
        (5, Orders(sells=D(99)), 50),
        (5, Orders(sells=D(101)), -51),
        (-5, Orders(buys=D(80), sells=D(20)), -70),
        (0, Orders(buys=D(30), sells=D(30)), 30),
    ],
)
def test_a_symbol_counts_at_the_larger_of_its_two_extremes(quantity: int, orders: Orders, worst: int) -> None:
    assert stake(quantity, a=orders).worst == worst


@given(AMOUNT, st.integers(1, 20).map(Decimal), ORDERS)
def test_the_worst_of_a_symbol_is_what_the_margin_uses(
    quantity: Decimal, price: Decimal, orders: dict[str, Orders]
) -> None:
    of = Stake("desk", "ACME", "USD", "", quantity, price, orders)
    waiting = OpenOrders(
        "USD",
        buy_notional=sum((one.buys for one in orders.values()), D(0)),
        sell_notional=sum((one.sells for one in orders.values()), D(0)),
    )
    assert of.worst is not None
    assert abs(of.worst) == waiting.worst_exposure(quantity * price)


@given(st.dictionaries(STRATEGY, AMOUNT), st.integers(1, 20).map(Decimal), ORDERS)
def test_what_the_strategies_add_sums_up_to_the_symbols_worst(
    quantities: dict[str, Decimal], price: Decimal, orders: dict[str, Orders]
) -> None:
    of = Stake("desk", "ACME", "USD", "", sum(quantities.values(), D(0)), price, orders)
    parts = of.by_strategy(quantities)
    assert parts.keys() == quantities.keys() | orders.keys()
    assert sum((part for part in parts.values() if part is not None), D(0)) == of.worst


def test_a_strategy_may_be_long_of_what_another_is_short() -> None:
    assert stake(2).by_strategy({"a": D(5), "b": D(-3)}) == {"a": 50, "b": -30}


def test_without_a_price_no_amount_is_told() -> None:
    of = stake(5, None, a=Orders(buys=D(20)))
    assert of.worst is None
    assert of.by_strategy({"b": D(5)}) == {"a": None, "b": None}


AMOUNTS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), AMOUNT))


@given(AMOUNTS)
def test_every_grouping_sums_up_to_the_same(amounts: list[tuple[str, str, Decimal]]) -> None:
    by_one = grouped((one, amount) for one, _, amount in amounts)
    by_other = grouped((other, amount) for _, other, amount in amounts)
    whole = grouped(("", amount) for *_, amount in amounts).get("", Exposure())
    for groups in (by_one, by_other):
        assert sum((part.long for part in groups.values()), D(0)) == whole.long
        assert sum((part.short for part in groups.values()), D(0)) == whole.short
    assert whole.net == sum((amount for *_, amount in amounts), D(0))
    assert whole.gross == sum((abs(amount) for *_, amount in amounts), D(0))
    assert list(by_one) == sorted(by_one)


def test_one_unknown_amount_makes_its_group_unknown_and_no_other() -> None:
    groups = grouped([("a", D(5)), ("a", None), ("b", D(-7))])
    assert not groups["a"].is_known
    assert (groups["b"].is_known, groups["b"].short, groups["b"].net) == (True, D(7), D(-7))


def test_the_share_of_equity_is_told_only_of_an_equity_above_zero() -> None:
    exposure = grouped([("a", D(5)), ("a", D(-10))])["a"]
    assert exposure.over(D(30)) == D("0.5")
    assert exposure.over(D(0)) is None
    assert exposure.over(D(-1)) is None
    assert exposure.over(None) is None
    assert grouped([("a", None)])["a"].over(D(30)) is None


# -- whose a position is -------------------------------------------------------------------------------------


def attributed(quantity: int, *fills: tuple[str, int]) -> dict[str, Decimal]:
    """By the fills, oldest first."""
    attribution = Attribution(D(quantity))
    for strategy, traded in reversed(fills):
        if attribution.left:
            attribution.take(strategy, D(traded))
    return attribution.finished()


@pytest.mark.parametrize(
    ("quantity", "fills", "parts"),
    [
        (10, [("a", 10)], {"a": 10}),
        (50, [("a", 100), ("b", 50), ("a", -100)], {"b": 50}),
        (50, [("a", 100), ("b", -50)], {"a": 100, "b": -50}),
        # Only what came since it was last flat, or turned round, counts.
        (10, [("a", 100), ("b", -100), ("c", 10)], {"c": 10}),
        (-30, [("a", 100), ("b", -130)], {"b": -30}),
        (-40, [("a", 100), ("b", -130), ("c", -10)], {"b": -30, "c": -10}),
        # Fills that are not known leave a rest without a strategy.
        (10, [("a", 4)], {"a": 4, "": 6}),
        (10, [], {"": 10}),
    ],
)
def test_a_position_belongs_to_the_strategies_that_made_it(
    quantity: int, fills: list[tuple[str, int]], parts: dict[str, int]
) -> None:
    assert attributed(quantity, *fills) == parts


@given(st.lists(st.tuples(STRATEGY, st.integers(-20, 20).filter(bool))))
def test_the_parts_of_a_position_sum_up_to_it(fills: list[tuple[str, int]]) -> None:
    quantity = sum(traded for _, traded in fills)
    assert sum(attributed(quantity, *fills).values()) == quantity
