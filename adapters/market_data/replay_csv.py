"""A CSV file whose rows are in the order of time: found by binary search, read in pieces."""

import csv
import os
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from adapters.market_data.replay_rows import BadCell, BadFile, Cells, Recording, Replaced, required_time

T = TypeVar("T")

_NEAR_BYTES = 8192
_LONGEST_LINE = 1 << 20
_SETTLED_SECONDS = 2.0
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_DELIMITERS = ",;\t|"
_COUNTED_BYTES = 1 << 20


class CsvFile(Generic[T]):
    """Positions are byte offsets of lines. Every method opens the file anew, so nothing is held between two; it raises
    Replaced when that is another file, or a shorter one, by then.
    """

    def __init__(self, path: Path, name: str, recording: Recording[T]) -> None:
        self._path = path
        self._name = name
        self._recording = recording
        with path.open("rb") as file:
            self._inode = os.fstat(file.fileno()).st_ino
            header = file.readline(_LONGEST_LINE)
            self._first = file.tell()
        text = self._decoded(header.removeprefix(_BYTE_ORDER_MARK), 0)
        self._delimiter = max(_DELIMITERS, key=text.count)
        names = next(csv.reader([text], delimiter=self._delimiter), [])
        try:
            positions = recording.positions(names)
        except BadCell as problem:
            raise BadFile(name, str(problem), "line 1") from None
        self._time, *self._columns = positions
        self._width = max(position for position in positions if position is not None) + 1

    def first_after(self, at: datetime) -> int:
        """The position of the first row later than `at`; the end where there is none."""
        with self._opened() as file:
            return self._bounds(file, at)[1]

    def last_until(self, at: datetime) -> T | None:
        """The newest row at or before `at` that means something."""
        with self._opened() as file:
            end = self._bounds(file, at)[1]
            while end > self._first:
                start = self._line_start(file, max(self._first, end - _NEAR_BYTES), end)
                file.seek(start)
                lines = file.read(end - start).splitlines(keepends=True)
                for _, item in reversed(self._parsed(lines, start)):
                    if item is not None:
                        return item
                end = start
        return None

    def read(self, position: int, most: int) -> tuple[list[tuple[datetime, T | None]], int]:
        """Up to `most` rows from `position` on, None for what means nothing, and the position after them."""
        position = max(position, self._first)
        with self._opened(position) as file:
            file.seek(position)
            lines = list[bytes]()
            while len(lines) < most and (line := self._line(file)):
                lines.append(line)
        return self._parsed(lines, position), position + sum(map(len, lines))

    def _opened(self, position: int = 0) -> BinaryIO:
        file = self._path.open("rb")
        found = os.fstat(file.fileno())
        if found.st_ino != self._inode or found.st_size < position:
            file.close()
            raise Replaced(self._name)
        return file

    # -- lines ---------------------------------------------------------------------------------------

    def _line(self, file: BinaryIO) -> bytes:
        """The next line, nothing at the end and for one that seems to be written just now."""
        line = file.readline(_LONGEST_LINE)
        if line.endswith(b"\n") or not line:
            return line
        if len(line) >= _LONGEST_LINE:
            raise BadFile(self._name, f"must not be longer than {_LONGEST_LINE} bytes", self.place(file.tell() - 1))
        settled = time.time() - os.fstat(file.fileno()).st_mtime >= _SETTLED_SECONDS
        return line if settled else b""

    def _bounds(self, file: BinaryIO, at: datetime) -> tuple[int, int]:
        """Line starts: no row before the first is later than `at`, and the first later row begins at the second."""
        low, high = self._first, os.fstat(file.fileno()).st_size
        while high - low > _NEAR_BYTES:
            middle = (low + high) // 2
            start, line = self._row_from(file, middle, high)
            if line and self._time_in(line, start) <= at:
                low = start
            else:
                high = middle
        return low, self._scanned(file, low, at)

    def _row_from(self, file: BinaryIO, position: int, end: int) -> tuple[int, bytes]:
        """The first line with anything in it that begins at or after `position` and before `end`."""
        start = self._line_start(file, position, end)
        file.seek(start)
        while start < end and (line := self._line(file)):
            if line.strip():
                return start, line
            start += len(line)
        return end, b""

    def _scanned(self, file: BinaryIO, low: int, at: datetime) -> int:
        file.seek(low)
        while True:
            start = file.tell()
            line = self._line(file)
            if not line or (line.strip() and self._time_in(line, start) > at):
                return start

    def _line_start(self, file: BinaryIO, position: int, end: int) -> int:
        """The first line start at or after `position`."""
        if position <= self._first:
            return self._first
        file.seek(position - 1)
        file.readline(_LONGEST_LINE)
        return min(file.tell(), end)

    def _time_in(self, line: bytes, start: int) -> datetime:
        return self._checked(self._cells([line], start)[0], start)[0]

    # -- rows ----------------------------------------------------------------------------------------

    def _parsed(self, lines: Sequence[bytes], start: int) -> list[tuple[datetime, T | None]]:
        rows = list[tuple[datetime, T | None]]()
        position, before = start, None
        for line, cells in zip(lines, self._cells(lines, start), strict=True):
            if cells:
                at, values = self._checked(cells, position)
                if before is not None and at < before:
                    raise BadFile(self._name, "rows must be in the order of time", self.place(position))
                before = at
                rows.append((at, self._item(at, values, position)))
            position += len(line)
        return rows

    def _cells(self, lines: Sequence[bytes], start: int) -> list[list[str]]:
        text, position = list[str](), start
        for line in lines:
            text.append(self._decoded(line, position))
            position += len(line)
        try:
            rows = list(csv.reader(text, delimiter=self._delimiter))
        except csv.Error as problem:
            raise BadFile(self._name, str(problem), self.place(start)) from None
        if len(rows) != len(lines):
            raise BadFile(self._name, "a cell must not hold a line break", f"after {self.place(start)}")
        return rows

    def _checked(self, cells: list[str], position: int) -> tuple[datetime, Cells]:
        if len(cells) < self._width:
            rule = f"must have as many cells as the header, not {len(cells)}"
            raise BadFile(self._name, rule, self.place(position))
        try:
            at = required_time(cells[self._time or 0])
        except BadCell as problem:
            raise BadFile(self._name, str(problem), self.place(position)) from None
        return at, [None if column is None else cells[column] for column in self._columns]

    def _item(self, at: datetime, cells: Cells, position: int) -> T | None:
        try:
            return self._recording.item(at, cells)
        except BadCell as problem:
            raise BadFile(self._name, str(problem), self.place(position)) from None

    def _decoded(self, line: bytes, position: int) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise BadFile(self._name, "must be text in UTF-8", self.place(position)) from None

    def place(self, position: int) -> str:
        """What people call a position; counted only when something is wrong there."""
        number, left = 1, position
        with self._path.open("rb") as file:
            while left > 0 and (piece := file.read(min(left, _COUNTED_BYTES))):
                number += piece.count(b"\n")
                left -= len(piece)
        return f"line {number}"
