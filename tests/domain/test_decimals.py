import decimal
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decimals import PLACES, PRECISION, is_multiple, plain, round_down, settle

# What the wire takes: at most 20 digits before the point and 18 after it.
AMOUNTS = st.decimals(min_value=-(10**20) + 1, max_value=10**20 - 1, places=18, allow_nan=False)
STEPS = st.decimals(min_value=Decimal("0.000000000000000001"), max_value=1000, places=18)


@given(AMOUNTS, AMOUNTS)
def test_a_product_of_the_largest_amounts_is_exact(a: Decimal, b: Decimal) -> None:
    exact = int(a.scaleb(18)) * int(b.scaleb(18))
    assert (a * b).scaleb(36) == exact


def test_another_thread_calculates_as_exactly() -> None:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(decimal.getcontext().prec))
    thread.start()
    thread.join()
    assert seen == [PRECISION]


@given(AMOUNTS)
def test_settling_an_amount_that_fits_changes_nothing(amount: Decimal) -> None:
    assert settle(amount) == amount


@pytest.mark.parametrize(
    ("units", "settled"),
    [("0.5", "0"), ("1.5", "2"), ("2.5", "2"), ("-0.5", "0"), ("-1.5", "-2"), ("0.51", "1"), ("0.49", "0")],
)
def test_settling_rounds_half_to_even_in_the_last_place(units: str, settled: str) -> None:
    assert settle(Decimal(units).scaleb(-PLACES)) == Decimal(settled).scaleb(-PLACES)


@pytest.mark.parametrize(
    ("value", "step", "multiple"),
    [
        ("10", "1", True),
        ("10.5", "1", False),
        ("0.30", "0.1", True),
        ("0.31", "0.1", False),
        ("0", "0.01", True),
        ("99999999999999999999.99", "0.01", True),
        ("99999999999999999999.999", "0.01", False),
        ("0.000000000000000001", "0.000000000000000001", True),
    ],
)
def test_a_value_is_on_the_grid_only_when_it_is_exactly(value: str, step: str, multiple: bool) -> None:
    assert is_multiple(Decimal(value), Decimal(step)) is multiple


@given(AMOUNTS.filter(lambda value: value >= 0), STEPS)
def test_rounding_down_gives_the_largest_multiple_that_is_not_above(value: Decimal, step: Decimal) -> None:
    rounded = round_down(value, step)
    assert is_multiple(rounded, step)
    assert rounded <= value < rounded + step


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+3", "1000"),
        ("1E-18", "0.000000000000000001"),
        ("1.500", "1.5"),
        ("100", "100"),
        ("0.000", "0"),
        ("-0.00", "0"),
        ("-0", "0"),
        ("-1.10", "-1.1"),
        ("0E+5", "0"),
    ],
)
def test_a_decimal_is_written_without_exponent_and_trailing_zeros(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(AMOUNTS)
def test_what_is_written_reads_back_as_the_same_number(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert text != "-0"
