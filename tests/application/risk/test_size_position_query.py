"""How large a position may be: what the method gives, down to the lot, and what cannot be sized at all."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidArgument, NotFound, PreconditionFailed
from domain.risk.services.position_sizer import (
    FixedNotional,
    FixedQuantity,
    Kelly,
    PercentOfEquity,
    PercentRisk,
    VolatilityTarget,
)
from domain.trading.value_objects.order_type import Side
from tests.support.sizing import fails, size
from tests.support.trading import ABLE_TO_ALL, D, Desk, ScriptedBroker, instrument, terms

BUY, SELL = Side.BUY, Side.SELL


def test_without_a_limit_in_the_way_the_size_is_the_methods_down_to_the_lot() -> None:
    found = size(Desk(), FixedQuantity(D("12.7")))
    assert (found.quantity, found.unrounded, found.price, found.notional) == (D(12), D("12.7"), D(50), D(600))
    assert found.limited_by == ()
    assert found.explanation == (
        "Buy 12 shares of ACME at 50 USD, worth 600 USD: the quantity that was asked for, rounded down to the lot of 1."
    )


def test_the_steps_lead_from_the_price_to_the_quantity() -> None:
    desk = Desk(100_000, max_order_quantity=D(300))
    found = size(desk, PercentRisk(D(2), D(46)))
    assert [(step.name, step.value, step.unit) for step in found.steps] == [
        ("price", D(50), "USD"),
        ("equity", D(100_000), "USD"),
        ("risk", D(2_000), "USD"),
        ("risk per unit", D(4), "USD"),
        ("unrounded quantity", D(500), "shares"),
        ("lot", D(1), "shares"),
        ("rounded quantity", D(500), "shares"),
        ("MAX_ORDER_QUANTITY", D(300), "units"),
        ("quantity", D(300), "shares"),
    ]
    assert all(step.text for step in found.steps)
    assert "500 shares (2 percent of the equity of 100000 USD lost if the stop at 46 is reached)" in found.explanation
    assert "lowered by MAX_ORDER_QUANTITY (order quantity: 301 units, limit 300 units)" in found.explanation


def test_with_a_price_the_order_is_a_limit_order_at_it() -> None:
    desk = Desk(100_000)
    desk.quotes.set("ACME", "49", "50")
    assert size(desk, FixedNotional(D(10**9))).quantity == 1_960  # at the offer and 2 % above it
    at_limit = size(desk, FixedNotional(D(10**9)), price=D(40))
    assert (at_limit.quantity, at_limit.price, at_limit.notional) == (D(2_500), D(40), D(100_000))
    assert size(desk, FixedNotional(D(980)), SELL).quantity == 20  # at the bid


def test_a_price_off_the_tick_is_not_rounded_but_refused() -> None:
    found = size(Desk(), FixedQuantity(D(5)), price=D("40.001"))
    assert (found.quantity, found.limited_by) == (D(0), ("TICK_SIZE",))


def test_a_size_below_the_lot_is_nothing_though_no_rule_forbids_it() -> None:
    found = size(Desk(), FixedQuantity(D("0.4")))
    assert (found.quantity, found.limited_by) == (D(0), ())
    assert found.explanation == (
        "Nothing: the method gives 0.4 shares (the quantity that was asked for), less than the lot of 1."
    )


def test_without_an_edge_nothing_is_put_in() -> None:
    found = size(Desk(), Kelly(D(50), D(1)))
    assert (found.quantity, found.unrounded, found.limited_by) == (D(0), D(0), ())


@pytest.mark.parametrize(("lot", "quantity"), [("0.001", "12"), ("1.5", "12"), ("4", "12"), ("2.5", "10")])
def test_at_a_broker_without_fractions_the_size_is_whole(lot: str, quantity: str) -> None:
    desk = Desk(broker=ScriptedBroker(capabilities=replace(ABLE_TO_ALL, fractional_quantities=False)))
    desk.quotes.list(instrument("ACME", lot=lot))
    found = size(desk, FixedQuantity(D("12.7")))
    assert (found.quantity, found.limited_by) == (D(quantity), ())
    assert not fails(desk, found.quantity)


def test_a_pair_is_sized_in_its_base_currency_and_a_foreign_price_converted() -> None:
    desk = Desk(100_000)
    desk.quotes.list(instrument("EUR/GBP", "GBP", tick="0.0001", lot="1000"))
    desk.quotes.set("EUR/GBP", "0.8")
    desk.quotes.set("GBP/USD", "1.25")
    found = size(desk, PercentOfEquity(D(50)), symbol="EUR/GBP")
    assert (found.quantity, found.notional) == (D(50_000), D(50_000))
    steps = {step.name: (step.value, step.unit) for step in found.steps}
    assert steps["currency rate"] == (D("1.25"), "USD")
    assert steps["quantity"] == (D(50_000), "EUR")


def test_the_equity_is_that_of_cash_and_positions() -> None:
    desk = Desk(10_000)
    desk.place(quantity=100, price=50)
    desk.trade("t", 100, 50)
    desk.quotes.set("ACME", "60")
    assert size(desk, PercentOfEquity(D(10)), price=D(60)).unrounded * 60 == 1_100


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_stop_on_the_wrong_side_is_malformed(side: Side) -> None:
    with pytest.raises(InvalidArgument, match=r"percent_risk\.stop_price: must be"):
        size(Desk(), PercentRisk(D(1), D(50) + 5 * side.sign), side)


def test_a_size_beyond_what_the_contract_can_say_is_malformed() -> None:
    with pytest.raises(InvalidArgument, match="method: must give a quantity"):
        size(Desk(), VolatilityTarget(D(100), multiple=D("1e-18"), atr=D("1e-18")))
    with pytest.raises(InvalidArgument, match="method: must give a quantity"):
        size(Desk(), FixedNotional(D(10**20 - 1)), price=D("0.01"))
    assert size(Desk(), FixedQuantity(D(10**20 - 1))).quantity == 1_960_784


def test_an_unknown_instrument_is_not_found() -> None:
    with pytest.raises(NotFound) as missing:
        size(Desk(), FixedQuantity(D(1)), symbol="NONE")
    assert missing.value.reason == "INSTRUMENT_NOT_FOUND"


def _no_quote(desk: Desk) -> None:
    desk.quotes.remove("ACME")


def _old_quote(desk: Desk) -> None:
    desk.clock.advance(11)


def _no_rate(desk: Desk) -> None:
    desk.quotes.list(instrument("ACME", "CHF"))


def _no_price_of_another_position(desk: Desk) -> None:
    desk.quotes.list(instrument("BOLT"))
    desk.quotes.set("BOLT", "20")
    desk.place(terms("b", quantity=1, price=20, symbol="BOLT"))
    desk.trade("t", 1, 20, "b")
    desk.quotes.remove("BOLT")


@pytest.mark.parametrize(
    ("spoil", "rule", "says"),
    [
        (_no_quote, "QUOTE_PRESENT", "quote"),
        (_old_quote, "QUOTE_FRESH", "age of the quote"),
        (_no_rate, "CURRENCY_RATE", "rate or price"),
        (_no_price_of_another_position, "CURRENCY_RATE", "BOLT"),
    ],
)
@pytest.mark.parametrize("price", [None, D(50)])
def test_nothing_is_guessed_where_a_price_or_rate_is_missing_or_too_old(
    spoil: Any, rule: str, says: str, price: Decimal | None
) -> None:
    desk = Desk(max_quote_age=D(10))
    spoil(desk)
    with pytest.raises(PreconditionFailed) as refused:
        size(desk, FixedQuantity(D(1)), price=price)
    assert refused.value.reason == "PRICE_MISSING"
    assert [violation.rule for violation in refused.value.violations] == [rule]
    assert says in refused.value.message


def test_where_nothing_is_bid_no_short_can_be_sized() -> None:
    desk = Desk()
    desk.quotes.set("ACME", "0", "50")
    with pytest.raises(PreconditionFailed, match="nothing is bid or offered"):
        size(desk, FixedQuantity(D(1)), SELL)


def test_nothing_is_recorded_or_reserved() -> None:
    desk = Desk(max_order_quantity=D(5))
    size(desk, FixedQuantity(D(100)))
    assert (desk.records.sequence, desk.book.open_orders, desk.broker.handed) == (1, {}, [])
