from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.services.margin import Margin, MissingPrice, OpenOrders, measure, worst_while_pending

D = Decimal

MARKS = {"A": D(10), "B": D(20), "C": D(5)}
RATES = {"USD": D(1), "EUR": D("1.25")}
CURRENCIES = {"A": "USD", "B": "EUR", "C": "USD", "X": "USD"}


class Held(NamedTuple):
    symbol: str
    currency: str
    quantity: Decimal


def of(table: Mapping[str, Decimal], name: str) -> Decimal:
    if name not in table:
        raise MissingPrice(name)
    return table[name]


def margin_of(
    cash: dict[str, Decimal], held: dict[str, Decimal], waiting: dict[str, OpenOrders], leverage: int = 1
) -> Margin:
    positions = [Held(symbol, CURRENCIES[symbol], quantity) for symbol, quantity in held.items()]
    return measure(
        cash.items(), positions, waiting, D(leverage), lambda name: of(MARKS, name), lambda name: of(RATES, name)
    )


AMOUNTS = st.integers(-50, 50).map(Decimal)
NOTIONALS = st.integers(0, 500).map(Decimal)
HELD = st.fixed_dictionaries(dict.fromkeys(MARKS, AMOUNTS))
WAITING = st.dictionaries(
    st.sampled_from(list(MARKS)), st.builds(lambda buys, sells: (buys, sells), NOTIONALS, NOTIONALS)
)


@given(st.fixed_dictionaries({"USD": AMOUNTS, "EUR": AMOUNTS}), HELD, WAITING)
def test_what_is_used_is_the_worst_of_all_combinations_in_which_orders_may_fill(
    cash: dict[str, Decimal], held: dict[str, Decimal], notionals: dict[str, tuple[Decimal, Decimal]]
) -> None:
    waiting = {
        symbol: OpenOrders(CURRENCIES[symbol], buy_notional=buys, sell_notional=sells)
        for symbol, (buys, sells) in notionals.items()
    }
    margin = margin_of(cash, held, waiting)
    courses = [
        [
            (quantity * MARKS[symbol] + change) * RATES[CURRENCIES[symbol]]
            for (symbol, quantity), change in zip(held.items(), changes, strict=True)
        ]
        for changes in product(*(extremes(symbol, notionals) for symbol in held))
    ]
    nets = [sum(course, D(0)) for course in courses]
    assert margin.used == max(sum(map(abs, course), D(0)) for course in courses)
    assert (margin.net_low, margin.net_high) == (min(nets), max(nets))
    assert margin.reserved == margin.used - margin.gross >= 0
    assert margin.buying_power == margin.equity - margin.used


def extremes(symbol: str, notionals: dict[str, tuple[Decimal, Decimal]]) -> tuple[Decimal, Decimal, Decimal]:
    buys, sells = notionals.get(symbol, (D(0), D(0)))
    return D(0), buys, -sells


@given(st.fixed_dictionaries({"USD": AMOUNTS, "EUR": AMOUNTS}), HELD)
def test_equity_is_cash_and_positions_in_the_base_currency(cash: dict[str, Decimal], held: dict[str, Decimal]) -> None:
    margin = margin_of(cash, held, {})
    values = [quantity * MARKS[symbol] * RATES[CURRENCIES[symbol]] for symbol, quantity in held.items()]
    assert margin.equity == cash["USD"] + cash["EUR"] * D("1.25") + sum(values)
    assert margin.net == sum(values)
    assert margin.gross == sum(map(abs, values))


def test_leverage_multiplies_equity_and_not_what_is_used() -> None:
    margin = margin_of({"USD": D(100)}, {"A": D(4)}, {}, leverage=3)
    assert (margin.equity, margin.used, margin.buying_power) == (D(140), D(40), D(380))


def test_without_a_limit_of_leverage_there_is_no_more_to_buy_with_than_the_equity() -> None:
    cash, rate = [("USD", D(100))], RATES.__getitem__
    assert measure(cash, [], {}, None, MARKS.__getitem__, rate) == measure(cash, [], {}, D(1), MARKS.__getitem__, rate)


@pytest.mark.parametrize(
    ("cash", "held", "missing"),
    [({"GBP": D(1)}, {}, "GBP"), ({}, {"A": D(1), "X": D(1)}, "X")],
)
def test_an_account_that_cannot_be_valued_is_not_guessed_at(
    cash: dict[str, Decimal], held: dict[str, Decimal], missing: str
) -> None:
    with pytest.raises(MissingPrice) as refused:
        margin_of(cash, held, {})
    assert refused.value.args == (missing,)


def test_what_is_not_held_needs_no_price() -> None:
    assert margin_of({"GBP": D(0)}, {"X": D(0)}, {}).equity == 0


@given(st.integers(0, 12), st.integers(1, 9), st.integers(0, 12), st.integers(1, 9))
def test_a_pending_replace_costs_the_dearest_of_all_courses_it_may_take(
    left: int, price: int, new_left: int, new_price: int
) -> None:
    courses = [first * price + max(0, new_left - first) * new_price for first in range(left + 1)]
    assert worst_while_pending(D(left), D(price), D(new_left), D(new_price)) == max(courses)
