import logging
from pathlib import Path

import pytest

from adapters.market_data.conventions import us_equity
from adapters.market_data.replay_folder import BARS, QUOTES, ReplayFolder
from adapters.market_data.replay_rows import BadFile
from domain.market_data.bar import BarInterval
from tests.support.recordings import write_text


@pytest.fixture
def folder(tmp_path: Path) -> ReplayFolder:
    return ReplayFolder(tmp_path, rescan_seconds=0)


def test_files_are_sorted_by_what_they_hold(tmp_path: Path, folder: ReplayFolder) -> None:
    for name in (
        "bars/AAPL.1m.csv",
        "bars/BRK.B.1mo.parquet",
        "quotes/eur_usd.csv",
        "trades/A%5FB.parquet",
        "trades/BTC_USDT.csv",
    ):
        write_text(tmp_path / name, "")
    contents = folder.contents()
    assert {symbol: set(files) for symbol, files in contents.bars.items()} == {
        "AAPL": {BarInterval.MINUTE_1},
        "BRK.B": {BarInterval.MONTH_1},
    }
    assert set(contents.quotes) == {"EUR/USD"}
    assert [file.name for file in contents.trades.values()] == ["trades/A%5FB.parquet", "trades/BTC_USDT.csv"]
    assert contents.problems == {}


def test_what_else_lies_around_is_nobodys(tmp_path: Path, folder: ReplayFolder) -> None:
    for name in ("README.md", "bars/notes.txt", "bars/.AAPL.1m.csv", "other/AAPL.1m.csv", "quotes/AAPL.csv.part"):
        write_text(tmp_path / name, "")
    (tmp_path / "trades" / "AAPL.csv").mkdir(parents=True)
    assert folder.contents().symbols() == set()


@pytest.mark.parametrize(
    ("names", "kind", "told"),
    [
        (["bars/AAPL.csv"], BARS, r"bars/AAPL\.csv: must be named SYMBOL\.INTERVAL, the interval one of 1s, 1m"),
        (["bars/AAPL.7m.csv"], BARS, r"bars/AAPL\.7m\.csv: must be named"),
        (["quotes/AAPL.csv", "quotes/aapl.parquet"], QUOTES, "holds the same as quotes/AAPL.csv: keep one of them"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_to_who_wants_its_symbol(
    tmp_path: Path, folder: ReplayFolder, names: list[str], kind: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in names:
        write_text(tmp_path / name, "")
    with caplog.at_level(logging.WARNING):
        contents = folder.contents()
    with pytest.raises(BadFile, match=told):
        contents.check(kind, "AAPL")
    contents.check(kind, "MSFT")
    assert names[-1] in caplog.text


def test_a_name_that_is_no_symbol_is_left_out(
    tmp_path: Path, folder: ReplayFolder, caplog: pytest.LogCaptureFixture
) -> None:
    write_text(tmp_path / "quotes" / "my quotes.csv", "")
    assert folder.contents().symbols() == set()
    assert "my quotes.csv" in caplog.text


def test_files_that_come_grow_and_go_are_seen(tmp_path: Path, folder: ReplayFolder) -> None:
    assert folder.contents().symbols() == set()
    path = write_text(tmp_path / "quotes" / "AAPL.csv", "time,bid,ask\n")
    before = folder.contents().quotes["AAPL"]
    path.write_text("time,bid,ask\n1795185000,1,2\n")
    grown = folder.contents().quotes["AAPL"]
    assert grown.size > before.size
    assert grown.grew_from(before)
    path.write_text("")
    assert not folder.contents().quotes["AAPL"].grew_from(grown)
    path.unlink()
    assert folder.contents().symbols() == set()


def test_the_folder_is_not_looked_at_more_often_than_set(tmp_path: Path) -> None:
    folder = ReplayFolder(tmp_path, rescan_seconds=3600)
    assert folder.contents().symbols() == set()
    write_text(tmp_path / "quotes" / "AAPL.csv", "")
    assert folder.contents().symbols() == set()


def test_instruments_are_as_the_file_says_or_as_usual(tmp_path: Path, folder: ReplayFolder) -> None:
    write_text(tmp_path / "instruments.csv", "symbol,name\nMSFT,Microsoft Corporation\n")
    write_text(tmp_path / "quotes" / "AAPL.csv", "")
    contents = folder.contents()
    assert contents.symbols() == {"AAPL", "MSFT"}
    assert contents.instrument("AAPL") == us_equity("AAPL")
    assert contents.instrument("MSFT") == us_equity("MSFT", "Microsoft Corporation")
    assert contents.instrument("IBM") is None


def test_the_revision_follows_bars_and_instruments_and_nothing_else(tmp_path: Path, folder: ReplayFolder) -> None:
    revisions = [folder.contents().revision]
    for name, text in (
        ("quotes/AAPL.csv", ""),
        ("bars/AAPL.1m.csv", ""),
        ("bars/AAPL.1m.csv", "more"),
        ("instruments.csv", "symbol\n"),
    ):
        write_text(tmp_path / name, text)
        revisions.append(folder.contents().revision)
    assert revisions[0] == revisions[1]
    assert len(set(revisions)) == 4


def test_a_folder_that_went_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="gone: must be a folder"):
        ReplayFolder(tmp_path / "gone", rescan_seconds=0).contents()
