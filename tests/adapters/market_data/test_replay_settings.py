import sys
from pathlib import Path

import pytest

from adapters.market_data.replay_settings import CAPABILITIES, ReplaySettings, lack
from application.ports.market_data import DataKind
from domain.market_data.bar import BarInterval
from tests.support.recordings import write_text


def test_without_a_folder_the_line_to_set_is_told() -> None:
    found = lack(ReplaySettings())
    assert found is not None
    assert (found.reason, found.remedy) == ("no folder is set", "QUANTMESH_REPLAY_FOLDER=...")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = lack(ReplaySettings(str(tmp_path / "none")))
    assert found is not None
    assert found.reason.endswith("none")
    assert found.remedy == "QUANTMESH_REPLAY_FOLDER=..."


def test_parquet_files_need_a_package_that_csv_files_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.market_data.replay_settings.find_spec", lambda name: None)
    write_text(tmp_path / "bars" / "AAPL.1m.csv", "")
    assert lack(ReplaySettings(str(tmp_path))) is None
    write_text(tmp_path / "quotes" / "AAPL.parquet", "")
    found = lack(ReplaySettings(str(tmp_path)))
    assert found is not None
    assert found.remedy == "pip install -e '.[parquet]'"


def test_with_the_package_nothing_is_lacking(tmp_path: Path) -> None:
    write_text(tmp_path / "quotes" / "AAPL.parquet", "")
    assert lack(ReplaySettings(str(tmp_path))) is None


@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_the_time_between_two_looks_has_limits(seconds: float) -> None:
    with pytest.raises(ValueError, match="rescan_seconds: must be above 0"):
        ReplaySettings(rescan_seconds=seconds)


def test_what_it_can_do_is_told_and_how_files_are_named_too() -> None:
    assert CAPABILITIES.requests == {DataKind.QUOTES, DataKind.BARS}
    assert CAPABILITIES.streams == {DataKind.QUOTES, DataKind.TRADES, DataKind.BARS}
    assert set(CAPABILITIES.bars) == CAPABILITIES.stream_bars == set(BarInterval)
    assert CAPABILITIES.local
    assert any("AAPL.1m.csv" in note for note in CAPABILITIES.notes)


def test_looking_at_the_settings_imports_nothing_of_the_package() -> None:
    module = sys.modules["adapters.market_data.replay_settings"]
    assert not any(name.startswith("pa") and name.endswith("arrow") for name in vars(module))
