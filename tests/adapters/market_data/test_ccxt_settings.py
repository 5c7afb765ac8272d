"""What the ccxt provider takes as settings, and what it says that it lacks."""

import subprocess
import sys
from typing import Any

import pytest

from adapters.market_data.ccxt_settings import CAPABILITIES, CcxtSettings, lack


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exchange", "Binance"),
        ("exchange", "../x"),
        ("exchange", ""),
        ("timeout_seconds", 0),
        ("stream_silence_seconds", float("nan")),
        ("catalogue_seconds", 0),
        ("linger_seconds", -1),
        ("mirrors", {"https://api.binance.com": "localhost"}),
    ],
)
def test_a_setting_out_of_its_range_is_refused_by_its_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{field}: "):
        CcxtSettings(**{field: value})


def test_secrets_are_not_shown() -> None:
    assert "s3cret" not in repr(CcxtSettings(api_key="s3cret", secret="s3cret", password="s3cret"))  # noqa: S106 - none


def test_nothing_lacks_for_an_exchange_that_ccxt_knows() -> None:
    assert lack(CcxtSettings()) is None
    unknown = lack(CcxtSettings(exchange="mtgox"))
    assert unknown is not None
    assert unknown.remedy == "QUANTMESH_CCXT_EXCHANGE=binance"


def test_settings_and_lack_import_no_sdk() -> None:
    code = (
        "import sys; from adapters.market_data.ccxt_settings import CcxtSettings, lack; lack(CcxtSettings());"
        "sys.exit(any(name.split('.')[0] in ('ccxt', 'aiohttp') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_streamed_is_also_had_by_request() -> None:
    assert set(CAPABILITIES.bars) >= CAPABILITIES.stream_bars
