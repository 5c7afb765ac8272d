"""Prices and quantities that are made of quotes lie on the grid of their instrument."""

import pytest

from quantmesh.marketdata.v1.instrument_pb2 import Instrument
from quantmesh.marketdata.v1.quote_pb2 import Quote
from server.demo.prices import Prices

_QUOTES = [
    Quote(symbol="AAPL", bid_price="174.90", bid_size="400", ask_price="174.92", ask_size="300"),
    Quote(symbol="BTC/USD", bid_price="50000.00", bid_size="1", ask_price="50000.02", ask_size="0.00001"),
]
_INSTRUMENTS = {
    "AAPL": Instrument(symbol="AAPL", tick_size="0.01", lot_size="1"),
    "BTC/USD": Instrument(symbol="BTC/USD", tick_size="0.01", lot_size="0.00001"),
}


@pytest.fixture
def prices() -> Prices:
    return Prices(_QUOTES, _INSTRUMENTS)


def test_a_price_near_the_market_lies_on_the_tick(prices: Prices) -> None:
    assert prices.near("AAPL", -20) == "174.56"
    assert prices.near("AAPL", 5) == "174.99"
    assert prices.distance("BTC/USD", 2) == "10"


def test_a_quantity_is_round_and_in_lots(prices: Prices) -> None:
    assert prices.worth("AAPL", 17_000) == "97"
    assert prices.worth("BTC/USD", 6_000) == "0.11"
    assert prices.half("AAPL", "97") == "48"


def test_a_quantity_is_never_less_than_a_lot(prices: Prices) -> None:
    assert prices.worth("AAPL", 1) == "1"
    assert prices.more_than_shown("BTC/USD") == "0.00001"


def test_the_thinnest_market_is_the_one_that_offers_least_value(prices: Prices) -> None:
    assert prices.thinnest("AAPL", "BTC/USD") == "BTC/USD"
    assert prices.more_than_shown("AAPL") == "450"
