import re
from zoneinfo import available_timezones

import pytest

from adapters.market_data.simulation_catalogue import LISTINGS, Listing
from adapters.market_data.simulation_path import MAX_PRINTS_PER_MINUTE, MIN_PRINTS_PER_MINUTE
from adapters.market_data.simulation_settings import CAPABILITIES
from domain.decimals import is_multiple
from domain.market_data.instrument import AssetClass

PAIRS = {symbol for symbol, listing in LISTINGS.items() if listing.instrument.asset_class is AssetClass.CURRENCY}
EVERY_LISTING = pytest.mark.parametrize("listing", LISTINGS.values(), ids=list(LISTINGS))


@EVERY_LISTING
def test_an_instrument_has_a_symbol_a_name_and_a_grid_that_its_limits_lie_on(listing: Listing) -> None:
    instrument = listing.instrument
    assert LISTINGS[instrument.symbol] is listing
    assert re.fullmatch(r"[A-Z0-9][A-Z0-9._/:-]{0,31}", instrument.symbol)
    assert instrument.name
    assert instrument.tick_size > 0
    assert 0 < instrument.lot_size <= instrument.min_quantity < instrument.max_quantity
    assert is_multiple(instrument.min_quantity, instrument.lot_size)
    assert is_multiple(instrument.max_quantity, instrument.lot_size)
    assert instrument.hours.time_zone in available_timezones()


@EVERY_LISTING
def test_what_an_instrument_is_bought_in_and_of_follows_from_its_symbol(listing: Listing) -> None:
    base, _, currency = listing.instrument.symbol.partition("/")
    if listing.instrument.asset_class in (AssetClass.CURRENCY, AssetClass.CRYPTO):
        assert (listing.instrument.base_currency, listing.instrument.currency) == (base, currency)
    else:
        assert listing.instrument.base_currency is None
        assert not currency
    assert (listing.instrument.sector is not None) is (listing.instrument.asset_class is AssetClass.EQUITY)


@EVERY_LISTING
def test_the_market_can_simulate_a_listing(listing: Listing) -> None:
    assert MIN_PRINTS_PER_MINUTE <= listing.prints_per_minute <= MAX_PRINTS_PER_MINUTE
    assert 0.1 <= listing.volatility <= 0.6
    assert listing.print_lots >= 1
    assert listing.quote_lots >= 1
    assert listing.reference_price / float(listing.instrument.tick_size) > 1_000
    assert all(symbol in LISTINGS for _, symbol in listing.legs)


@pytest.mark.parametrize("target", ["USD", "EUR"])
def test_every_currency_converts_by_one_pair_or_by_two_over_the_dollar(target: str) -> None:
    def direct(currency: str, other: str) -> bool:
        return currency == other or f"{currency}/{other}" in PAIRS or f"{other}/{currency}" in PAIRS

    currencies = {listing.instrument.currency for listing in LISTINGS.values()}
    assert currencies >= {"USD", "EUR", "GBP", "JPY", "CHF"}
    for currency in currencies:
        assert direct(currency, target) or (direct(currency, "USD") and direct("USD", target)), currency


def test_the_catalogue_covers_every_class_and_the_venues_of_three_time_zones() -> None:
    classes = [listing.instrument.asset_class for listing in LISTINGS.values()]
    assert set(classes) == set(CAPABILITIES.asset_classes)
    assert classes.count(AssetClass.EQUITY) >= 40
    assert {listing.instrument.venue for listing in LISTINGS.values()} >= {
        "XNAS",
        "XNYS",
        "ARCX",
        "XETR",
        "XPAR",
        "XLON",
    }
