"""The names that one instrument has at Polygon."""

import pytest

from adapters.market_data.polygon_symbols import (
    Cluster,
    PolygonName,
    pair_symbol,
    polygon_name,
    single_symbol,
    stream_symbol,
)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("AAPL", PolygonName(Cluster.STOCKS, "AAPL", "AAPL")),
        ("BRK.B", PolygonName(Cluster.STOCKS, "BRK.B", "BRK.B")),
        ("ABR.PRD", PolygonName(Cluster.STOCKS, "ABRpD", "ABRpD")),
        ("ABR.PR", PolygonName(Cluster.STOCKS, "ABRp", "ABRp")),
        ("EUR/USD", PolygonName(Cluster.FOREX, "C:EURUSD", "EUR-USD")),
        ("XAU/USD", PolygonName(Cluster.FOREX, "C:XAUUSD", "XAU-USD")),
        ("BTC/USD", PolygonName(Cluster.CRYPTO, "X:BTCUSD", "BTC-USD")),
        ("I:SPX", PolygonName(Cluster.INDICES, "I:SPX", "I:SPX")),
    ],
)
def test_a_symbol_leads_to_polygon_and_back(symbol: str, name: PolygonName) -> None:
    assert polygon_name(symbol) == name
    assert stream_symbol(name.cluster, name.code) == symbol


@pytest.mark.parametrize("symbol", ["../v1", "A/../B", "AAPL?x", "BTC/USD/EUR", "O:SPY251219C00600000", "X:BTCUSD", ""])
def test_what_is_no_symbol_of_polygon_is_never_made_part_of_an_address(symbol: str) -> None:
    assert polygon_name(symbol) is None


def test_pairs_of_the_stream_may_be_written_with_a_slash() -> None:
    assert stream_symbol(Cluster.FOREX, "EUR/USD") == "EUR/USD"
    assert stream_symbol(Cluster.CRYPTO, "nonsense") is None


def test_classes_of_shares_in_lower_case_have_no_symbol() -> None:
    assert single_symbol("ACHRw") is None
    assert pair_symbol("", "USD") is None
