"""Yahoo's numbers are of single precision: what was traded can be read from them as long as it has seven digits."""

from decimal import Decimal
from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.market_data.yfinance_numbers import price, scaled, split_ratio, volume
from tests.support.vendors.yahoo_chart import single

RATIOS = [(4, 1), (7, 1), (3, 2), (1, 10), (1, 3), (1281, 1000), (56, 1), (224, 1)]


@given(st.integers(1, 9_999_999), st.integers(0, 6))
@example(1871, 1)
@example(1870001, 4)
def test_a_price_of_seven_digits_is_read_from_its_number(digits: int, places: int) -> None:
    traded = Decimal(digits).scaleb(-places)
    assert price(single(traded)) == traded


@given(st.integers(100, 999_999), st.sampled_from(RATIOS))
def test_a_price_is_read_from_what_a_split_made_of_it(cents: int, ratio: tuple[int, int]) -> None:
    traded = Decimal(cents).scaleb(-2)
    assert price(single(traded * ratio[1] / ratio[0]), Fraction(*ratio)) == traded


def test_a_number_of_double_precision_is_taken_as_it_is_written() -> None:
    assert price(1.0854231) == Decimal("1.0854231")


@pytest.mark.parametrize("value", [nan, inf, -inf, 0.0, -1.5, True, None, "187.1", 187])
def test_what_is_no_price_is_none(value: object) -> None:
    assert price(value) is None
    assert price(value, Fraction(4)) is None
    assert scaled(value, Decimal("0.5")) is None


def test_a_price_less_dividends_has_seven_digits() -> None:
    assert scaled(single(Decimal("187.1")), Decimal("0.99751234567")) == Decimal("186.6346")


def test_a_price_that_no_dividend_followed_is_exact() -> None:
    assert scaled(single(Decimal("187.1")), Decimal(1)) == Decimal("187.1")


def test_the_volume_of_then_is_in_the_shares_of_then() -> None:
    assert volume(469_033_600, Fraction(224)) == 2_093_900
    assert volume(125, Fraction(1, 10)) == 1250


@pytest.mark.parametrize("value", [nan, inf, -1, True, None, "100"])
def test_what_is_no_volume_is_none(value: object) -> None:
    assert volume(value) is None


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_ratio_of_a_split_is_found_from_its_quotient(ratio: tuple[int, int]) -> None:
    assert split_ratio(ratio[0] / ratio[1]) == Fraction(*ratio)


@pytest.mark.parametrize("value", [nan, inf, 0.0, -2.0, 3.14159265358979])
def test_a_quotient_of_no_ratio_is_none(value: float) -> None:
    assert split_ratio(value) is None
