from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.clock import ManualClock
from application.market_data.market import Market
from application.market_data.queries.get_quote_query import BatchGetQuotes, GetQuote
from application.ports.market_data import DataKind
from domain.errors import NotFound, PreconditionFailed, Unavailable
from tests.support.market import FRIDAY_NOON, market_of, simulated
from tests.support.provider import ASKED, SpokenMarketData

SATURDAY = datetime(2026, 11, 21, 17, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def spoken() -> tuple[ManualClock, SpokenMarketData, Market]:
    """A market whose quotes are only what a test has set: AAPL was quoted a minute ago, MSFT never."""
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock)
    provider.list("AAPL", "MSFT")
    provider.quote("AAPL", "1")
    clock.advance(60)
    return clock, provider, market_of(clock, provider.offer())


async def test_any_quote_will_do_without_a_max_age_and_says_who_gave_it_and_when() -> None:
    clock, _, market = spoken()
    found = await GetQuote("AAPL").answer(market)
    assert (found.quote.bid_price, found.provider, found.received_time) == (Decimal(1), "live", clock.now())


async def test_a_quote_that_is_too_old_is_fetched_anew_and_refused_when_it_stays_old() -> None:
    _, provider, market = spoken()
    with pytest.raises(Unavailable, match="newest quote of 'AAPL'") as refusal:
        await GetQuote("AAPL", max_age=59 * SECOND).answer(market)
    assert refusal.value.reason == "MARKET_DATA_UNAVAILABLE"
    assert provider.asked == [["AAPL"]]
    assert (await GetQuote("AAPL", max_age=60 * SECOND).answer(market)).quote.bid_price == 1


async def test_a_quote_of_one_side_is_given_as_it_is() -> None:
    _, provider, market = spoken()
    provider.quote("MSFT", "2", ask=None)
    quote = (await GetQuote("MSFT").answer(market)).quote
    assert (quote.bid_price, quote.ask_price, quote.ask_size) == (Decimal(2), None, None)


async def test_an_instrument_without_any_quote_is_told_from_one_that_is_unknown() -> None:
    _, _, market = spoken()
    with pytest.raises(NotFound) as never:
        await GetQuote("MSFT").answer(market)
    with pytest.raises(NotFound) as unknown:
        await GetQuote("NOPE").answer(market)
    assert (never.value.reason, unknown.value.reason) == ("MARKET_DATA_NOT_FOUND", "INSTRUMENT_NOT_FOUND")


async def test_while_the_market_is_closed_the_last_quote_of_its_session_is_young_enough() -> None:
    _, provider, market = simulated(SATURDAY)
    found = await GetQuote("AAPL", max_age=SECOND).answer(market)
    assert found.quote == provider.latest("AAPL")
    assert SATURDAY - found.quote.quote_time > timedelta(hours=12)


async def test_many_quotes_come_in_the_order_of_the_symbols_and_failures_beside_them() -> None:
    _, provider, market = spoken()
    found = await BatchGetQuotes(["NOPE", "AAPL", "MSFT"]).answer(market)
    assert [one.quote.symbol for one in found.quotes] == ["AAPL"]
    assert [(symbol, error.reason) for symbol, error in found.failures] == [
        ("NOPE", "INSTRUMENT_NOT_FOUND"),
        ("MSFT", "MARKET_DATA_NOT_FOUND"),
    ]
    assert provider.asked == [["AAPL", "MSFT"]]


async def test_in_a_batch_an_unknown_provider_is_each_symbols_failure() -> None:
    _, _, market = spoken()
    found = await BatchGetQuotes(["AAPL"], provider="other").answer(market)
    assert [error.reason for _, error in found.failures] == ["PROVIDER_NOT_FOUND"]


async def test_a_provider_without_quotes_says_so() -> None:
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock, capabilities=replace(ASKED, requests=frozenset({DataKind.BARS})))
    provider.list("AAPL")
    with pytest.raises(PreconditionFailed, match="live has no quotes on request") as refusal:
        await GetQuote("AAPL").answer(market_of(clock, provider.offer()))
    assert refusal.value.reason == "PROVIDER_NOT_CAPABLE"


async def test_what_the_provider_fails_of_is_the_answer() -> None:
    _, provider, market = spoken()
    provider.error = Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE")
    with pytest.raises(Unavailable):
        await GetQuote("AAPL", max_age=SECOND).answer(market)
