"""Polygon's tickers as instruments."""

import asyncio
from decimal import Decimal

import pytest

from adapters.market_data.conventions import CRYPTO_HOURS, FOREX_HOURS, US_EQUITY_HOURS
from domain.errors import Throttled, Unavailable
from domain.market_data.instrument import AssetClass, InstrumentStatus
from tests.support.vendors.polygon import Row, refusal, text
from tests.support.vendors.polygon_market import APPLE, polygon_market

EURO: Row = {
    "ticker": "C:EURUSD",
    "name": "Euro - United States Dollar",
    "market": "fx",
    "active": True,
    "base_currency_symbol": "EUR",
    "currency_symbol": "USD",
}
BITCOIN: Row = {
    "ticker": "X:BTCUSD",
    "name": "Bitcoin - United States Dollar",
    "market": "crypto",
    "active": True,
    "base_currency_symbol": "BTC",
    "currency_symbol": "USD",
}
INDEX: Row = {"ticker": "I:SPX", "name": "S&P 500", "market": "indices", "active": True, "source_feed": "CMEMarketData"}
FUND: Row = {**APPLE, "ticker": "SPY", "name": "SPDR S&P 500", "type": "ETF", "primary_exchange": "ARCX"}
DAY = 24 * 3_600.0


def shares(count: int) -> list[Row]:
    return [{**APPLE, "ticker": f"A{n:05}", "name": f"Company {n}"} for n in range(count)]


async def test_each_market_has_its_own_kind_of_instrument() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.tickers = [APPLE, FUND, EURO, BITCOIN, INDEX]
        apple, fund, euro, bitcoin, index = [
            await provider.instrument(symbol) for symbol in ("AAPL", "SPY", "EUR/USD", "BTC/USD", "I:SPX")
        ]

    assert apple is not None
    assert fund is not None
    assert euro is not None
    assert bitcoin is not None
    assert index is not None
    assert (apple.name, apple.asset_class, apple.venue, apple.sector, apple.tick_size, apple.hours) == (
        "Apple Inc.",
        AssetClass.EQUITY,
        "XNAS",
        "Electronic computers",
        Decimal("0.01"),
        US_EQUITY_HOURS,
    )
    assert fund.asset_class is AssetClass.ETF
    assert (euro.asset_class, euro.base_currency, euro.currency, euro.provider_symbol, euro.hours) == (
        AssetClass.CURRENCY,
        "EUR",
        "USD",
        "C:EURUSD",
        FOREX_HOURS,
    )
    assert (bitcoin.asset_class, bitcoin.base_currency, bitcoin.hours) == (AssetClass.CRYPTO, "BTC", CRYPTO_HOURS)
    assert (index.asset_class, index.status) == (AssetClass.INDEX, InstrumentStatus.NOT_TRADABLE)


async def test_an_instrument_is_asked_for_alone_and_kept_for_a_day() -> None:
    async with polygon_market() as (polygon, provider, clock):
        polygon.tickers = [APPLE]
        found = await asyncio.gather(*(provider.instrument("AAPL") for _ in range(20)))
        clock.advance(DAY - 1)
        await provider.instrument("AAPL")

        assert len({id(one) for one in found}) == 1
        assert polygon.requests == ["/v3/reference/tickers/AAPL?ticker=AAPL"]
        clock.advance(1)
        await provider.instrument("AAPL")
        assert len(polygon.requests) == 2


async def test_an_unknown_instrument_is_none_and_not_asked_for_again_at_once() -> None:
    async with polygon_market() as (polygon, provider, clock):
        assert [await provider.instrument("NOPE") for _ in range(5)] == [None] * 5
        assert len(polygon.requests) == 1

        polygon.tickers = [{**APPLE, "ticker": "NOPE"}]
        clock.advance(60)
        assert await provider.instrument("NOPE") is not None


async def test_what_cannot_be_a_symbol_costs_no_request() -> None:
    async with polygon_market() as (polygon, provider, _):
        assert await provider.instrument("../../v1/x") is None
        assert polygon.requests == []


async def test_an_instrument_that_was_known_stays_known_while_polygon_is_down() -> None:
    async with polygon_market() as (polygon, provider, clock):
        polygon.tickers = [APPLE]
        known = await provider.instrument("AAPL")
        clock.advance(2 * DAY)
        polygon.bad_days.extend([refusal(500, {}), refusal(500, {})])

        assert await provider.instrument("AAPL") is known
        with pytest.raises(Unavailable):
            await provider.instrument("MSFT")


@pytest.mark.parametrize("body", ['{"status":"OK","results":[]}', '{"status":"OK"}', '{"status":"OK","results":{}}'])
async def test_details_that_are_of_nothing_are_nonsense(body: str) -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.bad_days.append(text(body))
        with pytest.raises(Unavailable):
            await provider.instrument("AAPL")


async def test_the_caller_that_goes_away_does_not_take_the_request_along() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.tickers = [APPLE]
        first = asyncio.create_task(provider.instrument("AAPL"))
        second = asyncio.create_task(provider.instrument("AAPL"))
        await asyncio.sleep(0)
        first.cancel()

        assert await second is not None
        assert len(polygon.requests) == 1


async def test_the_catalogue_is_all_pages_by_symbol_and_kept_for_a_day() -> None:
    async with polygon_market() as (polygon, provider, clock):
        polygon.tickers = sorted([*shares(2_300), EURO, BITCOIN], key=lambda one: str(one["ticker"]))
        found = await provider.instruments()
        await provider.instruments()

        assert [one.symbol for one in found] == sorted(one.symbol for one in found)
        assert len(found) == 2_302
        assert len(polygon.requests) == 3
        assert await provider.instrument("A00007") in found
        assert len(polygon.requests) == 3
        clock.advance(DAY)
        await provider.instruments()
        assert len(polygon.requests) == 6


async def test_a_catalogue_that_breaks_off_goes_on_where_it_was() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.tickers = shares(2_300)
        polygon.bad_days.extend([None, refusal(500, {})])
        with pytest.raises(Unavailable):
            await provider.instruments()

        assert len(await provider.instruments()) == 2_300
        assert len(polygon.requests) == 4


async def test_a_free_plan_gets_the_catalogue_in_several_minutes() -> None:
    async with polygon_market(requests_per_minute=2) as (polygon, provider, _):
        polygon.tickers = shares(2_300)
        with pytest.raises(Throttled) as refused:
            await provider.instruments()

        assert 0 < refused.value.retry_after_seconds <= 60
        assert len(polygon.requests) == 2


async def test_tickers_that_have_no_symbol_or_are_none_are_left_out() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.tickers = [
            APPLE,
            {**APPLE, "ticker": "ACHRw"},
            {**APPLE, "ticker": "B", "market": "moon"},
            {**APPLE, "ticker": "C", "market": ["stocks"]},
            {**EURO, "ticker": "C:EURUSD", "base_currency_symbol": None},
            {**BITCOIN, "base_currency_symbol": "ETH"},
            {**APPLE, "ticker": "ZZZ", "name": None, "primary_exchange": 7, "market": "otc"},
        ]
        apple, otc = await provider.instruments()

        assert (apple.symbol, otc.symbol, otc.name, otc.venue) == ("AAPL", "ZZZ", "ZZZ", "OTC")


async def test_a_list_that_runs_in_circles_is_nonsense() -> None:
    async with polygon_market() as (polygon, provider, _):
        page = {"status": "OK", "results": shares(1_000)}
        polygon.bad_days.extend(refusal(200, page) for _ in range(5))
        with pytest.raises(Unavailable, match="order"):
            await provider.instruments()


async def test_what_is_no_longer_active_says_so() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.tickers = [{**APPLE, "active": False}]
        found = await provider.instrument("AAPL")

        assert found is not None
        assert found.status is InstrumentStatus.DELISTED
