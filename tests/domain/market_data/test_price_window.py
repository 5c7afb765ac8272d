"""The window gives what looking at every price in it would give."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.price_window import PriceWindow

_START = datetime(2026, 1, 5, tzinfo=UTC)
_PRICES = st.lists(st.tuples(st.integers(0, 5), st.decimals("1", "100", places=2)), min_size=1, max_size=60)


@given(_PRICES, st.integers(1, 20))
def test_lowest_and_highest_are_those_of_the_prices_in_the_window(
    prices: list[tuple[int, Decimal]], seconds: int
) -> None:
    window = PriceWindow(Decimal(seconds))
    now, seen = _START, []
    for later, price in prices:
        now += timedelta(seconds=later)
        window.add(now, price)
        seen.append((now, price))
        for part in range(1, seconds + 1):
            inside = [p for at, p in seen if at >= now - timedelta(seconds=part)]
            assert window.range(now, Decimal(part)) == (min(inside), max(inside))
        assert window.range(now) == window.range(now, Decimal(2 * seconds)) == (min(inside), max(inside))


def test_a_window_without_a_price_has_no_range() -> None:
    window = PriceWindow(Decimal(10))
    assert window.range(_START) is None
    window.add(_START, Decimal(5))
    assert window.range(_START + timedelta(seconds=10)) == (Decimal(5), Decimal(5))
    assert window.range(_START + timedelta(seconds=11)) is None


def test_a_part_of_the_window_that_has_no_price_has_no_range() -> None:
    window = PriceWindow(Decimal(10))
    window.add(_START, Decimal(5))
    now = _START + timedelta(seconds=4)
    assert window.range(now, Decimal(4)) == (Decimal(5), Decimal(5))
    assert window.range(now, Decimal(3)) is None


def test_a_bounded_window_forgets_the_oldest_of_a_market_that_only_falls() -> None:
    window = PriceWindow(Decimal(100), most=3)
    for second, price in enumerate((50, 40, 30, 20, 10)):
        window.add(_START + timedelta(seconds=second), Decimal(price))
    assert window.range(_START + timedelta(seconds=5)) == (Decimal(10), Decimal(30))
