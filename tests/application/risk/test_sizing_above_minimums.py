"""A size that is below what the venue takes is none, and the minimum is named beside what lowered it that far."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.instrument import Instrument
from domain.risk.services.position_sizer import FixedNotional, FixedQuantity
from domain.trading.value_objects.order_type import Side
from tests.support.sizing import fails, size
from tests.support.trading import Desk, instrument, terms

D = Decimal
BUY, SELL = Side.BUY, Side.SELL
REFUSED = "order notional against the venue's minimum"


def least(notional: str | int | None = 10, *, lot: str = "0.01", smallest: str = "0") -> Instrument:
    return replace(
        instrument("ACME", lot=lot, smallest=smallest), min_notional=None if notional is None else D(notional)
    )


def desk_with(listed: Instrument, cash: int = 100_000, **limits: Any) -> Desk:
    desk = Desk(cash, **limits)
    desk.quotes.list(listed)
    return desk


def test_a_size_worth_less_than_the_minimum_is_nothing_and_says_why() -> None:
    found = size(desk_with(least()), FixedNotional(D("9.9")))
    assert (found.quantity, found.limited_by) == (D(0), ("MIN_NOTIONAL",))
    assert f"refused by MIN_NOTIONAL ({REFUSED}: 9.5 USD, limit 10 USD)" in found.explanation
    assert [step[:3] for step in found.steps if step.name == "MIN_NOTIONAL"] == [("MIN_NOTIONAL", D(10), "USD")]
    assert size(desk_with(least()), FixedNotional(D(10))).quantity == D("0.20")


@pytest.mark.parametrize(("side", "price", "quantity"), [(BUY, None, "0.2"), (SELL, None, "0.21"), (BUY, 40, "0.25")])
def test_the_smallest_size_is_that_of_the_price_that_the_rule_takes(
    side: Side, price: int | None, quantity: str
) -> None:
    desk = desk_with(least())
    desk.quotes.set("ACME", "49", "50")
    at = None if price is None else D(price)
    assert size(desk, FixedQuantity(D(quantity)), side, price=at).quantity == D(quantity)
    assert size(desk, FixedQuantity(D(quantity) - D("0.01")), side, price=at).limited_by == ("MIN_NOTIONAL",)


@pytest.mark.parametrize(
    ("listed", "rule", "says"),
    [
        (least(), "MIN_NOTIONAL", "8 USD, limit 10 USD"),
        (least(None, smallest="0.2"), "LOT_SIZE", "0.16 units, limit 0.2 units"),
    ],
)
def test_when_the_limits_leave_less_than_the_minimum_both_are_named(listed: Instrument, rule: str, says: str) -> None:
    found = size(desk_with(listed, max_order_quantity=D("0.16")), FixedQuantity(D(5)))
    assert (found.quantity, found.limited_by) == (D(0), ("MAX_ORDER_QUANTITY", rule))
    assert "MAX_ORDER_QUANTITY (order quantity: 0.17 units, limit 0.16 units)" in found.explanation
    assert says in found.explanation


def test_limits_above_the_minimum_lower_the_size_without_a_word_of_it() -> None:
    found = size(desk_with(least(), max_order_quantity=D("0.2")), FixedQuantity(D(5)))
    assert (found.quantity, found.limited_by) == (D("0.2"), ("MAX_ORDER_QUANTITY",))


def test_where_no_size_passes_anyway_the_minimum_is_not_blamed() -> None:
    found = size(desk_with(least(), restricted_symbols=frozenset({"ACME"})), FixedQuantity(D(5)))
    assert (found.quantity, found.limited_by) == (D(0), ("RESTRICTED_SYMBOL",))


def test_a_size_that_looks_like_another_order_is_not_lowered_below_the_minimum() -> None:
    desk = desk_with(least(), duplicate_window=D(60))
    for quantity in ("0.21", "0.20"):
        desk.place(terms(quantity, quantity=quantity, price=None))
    found = size(desk, FixedQuantity(D("0.21")))
    assert (found.quantity, found.limited_by) == (D(0), ("DUPLICATE_ORDER", "MIN_NOTIONAL"))
    assert size(desk, FixedQuantity(D("0.22"))).quantity == D("0.22")


LIMIT = st.none() | st.integers(0, 60).map(Decimal)


@given(
    st.fixed_dictionaries({"max_order_quantity": LIMIT, "max_position_quantity": LIMIT, "duplicate_window": LIMIT}),
    st.lists(st.integers(1, 30), max_size=3),
    st.builds(
        least,
        st.none() | st.integers(1, 3_000),
        lot=st.sampled_from(["0.3", "1", "7"]),
        smallest=st.sampled_from(["0", "5", "20"]),
    ),
    st.sampled_from(Side),
    st.decimals("0.1", 100, places=1),
    st.booleans(),
)
def test_no_size_passes_that_is_larger_than_the_one_that_is_given(
    limits: dict[str, Any], orders: list[int], listed: Instrument, side: Side, wanted: Decimal, at_market: bool
) -> None:
    desk = Desk(5_000)
    price = None if at_market else D(50)
    for i, quantity in enumerate(orders):
        desk.place(terms(str(i), side, quantity, price))
    desk.book.profile = replace(desk.book.profile, **limits)
    desk.quotes.list(listed)
    lots = [listed.lot_size * lot for lot in range(1, int(wanted / listed.lot_size) + 1)]
    passing = [quantity for quantity in lots if not fails(desk, quantity, side, price)]
    found = size(desk, FixedQuantity(wanted), side, price=price)
    assert found.quantity == max(passing, default=D(0))
    assert bool(found.limited_by) is (found.quantity != max(lots, default=D(0)))
    if found.limited_by:
        assert found.limited_by[-1] in fails(desk, found.quantity + listed.lot_size, side, price)
