"""Settings: their three sources, and one clear line for what cannot be used."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapters.brokers.paper_settings import PaperSettings
from adapters.market_data.ccxt_settings import CcxtSettings
from application.trading.request_watch import WatchSettings
from server.settings import Settings, SettingsError, group, load_settings, unknown_variables


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("QUANTMESH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_the_defaults_serve_everything_on_loopback() -> None:
    settings = load_settings()
    assert settings.address == ("127.0.0.1", 50051)
    assert settings.services == ("trading", "marketdata", "strategy")
    assert (settings.database, settings.reflection, settings.clock_speed) == ("", None, 1.0)


def test_the_default_folder_follows_the_xdg_convention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert load_settings().data_dir == Path("/state/quantmesh")
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert load_settings().data_dir == Path("/home/ann/.local/state/quantmesh")


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "my.toml"
    file.write_text('listen = "[::1]:1"\ndatabase = "memory:"\nservices = ["trading"]\nlog_level = "error"\n')
    monkeypatch.setenv("QUANTMESH_DATABASE", "postgresql://db")
    monkeypatch.setenv("QUANTMESH_SERVICES", "trading, marketdata")
    settings = load_settings(file, services="strategy", listen=None)
    assert settings.address == ("::1", 1)
    assert settings.database == "postgresql://db"
    assert settings.services == ("strategy",)
    assert settings.log_level == "error"
    assert load_settings(file).services == ("trading", "marketdata")


def test_the_file_of_the_working_folder_is_read_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "quantmesh.toml").write_text('listen = "127.0.0.1:9"\n')
    assert load_settings().address == ("127.0.0.1", 9)


def test_a_group_is_set_name_by_name_from_both_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "quantmesh.toml").write_text('[paper]\nseed = 3\nslippage = "0.001"\n[watch]\nask_interval = 2\n')
    monkeypatch.setenv("QUANTMESH_PAPER_LATENCY_SECONDS", "0.5")
    monkeypatch.setenv("QUANTMESH_PAPER_SEED", "4")
    settings = load_settings()
    paper = group("paper", PaperSettings, settings.paper)
    assert (paper.seed, paper.slippage, paper.latency_seconds) == (4, Decimal("0.001"), 0.5)
    assert group("watch", WatchSettings, settings.watch) == WatchSettings(ask_interval=2.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"listen": "nowhere"}, "listen: must be HOST:PORT"),
        ({"listen": ":50051"}, "listen: must be HOST:PORT"),
        ({"listen": "127.0.0.1:70000"}, "listen: must be HOST:PORT"),
        ({"services": "trading,nonsense"}, "services"),
        ({"services": ""}, "services"),
        ({"clock_speed": 0}, "clock_speed"),
        ({"log_level": "loud"}, "log_level"),
    ],
    ids=str,
)
def test_what_cannot_be_used_is_named_in_one_line(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says) as refused:
        load_settings(**given)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('lisen = "x"', "lisen"),
        ("listen = ", "is no TOML"),
        ("listen = 5", "listen"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=says):
        load_settings(file)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml: cannot be read"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"sed": 1}, r"paper\.sed: no such setting; there are delay_rate, "),
        ({"seed": "many"}, r"paper\.seed: "),
        ({"lose_rate": 2}, r"paper\.lose_rate: must lie in 0\.\.1"),
    ],
)
def test_a_group_names_the_value_that_it_refuses(values: dict[str, object], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        group("paper", PaperSettings, values)


def test_a_variable_that_is_no_setting_is_found_by_its_name() -> None:
    good = {"QUANTMESH_LISTEN": "", "QUANTMESH_DATA_DIR": "", "QUANTMESH_PAPER_SEED": "7", "HOME": "/"}
    assert unknown_variables(good) == []
    slips = {"QUANTMESH_LISTN": "", "QUANTMESH_": "", "QUANTMESH_PAPERSEED": "7"}
    assert unknown_variables(good | slips) == sorted(slips)


def test_each_setting_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_a_table_within_a_group_is_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTMESH_CCXT_MIRRORS", '{"https://far.example": "https://near.example"}')
    ccxt = group("ccxt", CcxtSettings, load_settings().ccxt)
    assert ccxt.mirrors == {"https://far.example": "https://near.example"}


def test_a_table_that_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(SettingsError, match=r"^ccxt\.mirrors: "):
        group("ccxt", CcxtSettings, {"mirrors": "far=near"})
