"""The venue's least notional: the price that an order is held against it at, and which orders the rule leaves alone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.market_data.quote import Quote
from domain.risk.services.pre_trade_check import Situation, check, passes
from domain.risk.services.rules.size import least_price
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.situations import ACME, QUOTE, START, Around, order, situation, told

D = Decimal
SELL = Side.SELL
LEAST_10 = replace(ACME, min_notional=D(10))
STOP: dict[str, Any] = {"price": None, "type": OrderType.STOP}
TRAIL: dict[str, Any] = {"price": None, "type": OrderType.TRAILING_STOP}


def held(**more: Any) -> Situation:
    """An order of an account with 100 ACME, where the venue takes nothing below 10 USD."""
    facts = {name: more.pop(name) for name in ("quote", "flattens", "is_replace", "adds", "rate") if name in more}
    return situation(order(**more), around=Around(held={"ACME": 100}), instrument=LEAST_10, **facts)


@pytest.mark.parametrize(
    ("terms", "price"),
    [
        ({"price": 40}, "40"),
        ({"price": 60}, "60"),
        ({"price": 60, "type": OrderType.STOP_LIMIT, "stop_price": D(55)}, "60"),
        ({"price": None}, "51"),
        (STOP | {"stop_price": D(60)}, "60"),
        (STOP | {"stop_price": D(45)}, "51"),
        (TRAIL | {"trail_offset": D(9)}, "51"),
        (TRAIL | {"trail_percent": D(10)}, "51"),
        ({"side": SELL, "price": 40}, "40"),
        ({"side": SELL, "price": 60}, "60"),
        ({"side": SELL, "price": None}, "49"),
        (STOP | {"side": SELL, "stop_price": D(45)}, "45"),
        (STOP | {"side": SELL, "stop_price": D(60)}, "49"),
        (TRAIL | {"side": SELL, "trail_offset": D(9)}, "40"),
        (TRAIL | {"side": SELL, "trail_offset": D(50)}, "0"),
        (TRAIL | {"side": SELL, "trail_percent": D(10)}, "44.1"),
    ],
)
def test_an_order_without_a_limit_counts_at_the_price_where_it_starts_to_trade(
    terms: dict[str, Any], price: str
) -> None:
    """Bid 49, ask 51."""
    assert least_price(order(**terms), Quote("ACME", D(49), D(1), D(51), D(1), START)) == D(price)


@pytest.mark.parametrize(
    ("terms", "price"), [({"price": 40}, D(40)), (STOP | {"stop_price": D(45)}, D(45)), ({"price": None}, None)]
)
def test_without_a_quote_it_counts_at_the_price_it_names(terms: dict[str, Any], price: Decimal | None) -> None:
    assert least_price(order(**terms), None) == price


def test_an_order_without_any_price_is_left_to_the_rule_of_the_quote() -> None:
    unpriced = held(quantity=1, price=None, quote=None)
    results = told(unpriced)
    assert "MIN_NOTIONAL" not in results
    assert not results["QUOTE_PRESENT"].passed
    assert not passes(unpriced)


def test_a_limit_that_is_worth_too_little_is_told_also_without_a_quote() -> None:
    assert not told(held(quantity=1, price=9, quote=None))["MIN_NOTIONAL"].passed


def test_an_order_is_worth_nothing_where_nothing_is_bid() -> None:
    result = told(held(side=SELL, price=None, quote=replace(QUOTE, bid_price=D(0))))["MIN_NOTIONAL"]
    assert (result.passed, result.value) == (False, D(0))


def test_an_instrument_without_a_minimum_has_no_such_rule() -> None:
    assert "MIN_NOTIONAL" not in told(situation(order(quantity=1, price="0.01")))


def test_the_value_is_told_in_the_currency_of_the_instrument_whatever_the_account_counts_in() -> None:
    result = told(held(quantity=1, price="9.99", rate=D(2)))["MIN_NOTIONAL"]
    assert result.message == "order notional against the venue's minimum: 9.99 USD, limit 10 USD"
    foreign = situation(order(quantity=1, price=9), instrument=replace(LEAST_10, currency="EUR"), rate=D(2))
    assert (told(foreign)["MIN_NOTIONAL"].value, told(foreign)["MIN_NOTIONAL"].unit) == (D(9), "EUR")


def test_a_replace_is_held_with_its_whole_quantity_though_little_of_it_is_left_to_trade() -> None:
    assert told(held(quantity=2, price=5, is_replace=True, adds=D(1)))["MIN_NOTIONAL"].passed
    assert not told(held(quantity=1, price=5, is_replace=True, adds=D(1)))["MIN_NOTIONAL"].passed


@pytest.mark.parametrize("more", [{"flattens": True}, {"reduce_only": True}, {"flattens": True, "reduce_only": True}])
def test_what_closes_a_position_is_held_against_it_as_against_the_smallest_quantity(more: dict[str, Any]) -> None:
    dust = held(side=SELL, quantity=1, price=9, **more)
    few = replace(dust, instrument=replace(ACME, min_quantity=D(2)))
    assert [result.rule for made in (dust, few) for result in check(made) if not result.passed] == [
        "MIN_NOTIONAL",
        "LOT_SIZE",
    ]
