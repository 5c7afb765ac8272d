"""Instruments are what Yahoo's charts say of themselves."""

from dataclasses import replace
from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest
from aiohttp import web

from adapters.market_data.conventions import US_EQUITY_HOURS
from domain.market_data.instrument import AssetClass, Instrument, InstrumentStatus
from domain.market_data.trading_hours import ALWAYS_OPEN
from tests.support.vendors.yahoo import says
from tests.support.vendors.yahoo_chart import Listing
from tests.support.vendors.yahoo_market import (
    INPLACE,
    apple,
    bitcoin,
    euro,
    fund,
    index,
    sap,
    toyota,
    vodafone,
    yahoo_market,
)

pytestmark = pytest.mark.filterwarnings(INPLACE)


async def _instrument(folder: Path, listing: Listing, symbol: str) -> Instrument:
    async with yahoo_market(folder) as market:
        market.yahoo.list(listing)
        found = await market.provider.instrument(symbol)
        assert found is not None
        return found


async def test_a_share_of_new_york_has_its_hours_and_holidays(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, apple(), "AAPL")
    assert (found.symbol, found.name, found.asset_class) == ("AAPL", "Apple Inc.", AssetClass.EQUITY)
    assert (found.currency, found.venue, found.tick_size) == ("USD", "XNAS", Decimal("0.01"))
    assert found.hours == US_EQUITY_HOURS


async def test_a_day_that_closes_early_does_not_change_the_usual_hours(tmp_path: Path) -> None:
    today = date(2024, 6, 14)
    found = await _instrument(tmp_path, sap(early_closes={today: time(14)}), "SAP.DE")
    assert (found.hours.opens, found.hours.closes, found.hours.time_zone) == (time(9), time(17, 30), "Europe/Berlin")
    assert found.hours.weekdays == frozenset(range(5))
    assert date(2024, 5, 1) in found.hours.holidays
    assert (found.venue, found.currency) == ("XETR", "EUR")


async def test_extended_hours_elsewhere_are_as_yahoo_says(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, sap(pre_opens=time(8), post_closes=time(22)), "SAP.DE")
    assert (found.hours.pre_market_opens, found.hours.post_market_closes) == (time(8), time(22))


async def test_a_week_from_sunday_to_thursday_is_seen(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, sap(weekdays=frozenset({6, 0, 1, 2, 3})), "SAP.DE")
    assert found.hours.weekdays == {6, 0, 1, 2, 3}


async def test_pence_become_pounds(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, vodafone(), "VOD.L")
    assert (found.currency, found.tick_size) == ("GBP", Decimal("0.0001"))


async def test_a_currency_pair_keeps_londons_day(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, euro(), "EUR/USD")
    assert (found.symbol, found.provider_symbol, found.asset_class) == ("EUR/USD", "EURUSD=X", AssetClass.CURRENCY)
    assert (found.base_currency, found.currency) == ("EUR", "USD")
    assert (found.hours.time_zone, found.hours.opens, found.hours.closes) == ("Europe/London", time(0), time(0))


async def test_a_pair_that_yahoo_calls_otherwise_is_found(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.listings["USDJPY=X"] = euro(symbol="JPY=X", currency="JPY")
        found = await market.provider.instrument("USD/JPY")
    assert found is not None
    assert (found.symbol, found.provider_symbol, found.currency) == ("USD/JPY", "JPY=X", "JPY")


async def test_another_instrument_than_the_one_asked_for_is_none(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.listings["FB"] = apple(symbol="META")
        assert await market.provider.instrument("FB") is None


async def test_crypto_trades_around_the_clock(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, bitcoin(), "BTC/USD")
    assert (found.asset_class, found.base_currency, found.provider_symbol) == (AssetClass.CRYPTO, "BTC", "BTC-USD")
    assert found.hours == ALWAYS_OPEN


async def test_an_index_is_watched_and_not_traded(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, index(), "INDEX:GSPC")
    assert (found.symbol, found.provider_symbol) == ("INDEX:GSPC", "^GSPC")
    assert found.status is InstrumentStatus.NOT_TRADABLE
    assert found.hours == replace(US_EQUITY_HOURS, pre_market_opens=None, post_market_closes=None)


async def test_a_fund_that_has_days_only_is_found(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, fund(), "VFIAX")
    assert found.asset_class is AssetClass.FUND


async def test_a_fund_of_which_yahoo_refuses_hours_is_found(tmp_path: Path) -> None:
    error = '{"chart":{"result":null,"error":{"code":"Unprocessable Entity","description":"1h data not available"}}}'
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(fund())

        async def knows_the_day(_: web.Request) -> None:
            return None

        market.yahoo.moods = [knows_the_day, says(422, error), says(422, error)]
        found = await market.provider.instrument("VFIAX")
    assert found is not None
    assert found.hours.weekdays == frozenset(range(5))


async def test_a_yen_has_no_decimals(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, toyota(), "7203.T")
    assert (found.currency, found.tick_size) == ("JPY", Decimal(1))


async def test_a_class_of_shares_is_written_with_a_point(tmp_path: Path) -> None:
    found = await _instrument(tmp_path, apple(symbol="BRK-B"), "BRK.B")
    assert (found.symbol, found.provider_symbol) == ("BRK.B", "BRK-B")


async def test_an_unknown_symbol_is_none_and_is_asked_for_once(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        assert await market.provider.instrument("NOPE") is None
        asked = len(market.yahoo.requests)
        assert await market.provider.instrument("NOPE") is None
        assert len(market.yahoo.requests) == asked
        market.clock.advance(301)
        market.yahoo.list(apple(symbol="NOPE"))
        assert await market.provider.instrument("NOPE") is not None


@pytest.mark.parametrize(("symbol", "listing"), [("BTC-USD", bitcoin()), ("BRK-B", apple(symbol="BRK-B"))])
async def test_yahoos_own_name_is_no_second_symbol(tmp_path: Path, symbol: str, listing: Listing) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(listing)
        assert await market.provider.instrument(symbol) is None


async def test_a_future_is_none(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(apple(symbol="ES-F", kind="FUTURE"))
        assert await market.provider.instrument("ES-F") is None


async def test_an_isin_is_not_searched_for(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        assert await market.provider.instrument("US0378331005") is None
        assert market.yahoo.requests == []


async def test_the_catalogue_has_what_was_asked_for(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.list(sap())
        assert await market.provider.instruments() == []
        for symbol in ("SAP.DE", "AAPL", "NOPE"):
            await market.provider.instrument(symbol)
        assert [one.symbol for one in await market.provider.instruments()] == ["AAPL", "SAP.DE"]


async def test_a_known_instrument_is_served_while_yahoo_does_not_answer(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        known = await market.provider.instrument("AAPL")
        market.clock.advance(13 * 3600)
        market.yahoo.listings.clear()
        market.yahoo.edit = lambda payload: payload.clear()
        market.yahoo.list(apple())
        assert await market.provider.instrument("AAPL") == known
