import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from adapters.market_data.alpaca_settings import CAPABILITIES, AlpacaSettings, capabilities, lack
from domain.market_data.bar import BarInterval

WITH_KEYS = AlpacaSettings(key_id="PK1", secret_key="s")  # noqa: S106 - no secret


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"feed": "otc"}, "feed: must be one of iex, sip, delayed_sip"),
        ({"data_url": "data.alpaca.markets"}, "data_url: must be a URL that begins with https:// or http://"),
        ({"data_url": "https://data.alpaca.markets/"}, "data_url: must be a URL without"),
        ({"data_url": "https://user:word@data.alpaca.markets"}, "data_url: must be a URL without"),
        ({"stream_url": "https://stream.data.alpaca.markets"}, "stream_url: must be a URL that begins with wss://"),
        ({"trading_url": "ftp://api"}, "trading_url: must be a URL"),
        ({"timeout_seconds": 0}, "timeout_seconds: must be above 0"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds: must be above 0"),
        ({"stream_silence_seconds": 301}, "stream_silence_seconds: must be above 0 and at most 300 seconds"),
        ({"stream_linger_seconds": -1}, "stream_linger_seconds"),
        ({"stream_symbols": -1}, "stream_symbols: must be 0 or more"),
        ({"shares_per_lot": 0}, "shares_per_lot: must be 1 to 100"),
        ({"catalogue_seconds": 0}, "catalogue_seconds"),
    ],
)
def test_what_cannot_be_is_refused_by_field_and_rule(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(ValueError, match=f"^{rule}"):
        AlpacaSettings(**changes)


def test_the_secret_is_not_shown() -> None:
    assert "hush" not in repr(AlpacaSettings(secret_key="hush"))  # noqa: S106 - no secret


def test_without_keys_the_line_that_sets_them_is_given() -> None:
    found = lack(AlpacaSettings())

    assert found is not None
    assert found.remedy == "QUANTMESH_ALPACA_KEY_ID=... QUANTMESH_ALPACA_SECRET_KEY=..."
    assert lack(AlpacaSettings(key_id="PK1")) == found
    assert lack(WITH_KEYS) is None


def test_without_the_sdk_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alpaca", None)  # how Python marks a module that cannot be imported

    found = lack(WITH_KEYS)

    assert found is not None
    assert found.remedy == "pip install -e '.[alpaca]'"


def test_the_sdk_is_not_imported_for_the_settings() -> None:
    program = (
        "import sys, adapters.market_data.alpaca_settings as own; own.lack(own.AlpacaSettings()); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()

    assert "adapters.market_data.alpaca_settings" in loaded
    assert not {"alpaca", "requests", "websockets", "msgpack"} & set(loaded)


def test_the_catalogue_is_where_the_key_is_known() -> None:
    assert AlpacaSettings(key_id="PK1").assets_url == "https://paper-api.alpaca.markets"
    assert AlpacaSettings(key_id="AK1").assets_url == "https://api.alpaca.markets"
    assert AlpacaSettings(key_id="AK1", trading_url="http://localhost:1").assets_url == "http://localhost:1"


def test_capabilities_follow_the_feed() -> None:
    assert capabilities(AlpacaSettings()) == CAPABILITIES
    assert capabilities(AlpacaSettings(feed="sip")).max_stream_symbols == 0
    assert capabilities(AlpacaSettings(feed="delayed_sip")).delay == timedelta(minutes=15)
    assert capabilities(AlpacaSettings(stream_symbols=7)).max_stream_symbols == 7
    assert BarInterval.SECOND_1 not in CAPABILITIES.bars
