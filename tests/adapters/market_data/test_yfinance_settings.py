"""What can be set of the Yahoo provider, and what it says of itself."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.market_data.yfinance_settings import CAPABILITIES, YFinanceSettings, lack
from application.ports.market_data import DataKind
from domain.market_data.bar import BarInterval, PriceAdjustment

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"request_timeout_seconds": -1}, "request_timeout_seconds"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"pause_seconds": -1}, "pause_seconds"),
        ({"settle_seconds": 1e9}, "settle_seconds"),
        ({"proxy": "localhost:3128"}, "proxy"),
        ({"ca_file": "no/such/file.pem"}, "ca_file"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        YFinanceSettings(**settings)


def test_nothing_is_lacking_where_the_packages_are() -> None:
    assert lack(YFinanceSettings()) is None


def test_settings_and_capabilities_are_known_without_the_sdk() -> None:
    code = "import sys; import adapters.market_data.yfinance_settings; print('yfinance' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_a_missing_package_is_named_with_the_line_that_installs_it() -> None:
    code = (
        "import sys; sys.modules['yfinance'] = None\n"
        "import importlib.util as util; found = util.find_spec\n"
        "util.find_spec = lambda name: None if name == 'yfinance' else found(name)\n"
        "from adapters.market_data.yfinance_settings import *\n"
        "print(lack(YFinanceSettings()))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "yfinance is not installed" in said
    assert "pip install -e '.[yfinance]'" in said


def test_only_bars_are_promised_and_none_are_pushed() -> None:
    assert CAPABILITIES.requests == CAPABILITIES.streams == {DataKind.BARS}
    assert not CAPABILITIES.stream_bars
    assert not CAPABILITIES.search


def test_history_is_promised_as_far_as_yahoo_has_it() -> None:
    assert CAPABILITIES.bars[BarInterval.MINUTE_1] == timedelta(days=29)
    assert CAPABILITIES.bars[BarInterval.HOUR_4] == timedelta(days=729)
    assert CAPABILITIES.bars[BarInterval.MONTH_1] is None
    assert BarInterval.SECOND_1 not in CAPABILITIES.bars
    assert set(CAPABILITIES.adjustments) == set(PriceAdjustment)
