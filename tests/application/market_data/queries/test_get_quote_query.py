from datetime import UTC, datetime, timedelta

import pytest

from adapters.clock import ManualClock
from application.market_data.market import Market
from application.market_data.queries.get_quote_query import BatchGetQuotes, GetQuote
from domain.errors import NotFound, Unavailable
from tests.support.market import FRIDAY_NOON, simulated
from tests.support.trading import SetQuotes, instrument

SATURDAY = datetime(2026, 11, 21, 17, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def kept() -> tuple[ManualClock, SetQuotes, Market]:
    """A market whose quotes are only what a test has set: AAPL was quoted a minute ago, MSFT never."""
    _, provider, _ = simulated()
    clock = ManualClock(FRIDAY_NOON)
    quotes = SetQuotes(clock)
    for symbol in ("AAPL", "MSFT"):
        quotes.list(instrument(symbol))
    quotes.set("AAPL", "1")
    clock.advance(60)
    return clock, quotes, Market(provider, quotes, clock)


async def test_any_quote_will_do_without_a_max_age() -> None:
    _, quotes, market = kept()
    assert await GetQuote("AAPL").answer(market) == quotes.latest("AAPL")
    assert quotes.asked == []


async def test_a_quote_that_is_too_old_is_fetched_anew_and_refused_when_it_stays_old() -> None:
    _, quotes, market = kept()
    with pytest.raises(Unavailable, match="newest quote of 'AAPL'") as refusal:
        await GetQuote("AAPL", max_age=59 * SECOND).answer(market)
    assert refusal.value.reason == "MARKET_DATA_UNAVAILABLE"
    assert quotes.asked == ["AAPL"]
    assert await GetQuote("AAPL", max_age=60 * SECOND).answer(market) == quotes.latest("AAPL")


async def test_an_instrument_without_any_quote_is_told_from_one_that_is_unknown() -> None:
    _, quotes, market = kept()
    with pytest.raises(NotFound) as never:
        await GetQuote("MSFT").answer(market)
    with pytest.raises(NotFound) as unknown:
        await GetQuote("NOPE").answer(market)
    assert (never.value.reason, unknown.value.reason) == ("MARKET_DATA_NOT_FOUND", "INSTRUMENT_NOT_FOUND")
    assert quotes.asked == ["MSFT"]


async def test_while_the_market_is_closed_the_last_quote_of_its_session_is_young_enough() -> None:
    _, provider, market = simulated(SATURDAY)
    quote = await GetQuote("AAPL", max_age=SECOND).answer(market)
    assert quote == provider.latest("AAPL")
    assert SATURDAY - quote.quote_time > timedelta(hours=12)


async def test_many_quotes_come_in_the_order_of_the_symbols_and_failures_beside_them() -> None:
    _, quotes, market = kept()
    found = await BatchGetQuotes(["NOPE", "AAPL", "MSFT"]).answer(market)
    assert [quote.symbol for quote in found.quotes] == ["AAPL"]
    assert [(symbol, error.reason) for symbol, error in found.failures] == [
        ("NOPE", "INSTRUMENT_NOT_FOUND"),
        ("MSFT", "MARKET_DATA_NOT_FOUND"),
    ]
    assert quotes.asked == ["MSFT"]


async def test_in_a_batch_an_unknown_provider_is_each_symbols_failure() -> None:
    _, _, market = kept()
    found = await BatchGetQuotes(["AAPL"], provider="other").answer(market)
    assert [error.reason for _, error in found.failures] == ["PROVIDER_NOT_FOUND"]
