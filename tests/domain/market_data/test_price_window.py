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
        inside = [p for at, p in seen if at >= now - timedelta(seconds=seconds)]
        assert window.range(now) == (min(inside), max(inside))


def test_a_window_without_a_price_has_no_range() -> None:
    window = PriceWindow(Decimal(10))
    assert window.range(_START) is None
    window.add(_START, Decimal(5))
    assert window.range(_START + timedelta(seconds=10)) == (Decimal(5), Decimal(5))
    assert window.range(_START + timedelta(seconds=11)) is None
