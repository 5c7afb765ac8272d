from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.market_data.conventions import currency_pair, us_equity
from adapters.market_data.replay_instruments import read_instruments
from adapters.market_data.replay_rows import BadFile
from domain.market_data.instrument import AssetClass
from tests.support.recordings import write_text


def test_what_is_not_said_is_as_usual(tmp_path: Path) -> None:
    path = write_text(tmp_path / "instruments.csv", "symbol,name\nAAPL,Apple Inc.\neur/usd,\n\n")
    found = read_instruments(path)
    assert found == {"AAPL": us_equity("AAPL", "Apple Inc."), "EUR/USD": currency_pair("EUR/USD")}


def test_what_is_said_counts(tmp_path: Path) -> None:
    path = write_text(
        tmp_path / "instruments.csv",
        "Symbol,Asset Class,Currency,Venue,Sector,Tick Size,Lot Size,Min Quantity,Max Quantity,Time Zone,Opens,Closes\n"
        "SAP,etf,eur,XETR,Technology,0.02,0.5,1,5000,Europe/Berlin,09:00,17:30\n",
    )
    one = read_instruments(path)["SAP"]
    assert (one.asset_class, one.currency, one.venue, one.sector) == (AssetClass.ETF, "EUR", "XETR", "Technology")
    assert [one.tick_size, one.lot_size, one.min_quantity, one.max_quantity] == [
        Decimal("0.02"),
        Decimal("0.5"),
        Decimal(1),
        Decimal(5000),
    ]
    assert (one.hours.time_zone, one.hours.opens, one.hours.closes) == ("Europe/Berlin", time(9), time(17, 30))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name\nApple\n", "line 1: the header must have symbol"),
        ("symbol,colour\nAAPL,red\n", "line 1: .* not colour"),
        ("symbol\nAAPL\nAAPL\n", "line 3: symbol: AAPL is in a line before"),
        ("symbol\nA B\n", "line 2: symbol: must be 1 to 32 of .* not 'A B'"),
        ("symbol,asset_class\nAAPL,stock\n", "line 2: asset_class: must be one of EQUITY, .* not 'stock'"),
        ("symbol,asset_class\nBTC,crypto\n", "line 2: symbol: of CRYPTO must be a pair"),
        ("symbol,tick_size\nAAPL,0\n", "line 2: tick_size: must be a number above zero, not '0'"),
        ("symbol,opens\nAAPL,09:00\n", "line 2: time_zone, opens and closes must be set together"),
        ("symbol,time_zone,opens,closes\nAAPL,Mars/Base,9:00,25:00\n", "line 2: time_zone must be a name"),
    ],
)
def test_a_line_that_breaks_a_rule_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadFile, match=rf"instruments\.csv, {told}"):
        read_instruments(write_text(tmp_path / "instruments.csv", text))


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "instruments.csv"
    path.write_bytes(b"symbol\n\xff\xfe\n")
    with pytest.raises(BadFile, match=r"instruments\.csv, line 1"):
        read_instruments(path)
