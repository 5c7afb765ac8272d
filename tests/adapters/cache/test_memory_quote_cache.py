from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from application.ports.quote_cache import ReceivedQuote
from domain.market_data.quote import Quote

FRIDAY_NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)


def seen(symbol: str) -> ReceivedQuote:
    quote = Quote(symbol, Decimal(10), Decimal(1), Decimal(11), Decimal(1), FRIDAY_NOON)
    return ReceivedQuote(quote, FRIDAY_NOON + timedelta(seconds=1))


async def test_it_is_bounded_and_forgets_what_was_put_longest_ago() -> None:
    cache = MemoryQuoteCache(ManualClock(FRIDAY_NOON), most=2)
    for symbol in ("A", "B", "A", "C"):
        await cache.put_many("polygon", [seen(symbol)])
    assert set(await cache.get_many("polygon", "ABC")) == {"A", "C"}


async def test_a_quote_is_kept_for_exactly_as_long_as_it_should_be() -> None:
    clock = ManualClock(FRIDAY_NOON)
    cache = MemoryQuoteCache(clock, keep_seconds=10)
    await cache.put_many("polygon", [seen("A")])
    clock.advance(9.999)
    assert await cache.get_many("polygon", ["A"])
    clock.advance(0.001)
    assert await cache.get_many("polygon", ["A"]) == {}


@pytest.mark.parametrize(("field", "value"), [("keep_seconds", 0), ("most", 0)])
def test_settings_that_break_a_rule_name_their_field(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"^{field}: must"):
        MemoryQuoteCache(ManualClock(FRIDAY_NOON), **{field: value})
