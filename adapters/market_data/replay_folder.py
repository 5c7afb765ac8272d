"""What is in the folder of recordings, looked at again now and then: files may come, grow and go."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Generic, Protocol, TypeVar
from urllib.parse import unquote

from adapters.market_data.conventions import usual_instrument
from adapters.market_data.replay_csv import CsvFile
from adapters.market_data.replay_instruments import FILE_NAME, is_symbol, read_instruments
from adapters.market_data.replay_rows import BadFile, Recording
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import Instrument

T = TypeVar("T")

BARS, QUOTES, TRADES = "bars", "quotes", "trades"
_FORMATS = (".csv", ".parquet")
_INTERVALS = {interval.value: interval for interval in BarInterval}

_log = logging.getLogger(__name__)


class TimedFile(Protocol[T]):
    """Rows in the order of time. A position means something to the file alone."""

    def first_after(self, at: datetime) -> int:
        """The position of the first row later than `at`; the end where there is none."""
        ...

    def last_until(self, at: datetime) -> T | None:
        """The newest row at or before `at` that means something."""
        ...

    def read(self, position: int, most: int) -> tuple[list[tuple[datetime, T | None]], int]:
        """Up to `most` rows from `position` on, None for what means nothing, and the position after them."""
        ...

    def place(self, position: int) -> str:
        """What people call a position."""
        ...


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """`name` is that in the folder; `inode`, `size` and `changed` tell what it is from what it was."""

    path: Path
    name: str
    inode: int
    size: int
    changed: int

    def open(self, recording: Recording[T]) -> TimedFile[T]:
        """Raises BadFile and OSError."""
        if self.path.suffix == ".csv":
            return CsvFile(self.path, self.name, recording)
        # Imported only where there is such a file: pyarrow is an extra.
        from adapters.market_data.replay_parquet import ParquetFile

        return ParquetFile(self.path, self.name, recording)

    def grew_from(self, before: "RecordedFile") -> bool:
        """Whether positions in what it was are still good: rows were added to a CSV file, or nothing changed."""
        grown = self.path.suffix == ".csv" and self.size >= before.size
        return self.inode == before.inode and (grown or self.changed == before.changed)


class Reading(Generic[T]):
    """Goes through the rows of a file that are later than `after`, and on when rows are added."""

    def __init__(self, file: RecordedFile, recording: Recording[T], after: datetime) -> None:
        self._name = file.name
        self._rows = file.open(recording)
        self._position = self._rows.first_after(after)
        self.last = after

    def next(self, most: int) -> list[tuple[datetime, T | None]]:
        """Up to `most` rows, None for what means nothing; none at the end. Raises BadFile and OSError."""
        while True:
            begins = self._position
            rows, self._position = self._rows.read(begins, most)
            if rows and rows[0][0] < self.last:
                raise BadFile(self._name, "rows must be in the order of time", self._rows.place(begins))
            if rows or self._position == begins:
                self.last = rows[-1][0] if rows else self.last
                return rows


@dataclass(slots=True)
class Contents:
    """The files by symbol, those of bars by interval too; `problems` are files of a symbol that cannot be used."""

    bars: dict[str, dict[BarInterval, RecordedFile]] = field(default_factory=dict)
    quotes: dict[str, RecordedFile] = field(default_factory=dict)
    trades: dict[str, RecordedFile] = field(default_factory=dict)
    problems: dict[tuple[str, str], BadFile] = field(default_factory=dict)
    instruments: Mapping[str, Instrument] = field(default_factory=dict)
    revision: str = ""

    def add(self, kind: str, file: RecordedFile) -> None:
        stem = file.path.name.removesuffix(file.path.suffix)
        plain, _, interval = stem.rpartition(".") if kind == BARS else (stem, "", "")
        symbol = unquote((plain or stem).replace("_", "/")).upper()
        if not is_symbol(symbol):
            _log.warning("replay: %s: the name is no symbol, the file is left out", file.name)
        elif kind == BARS and (not plain or interval not in _INTERVALS):
            known = ", ".join(_INTERVALS)
            self._problem(
                kind, symbol, BadFile(file.name, f"must be named SYMBOL.INTERVAL, the interval one of {known}")
            )
        else:
            files = {QUOTES: self.quotes, TRADES: self.trades}.get(kind)
            before = files.setdefault(symbol, file) if files is not None else self._bars(symbol, interval, file)
            if before is not file:
                self._problem(kind, symbol, BadFile(file.name, f"holds the same as {before.name}: keep one of them"))

    def check(self, kind: str, symbol: str) -> None:
        """Raises BadFile for a file of the symbol that cannot be used."""
        problem = self.problems.get((kind, symbol))
        if problem is not None:
            raise problem

    def _bars(self, symbol: str, interval: str, file: RecordedFile) -> RecordedFile:
        return self.bars.setdefault(symbol, {}).setdefault(_INTERVALS[interval], file)

    def _problem(self, kind: str, symbol: str, problem: BadFile) -> None:
        self.problems.setdefault((kind, symbol), problem)
        _log.warning("replay: %s", problem)

    def symbols(self) -> set[str]:
        named = {symbol for _, symbol in self.problems}
        return {*self.bars, *self.quotes, *self.trades, *self.instruments, *named}

    def instrument(self, symbol: str) -> Instrument | None:
        """As instruments.csv says, or as is usual for a symbol of its form."""
        if symbol not in self.symbols():
            return None
        return self.instruments.get(symbol) or usual_instrument(symbol)


class ReplayFolder:
    """Methods may be called on any thread, and read the folder at most every `rescan_seconds`."""

    def __init__(self, folder: Path, rescan_seconds: float) -> None:
        self._folder = folder
        self._rescan_seconds = rescan_seconds
        self._lock = threading.Lock()
        self._looked = -rescan_seconds
        self._stamps: object = None
        self._contents = Contents()

    def contents(self) -> Contents:
        """Raises BadFile for an instruments.csv that cannot be used, and OSError."""
        with self._lock:
            # The machine's time, not the market's: files change by people's time, however fast the market runs.
            if time.monotonic() - self._looked >= self._rescan_seconds:
                found = list(self._files())
                if found != self._stamps:
                    self._contents = self._sorted_out(found)
                    self._stamps = found
                self._looked = time.monotonic()
            return self._contents

    def _files(self) -> Iterator[tuple[str, RecordedFile]]:
        if not self._folder.is_dir():
            raise BadFile(self._folder.name, "must be a folder")
        for kind, folder in (("", self._folder), *((kind, self._folder / kind) for kind in (BARS, QUOTES, TRADES))):
            if not folder.is_dir():
                continue
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda one: one.name):
                    wanted = entry.name == FILE_NAME if not kind else entry.name.endswith(_FORMATS)
                    if wanted and not entry.name.startswith(".") and entry.is_file():
                        stat = entry.stat()
                        name = f"{kind}/{entry.name}" if kind else entry.name
                        file = RecordedFile(Path(entry.path), name, stat.st_ino, stat.st_size, stat.st_mtime_ns)
                        yield kind, file

    def _sorted_out(self, found: list[tuple[str, RecordedFile]]) -> Contents:
        contents, digest = Contents(), hashlib.sha256()
        for kind, file in found:
            if kind in ("", BARS):
                digest.update(f"{file.name} {file.size} {file.changed}\n".encode())
            if kind:
                contents.add(kind, file)
            else:
                contents.instruments = read_instruments(file.path)
        contents.revision = digest.hexdigest()[:16]
        return contents
