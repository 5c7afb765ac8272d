from datetime import UTC, datetime
from decimal import Decimal

from domain.market_data.quote import Quote


def test_the_mid_of_a_quote_is_exact_also_between_two_ticks() -> None:
    size = Decimal(100)
    quote = Quote("AAPL", Decimal("187.24"), size, Decimal("187.25"), size, datetime(2026, 3, 6, tzinfo=UTC))
    assert quote.mid == Decimal("187.245")
