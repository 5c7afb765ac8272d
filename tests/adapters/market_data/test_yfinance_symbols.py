"""Our symbols and Yahoo's are two names of one instrument."""

import pytest

from adapters.market_data.yfinance_symbols import ours, yahoos


@pytest.mark.parametrize(
    ("symbol", "yahoo", "kind"),
    [
        ("AAPL", "AAPL", "EQUITY"),
        ("BRK.B", "BRK-B", "EQUITY"),
        ("SPY", "SPY", "ETF"),
        ("SAP.DE", "SAP.DE", "EQUITY"),
        ("VOD.L", "VOD.L", "EQUITY"),
        ("7203.T", "7203.T", "EQUITY"),
        ("BAC-PL", "BAC-PL", "EQUITY"),
        ("EUR/USD", "EURUSD=X", "CURRENCY"),
        ("USD/JPY", "USDJPY=X", "CURRENCY"),
        ("BTC/USD", "BTC-USD", "CRYPTOCURRENCY"),
        ("BTC/USDT", "BTC-USDT", "CRYPTOCURRENCY"),
        ("INDEX:GSPC", "^GSPC", "INDEX"),
        ("000001.SS", "000001.SS", "INDEX"),
    ],
)
def test_a_symbol_goes_to_yahoo_and_comes_back(symbol: str, yahoo: str, kind: str) -> None:
    assert yahoos(symbol) == yahoo
    assert ours(yahoo, kind) == symbol


@pytest.mark.parametrize("symbol", ["US0378331005", "INDEX:", "FUTURE:ES", "EUR/", "A_B", "A/B/C", ""])
def test_what_cannot_be_of_yahoo_is_not_asked_for(symbol: str) -> None:
    assert yahoos(symbol) is None


def test_yahoos_short_form_of_a_pair_with_the_dollar_is_understood() -> None:
    assert ours("JPY=X", "CURRENCY") == "USD/JPY"


def test_yahoos_own_name_of_a_pair_is_not_a_second_symbol_of_it() -> None:
    assert ours("BTC-USD", "CRYPTOCURRENCY") != "BTC-USD"
