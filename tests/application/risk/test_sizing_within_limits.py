"""Sizes are lowered until every rule lets them pass, and say which rules lowered them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decimals import is_multiple
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.services.position_sizer import FixedQuantity
from domain.risk.value_objects.limits import SelfMatchAction
from domain.risk.value_objects.scope import Scope, ScopeKind
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.order_type import Side
from tests.support.sizing import fails, size
from tests.support.trading import D, Desk, instrument, terms

BUY, SELL = Side.BUY, Side.SELL


@pytest.mark.parametrize(
    ("limits", "quantity", "rules"),
    [
        ({"max_order_quantity": D(300)}, 300, ("MAX_ORDER_QUANTITY",)),
        # A market order is counted 2 % above the quote.
        ({"max_order_notional": D(5_100)}, 100, ("MAX_ORDER_NOTIONAL",)),
        ({"max_position_quantity": D(70)}, 70, ("MAX_POSITION",)),
        ({"max_gross_exposure": D(51_000)}, 1_000, ("MAX_GROSS_EXPOSURE",)),
        ({"max_leverage": D("0.51")}, 1_000, ("BUYING_POWER", "MAX_LEVERAGE")),
        ({"max_concentration_percent": D("5.1")}, 100, ("MAX_CONCENTRATION",)),
        # The one that bound last comes last, whatever the order of the rules.
        (
            {"max_order_quantity": D(500), "max_gross_exposure": D(5_100)},
            100,
            ("MAX_ORDER_QUANTITY", "MAX_GROSS_EXPOSURE"),
        ),
        (
            {"max_order_quantity": D(50), "max_gross_exposure": D(5_100)},
            50,
            ("MAX_GROSS_EXPOSURE", "MAX_ORDER_QUANTITY"),
        ),
    ],
)
def test_the_largest_size_that_every_rule_lets_pass_is_given_with_the_rules_that_lowered_it(
    limits: dict[str, Any], quantity: int, rules: tuple[str, ...]
) -> None:
    desk = Desk(100_000, **limits)
    found = size(desk, FixedQuantity(D(1_900)))
    assert (found.quantity, found.limited_by) == (D(quantity), rules)
    assert not fails(desk, found.quantity)
    assert rules[-1] in fails(desk, found.quantity + 1)


def test_when_no_size_passes_it_is_zero_and_every_reason_is_named() -> None:
    desk = Desk(short_selling=False, restricted_symbols=frozenset({"ACME"}))
    found = size(desk, FixedQuantity(D(10)), SELL)
    assert (found.quantity, found.notional) == (D(0), D(0))
    assert found.limited_by == ("RESTRICTED_SYMBOL", "SHORT_SELLING")
    assert found.explanation.startswith("No order for ACME would pass now. The method gives 10 shares")
    assert found.steps[-1][:2] == ("quantity", D(0))


def test_a_size_below_the_smallest_order_is_refused_by_the_lot_size_rule() -> None:
    desk = Desk()
    desk.quotes.list(instrument("ACME", lot="0.1", smallest="2"))
    found = size(desk, FixedQuantity(D("1.95")))
    assert (found.quantity, found.limited_by) == (D(0), ("LOT_SIZE",))
    assert size(desk, FixedQuantity(D("2.05"))).quantity == 2


def test_the_size_is_never_above_the_venues_largest_order() -> None:
    desk = Desk(10**15)
    desk.quotes.list(instrument("ACME", largest="5000"))
    found = size(desk, FixedQuantity(D(10**19)))
    assert (found.quantity, found.limited_by[-1]) == (D(5_000), "MAX_ORDER_QUANTITY")


def test_a_size_that_looks_like_another_order_is_stepped_over() -> None:
    desk = Desk(duplicate_window=D(60))
    for quantity in (100, 99):
        desk.place(terms(str(quantity), quantity=quantity, price=None))
    found = size(desk, FixedQuantity(D(100)))
    assert (found.quantity, found.limited_by) == (D(98), ("DUPLICATE_ORDER",))


@pytest.mark.parametrize(
    ("action", "quantity", "rules"),
    [(SelfMatchAction.REJECT, 0, ("SELF_MATCH",)), (SelfMatchAction.CANCEL_RESTING, 10, ())],
)
def test_an_order_that_would_be_refused_for_an_own_one_is_sized_at_nothing(
    action: SelfMatchAction, quantity: int, rules: tuple[str, ...]
) -> None:
    desk = Desk(self_match_action=action)
    desk.place(terms("resting", SELL, 10, 50))
    found = size(desk, FixedQuantity(D(10)), price=D(50))
    assert (found.quantity, found.limited_by) == (D(quantity), rules)


def test_what_holds_the_strategy_back_counts() -> None:
    desk = Desk()
    halted = Scope(ScopeKind.STRATEGY, key="trend")
    desk.controls.put(ScopedTradingState(halted, TradingState.HALTED, 1, "why", "user:x", desk.clock.now()))
    found = size(desk, FixedQuantity(D(10)), strategy_id="trend")
    assert (found.quantity, found.limited_by) == (D(0), ("TRADING_STATE",))
    assert [step.value for step in found.steps if step.name == "TRADING_STATE"] == [0]
    assert size(desk, FixedQuantity(D(10)), strategy_id="other").quantity == 10


LIMIT = st.none() | st.integers(1, 60).map(Decimal)
LIMITS = st.fixed_dictionaries(
    {
        "max_order_quantity": LIMIT,
        "max_order_notional": st.none() | st.integers(1, 5_000).map(Decimal),
        "max_position_quantity": LIMIT,
        "max_gross_exposure": st.none() | st.integers(1, 5_000).map(Decimal),
        "max_net_exposure": st.none() | st.integers(1, 5_000).map(Decimal),
        "max_short_quantity": LIMIT,
        "max_concentration_percent": LIMIT,
        "short_selling": st.booleans(),
        "reduce_only": st.booleans(),
        "duplicate_window": st.none() | st.just(D(60)),
    }
)
ORDERS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 30), st.booleans()), max_size=3)
LOTS = st.sampled_from(["0.001", "0.3", "1", "2.5", "7"])


@given(LIMITS, ORDERS, LOTS, st.sampled_from(Side), st.decimals("0.001", 100, places=3), st.booleans())
def test_the_size_is_a_lot_multiple_that_passes_and_one_lot_more_does_not(
    limits: dict[str, Any],
    orders: list[tuple[Side, int, bool]],
    lot: str,
    side: Side,
    wanted: Decimal,
    at_market: bool,
) -> None:
    desk = Desk(5_000)
    for i, (order_side, quantity, fills) in enumerate(orders):
        at = 49 if order_side is BUY else 51
        desk.place(terms(str(i), order_side, quantity, at))
        if fills:
            desk.trade(str(i), quantity, at, str(i))
    desk.book.profile = replace(desk.book.profile, **limits)
    desk.quotes.list(instrument("ACME", lot=lot))
    price = None if at_market else D(50)
    found = size(desk, FixedQuantity(wanted), side, price=price)
    step = D(lot)
    assert is_multiple(found.quantity, step)
    assert found.quantity <= wanted
    if found.quantity:
        assert not fails(desk, found.quantity, side, price)
    if found.limited_by:
        above = fails(desk, found.quantity + step, side, price)
        assert found.limited_by[-1] in above
    else:
        assert found.quantity + step > wanted
