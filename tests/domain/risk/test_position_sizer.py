"""Every method of sizing against values that were worked out by hand or published elsewhere."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidArgument
from domain.market_data.bar import Bar, BarInterval
from domain.risk.services.position_sizer import (
    Basis,
    EqualRisk,
    FixedNotional,
    FixedQuantity,
    Kelly,
    PercentOfEquity,
    PercentRisk,
    SizingMethod,
    VolatilityTarget,
    average_true_range,
)
from domain.trading.value_objects.order_type import Side
from tests.support.trading import START

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def basis(
    price: str = "50", equity: str = "100000", *, side: Side = BUY, currency: str = "USD", rate: str = "1"
) -> Basis:
    return Basis(side, D(price), currency, D(rate), "USD", D(equity), "shares")


def short(**more: Any) -> Basis:
    return basis(side=SELL, **more)


def in_euro(price: str = "50") -> Basis:
    """One euro is 1.25 dollars."""
    return basis(price, currency="EUR", rate="1.25")


@pytest.mark.parametrize(
    ("method", "of", "quantity"),
    [
        (FixedQuantity(D("12.5")), basis(), "12.5"),
        # 10,000 / 50, and 10,000 / (50 x 1.25)
        (FixedNotional(D(10_000)), basis(), "200"),
        (FixedNotional(D(10_000)), in_euro(), "160"),
        # 5 % of 100,000 is 5,000: / 50, and / (50 x 1.25)
        (PercentOfEquity(D(5)), basis(), "100"),
        (PercentOfEquity(D(5)), in_euro(), "80"),
        (PercentOfEquity(D(5)), basis(equity="-3"), "0"),
        # 1 % of 50,000 is 500; a loss of 300 a unit gives 1.67.
        (PercentRisk(D(1), D(700)), basis("1000", "50000"), "1.6666666666666667"),
        # 2 % of 100,000 is 2,000; a loss of 4 a share gives 500; for a short the stop is above.
        (PercentRisk(D(2), D(46)), basis(), "500"),
        (PercentRisk(D(2), D(54)), short(), "500"),
        (PercentRisk(D(2), D(46)), in_euro(), "400"),
        # The Turtles' heating oil of 6 December 2002 (The Original Turtle Trading Rules, 2003): 1 % of 1,000,000 over
        # N = 0.0141 at 42,000 dollars a point makes 16.88 contracts.
        (
            VolatilityTarget(D(1), atr=D("0.0141")),
            basis("1", "1000000", currency="HO", rate="42000"),
            "16.886187098953056",
        ),
        # 1 % of 100,000 is 1,000; two ranges of 2.5 lose 5 a share.
        (VolatilityTarget(D(1), multiple=D(2), atr=D("2.5")), basis(), "200"),
        # Thorp's fair coin at 2 to 1: f = 0.5 - 0.5 / 2 = 0.25, so 25,000 of 100,000; and half of it.
        (Kelly(D(50), D(2)), basis(), "500"),
        (Kelly(D(50), D(2), D("0.5")), basis(), "250"),
        # Even money at 53 %: f = 2 x 0.53 - 1 = 0.06.
        (Kelly(D(53), D(1)), basis(), "120"),
        # A sure win takes everything; without an edge nothing is put in.
        (Kelly(D(100), D(3)), basis(), "2000"),
        (Kelly(D(50), D(1)), basis(), "0"),
        (Kelly(D(20), D(2)), basis(), "0"),
        # 6 % of 100,000 shared by 4 is 1,500 each; 5 a share at risk.
        (EqualRisk(D(6), 4, D(45)), basis(), "300"),
        (EqualRisk(D(6), 4, D(55)), short(), "300"),
        (EqualRisk(D(2), 1, D(46)), basis(), "500"),
    ],
)
def test_each_method_gives_what_its_formula_says(method: SizingMethod, of: Basis, quantity: str) -> None:
    sized = method.size(of)
    assert round(sized.quantity, 15) == round(D(quantity), 15)
    assert sized.because


def test_the_steps_lead_from_the_equity_to_the_risk_of_one_unit() -> None:
    steps = {step.name: (step.value, step.unit) for step in PercentRisk(D(2), D(46)).size(in_euro()).steps}
    assert steps == {"equity": (D(100_000), "USD"), "risk": (D(2_000), "USD"), "risk per unit": (D(5), "USD")}


def test_the_kelly_share_is_named_before_and_after_the_fraction() -> None:
    steps = {step.name: step.value for step in Kelly(D(50), D(2), D("0.5")).size(basis()).steps}
    assert (steps["Kelly share"], steps["share of equity"], steps["notional"]) == (D(25), D("12.5"), D(12_500))


@pytest.mark.parametrize("method", [PercentRisk(D(1), D(50)), EqualRisk(D(1), 2, D(50))])
@pytest.mark.parametrize(("side", "price", "says"), [(BUY, "50", "below"), (BUY, "49", "below"), (SELL, "51", "above")])
def test_a_stop_that_is_not_on_the_losing_side_is_refused_by_its_field(
    method: SizingMethod, side: Side, price: str, says: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        method.size(basis(price, side=side))
    assert refused.value.field in ("percent_risk.stop_price", "equal_risk.stop_price")
    assert says in refused.value.rule


def test_without_an_average_true_range_no_volatility_can_be_targeted() -> None:
    with pytest.raises(ValueError, match="above zero"):
        VolatilityTarget(D(1)).size(basis())


AMOUNT = st.decimals("0.000001", "1000000000", places=6)
PERCENT = st.decimals("0.01", "100", places=2)
METHODS = st.one_of(
    st.builds(FixedQuantity, AMOUNT),
    st.builds(FixedNotional, AMOUNT),
    st.builds(PercentOfEquity, PERCENT),
    st.builds(VolatilityTarget, PERCENT, AMOUNT, AMOUNT),
    st.builds(Kelly, PERCENT, AMOUNT, st.decimals("0.01", 1, places=2)),
)


@given(METHODS, AMOUNT, AMOUNT, st.decimals(-1000, 10**9, places=2), st.sampled_from(Side))
def test_no_size_is_negative_and_no_step_a_float(
    method: SizingMethod, price: Decimal, rate: Decimal, equity: Decimal, side: Side
) -> None:
    sized = method.size(Basis(side, price, "EUR", rate, "USD", equity, "shares"))
    assert sized.quantity >= 0
    assert all(type(value) is Decimal for value in (sized.quantity, *(step.value for step in sized.steps)))


@given(PERCENT, AMOUNT, AMOUNT, st.integers(1, 1000), st.sampled_from(Side))
def test_what_is_lost_at_the_stop_is_the_share_that_was_asked_for(
    percent: Decimal, price: Decimal, distance: Decimal, count: int, side: Side
) -> None:
    of = basis(str(price + distance), side=side)
    stop = of.price - distance * side.sign
    for method, parts in ((PercentRisk(percent, stop), 1), (EqualRisk(percent, count, stop), count)):
        lost = method.size(of).quantity * distance
        assert abs(lost * parts - of.equity * percent / 100) < D("1e-30")


# -- the average true range ------------------------------------------------------------------------------------

# QQQQ from 1 April to 13 May 2010: high, low, close, and the ATR(14) that StockCharts' ChartSchool publishes for it
# ("Average True Range (ATR)", its spreadsheet), rounded to cents and made from prices with more places than these.
PUBLISHED = """
48.70 47.79 48.16 -     48.72 48.14 48.61 -     48.90 48.39 48.75 -     48.87 48.37 48.63 -     48.82 48.24 48.74 -
49.05 48.64 49.03 -     49.20 48.94 49.07 -     49.35 48.86 49.32 -     49.92 49.50 49.91 -     50.19 49.87 50.13 -
50.12 49.20 49.53 -     49.66 48.90 49.50 -     49.88 49.43 49.75 -     50.19 49.73 50.03 0.56  50.36 49.26 50.31 0.59
50.57 50.09 50.52 0.59  50.65 50.30 50.41 0.57  50.43 49.21 49.34 0.62  49.63 48.98 49.37 0.62  50.33 49.61 50.23 0.64
50.29 49.20 49.24 0.67  50.17 49.43 49.93 0.69  49.32 48.08 48.43 0.78  48.50 47.64 48.18 0.78  48.32 41.55 46.57 1.21
46.80 44.28 45.41 1.30  47.80 47.31 47.77 1.38  48.39 47.20 47.72 1.37  48.66 47.90 48.62 1.34  48.79 47.73 47.85 1.32
"""


def bars(*prices: tuple[str, str, str]) -> list[Bar]:
    """One a day, each as high, low and close."""
    day = timedelta(days=1)
    return [
        Bar("X", BarInterval.DAY_1, START + i * day, START + (i + 1) * day, D(low), D(high), D(low), D(close), D(1), 1)
        for i, (high, low, close) in enumerate(prices)
    ]


def test_the_average_true_range_is_the_published_one() -> None:
    cells = PUBLISHED.split()
    rows = [cells[i : i + 4] for i in range(0, len(cells), 4)]
    series = bars(*((high, low, close) for high, low, close, _ in rows))
    for count, (*_, published) in enumerate(rows, 1):
        if published != "-":
            assert abs(average_true_range(series[:count], 14) - D(published)) < D("0.01")


def test_the_average_true_range_starts_as_a_mean_and_is_smoothed_by_wilder() -> None:
    # True ranges 2, 3 (from the close of 9 up to 12) and 4 (from the close of 12 down to 8): (2 + 3) / 2 = 2.5,
    # then (2.5 x 1 + 4) / 2 = 3.25.
    series = bars(("10", "8", "9"), ("12", "10", "12"), ("9", "8", "8"))
    assert average_true_range(series[:2], 2) == D("2.5")
    assert average_true_range(series, 2) == D("3.25")


def test_too_few_bars_make_no_average() -> None:
    with pytest.raises(ValueError, match="3 bars are needed, not 2"):
        average_true_range(bars(("10", "8", "9"), ("12", "10", "12")), 3)
