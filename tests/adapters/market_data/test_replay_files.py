"""The two formats of recordings, side by side: the same rows give the same answers."""

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.replay_csv import CsvFile
from adapters.market_data.replay_folder import TimedFile
from adapters.market_data.replay_parquet import ParquetFile
from adapters.market_data.replay_rows import BadFile, Replaced, trades
from domain.market_data.quote import Trade
from tests.support.recordings import Table, write, write_text

START = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
MS = timedelta(milliseconds=1)
FORMATS = pytest.mark.parametrize("suffix", [".csv", ".parquet"])


def at(count: int) -> datetime:
    return START + count * MS


def millis(count: int) -> int:
    return (at(count) - datetime(1970, 1, 1, tzinfo=UTC)) // MS


def table(times: list[int]) -> Table:
    return {
        "timestamp": [millis(time) for time in times],
        "price": [round(100 + number / 8, 3) for number in range(len(times))],
        "size": [number % 7 for number in range(len(times))],
        "id": [str(number) for number in range(len(times))],
    }


def opened(path: Path) -> TimedFile[Trade]:
    made = CsvFile if path.suffix == ".csv" else ParquetFile
    return made(path, path.name, trades("ACME"))


def all_rows(file: TimedFile[Trade], position: int = 0, piece: int = 37) -> list[tuple[datetime, Trade | None]]:
    rows, found = list[tuple[datetime, Trade | None]](), True
    while found:
        more, position = file.read(position, piece)
        rows, found = rows + more, bool(more)
    return rows


@FORMATS
def test_every_row_is_read_once_in_order_and_those_that_mean_nothing_are_none(tmp_path: Path, suffix: str) -> None:
    file = opened(write(tmp_path / f"a{suffix}", table(list(range(1000)))))
    rows = all_rows(file)
    assert [time for time, _ in rows] == [at(number) for number in range(1000)]
    assert rows[1][1] == Trade("ACME", "1", Decimal("100.125"), Decimal(1), at(1))
    assert [number for number, (_, item) in enumerate(rows) if item is None] == list(range(0, 1000, 7))


@FORMATS
@given(times=st.lists(st.integers(0, 2000), max_size=400).map(sorted), moment=st.integers(-5, 2005))
def test_the_rows_after_a_moment_are_found(
    suffix: str, times: list[int], moment: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("files") / f"a{suffix}"
    if not times and suffix == ".parquet":
        return
    file = opened(write(path, table(times), row_group=50))
    rows = all_rows(file, file.first_after(at(moment)))
    assert [time for time, _ in rows] == [at(time) for time in times if time > moment]


@FORMATS
@given(times=st.lists(st.integers(0, 500), min_size=1, max_size=300).map(sorted), moment=st.integers(-5, 505))
def test_the_newest_row_that_means_something_is_found(
    suffix: str, times: list[int], moment: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = opened(write(tmp_path_factory.mktemp("files") / f"a{suffix}", table(times), row_group=50))
    known = [item for time, item in all_rows(file) if time <= at(moment) and item is not None]
    assert file.last_until(at(moment)) == (known[-1] if known else None)


@FORMATS
def test_of_a_large_file_only_a_little_is_read_to_find_a_moment(tmp_path: Path, suffix: str) -> None:
    file = opened(write(tmp_path / f"a{suffix}", table(list(range(20_000))), row_group=1000))
    assert all_rows(file, file.first_after(at(19_990)))[0][0] == at(19_991)
    assert file.last_until(at(19_990)) == all_rows(file, file.first_after(at(19_989)))[0][1]
    assert file.read(file.first_after(at(30_000)), 10)[0] == []


@pytest.mark.parametrize(
    "times",
    [
        pytest.param(pa.array([1795185000123456789], pa.timestamp("ns", "UTC")), id="nanoseconds"),
        pytest.param(pa.array([1795185000123456], pa.timestamp("us")), id="no-zone"),
        pytest.param(pa.array([1795185000123456789], pa.int64()), id="a-count"),
        pytest.param(pa.array(["2026-11-20T14:30:00.123456Z"]), id="text"),
    ],
)
def test_parquet_has_times_of_many_types(tmp_path: Path, times: pa.Array) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"time": times, "price": [1.5], "size": [2]}), path)
    assert [time for time, _ in all_rows(opened(path))] == [START + timedelta(microseconds=123456)]


@pytest.mark.parametrize(
    "prices",
    [
        pa.array([0.1], pa.float64()),
        pa.array(np.array([0.1], np.float32)),
        pa.array([Decimal("0.10")], pa.decimal128(9, 2)),
        pa.array(["0.1"]),
    ],
    ids=lambda array: str(array.type),
)
def test_parquet_has_numbers_of_many_types(tmp_path: Path, prices: pa.Array) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"time": [millis(0)], "price": prices, "size": [2]}), path)
    ((_, trade),) = all_rows(opened(path))
    assert trade is not None
    assert trade.price == Decimal("0.1")


def test_csv_may_be_written_in_many_ways(tmp_path: Path) -> None:
    ways = {
        "comma": "time,price,size\n2026-11-20T14:30:00Z,1.5,2\n",
        "semicolon": "Time;Price;Size\n2026-11-20 14:30:00;1.5;2",
        "tab": "TIME\tPRICE\tQTY\n1795185000\t1.5\t2\n",
        "windows": '\ufefftime,"price","size"\r\n"1795185000000","1.5","2"\r\n\r\n',
        "more columns": "symbol,time,price,size,exchange\nACME,1795185000,1.5,2,X\n",
        "blank lines": "time,price,size\n\n\n1795185000,1.5,2\n\n",
    }
    for name, text in ways.items():
        file = opened(write_text(tmp_path / f"{name}.csv", text))
        assert [item for _, item in all_rows(file)] == [Trade("ACME", "", Decimal("1.5"), Decimal(2), START)], name
        assert file.last_until(START) is not None, name


def test_many_blank_lines_hide_no_row_from_the_search(tmp_path: Path) -> None:
    rows = [f"{millis(number)},1,1" for number in range(50)]
    text = "time,price,size\n" + "\n".join(row + "\n" * 400 for row in rows)
    file = opened(write_text(tmp_path / "a.csv", text))
    for moment in range(-1, 50):
        found = file.read(file.first_after(at(moment)), 1000)[0]
        assert [time for time, _ in found[:1]] == [at(number) for number in range(moment + 1, 50)][:1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("price,size\n1,2\n", "a.csv, line 1: there is no column time; there are price, size"),
        ("", "a.csv, line 1: there is no column time"),
        ("time,price,size\n1795185000,1,2\n1795185001,abc,2\n", "a.csv, line 3: price: must be a number, not 'abc'"),
        ("time,price,size\nsoon,1,2\n", "a.csv, line 2: time: must be a time .* not 'soon'"),
        ("time,price,size\n1795185000,1\n", "a.csv, line 2: must have as many cells as the header, not 2"),
        ("time,price,size\n1795185001,1,2\n1795185000,1,2\n", "a.csv, line 3: rows must be in the order of time"),
        ('time,price,size\n1795185000,"1\n2",2\n', "a.csv, after line 2: a cell must not hold a line break"),
        ("time,price,size\n\n1795185000,1,2\n\nx,1,2\n", "a.csv, line 5: time"),
    ],
)
def test_a_csv_file_that_breaks_a_rule_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = write_text(tmp_path / "a.csv", text)
    with pytest.raises(BadFile, match=told):
        all_rows(opened(path))


def test_a_csv_file_that_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"time,price,size\n1795185000,1,2\n\xff\xfe,1,2\n")
    with pytest.raises(BadFile, match=r"a\.csv, line 3: must be text in UTF-8"):
        all_rows(opened(path))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"price": [1.0], "size": [1]}, "a.parquet: there is no column time"),
        ({"time": [millis(1), millis(0)], "price": [1.0, 1.0], "size": [1, 1]}, "a.parquet, row 2: rows must be in"),
        ({"time": ["x"], "price": [1.0], "size": [1]}, "a.parquet, row 1: time: must be a time"),
        ({"time": [millis(0)], "price": ["abc"], "size": [1]}, "a.parquet, row 1: price: must be a number"),
        ({"time": [START, None], "price": [1.0, 1.0], "size": [1, 1]}, "a.parquet, after row 1: time: must be set"),
    ],
)
def test_a_parquet_file_that_breaks_a_rule_is_named_with_its_row(tmp_path: Path, made: Table, told: str) -> None:
    path = write(tmp_path / "a.parquet", made)
    with pytest.raises(BadFile, match=told):
        all_rows(opened(path))


def test_what_is_no_parquet_file_is_named(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.parquet", "time,price,size\n")
    with pytest.raises(BadFile, match=r"a\.parquet: is no Parquet file that can be read"):
        opened(path)
    whole = write(tmp_path / "b.parquet", table(list(range(1000)))).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadFile, match=r"a\.parquet"):
        all_rows(opened(path))


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = write_text(tmp_path / "a.csv", "time,price,size\n1795185000,1,2\n1795185001,18")
    os.utime(path)
    file = opened(path)
    rows, position = file.read(0, 10)
    assert [time for time, _ in rows] == [START]
    with path.open("a") as more:
        more.write("7.25,2\n")
    rows, _ = file.read(position, 10)
    assert [item.price for _, item in rows if item is not None] == [Decimal("187.25")]


def test_a_csv_file_that_was_replaced_or_cut_is_not_read_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", table([1, 2, 3]))
    file = opened(path)
    _, position = file.read(0, 3)
    write(tmp_path / "b.csv", table([1, 2, 3, 4])).replace(path)
    with pytest.raises(Replaced, match=r"a\.csv: was replaced while it was read"):
        file.read(position, 3)
    file = opened(path)
    path.write_text("timestamp,price,size\n")
    with pytest.raises(Replaced):
        file.read(position, 3)
