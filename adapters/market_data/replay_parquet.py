"""A Parquet file whose rows are in the order of time: found by row group, read in batches."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from adapters.market_data.replay_rows import BadCell, BadFile, Recording, required_time

T = TypeVar("T")

_BATCH_ROWS = 8192
_BUFFER_BYTES = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class ParquetFile(Generic[T]):
    """Positions are row numbers, from 0. Reading on from where the last reading ended costs no search."""

    def __init__(self, path: Path, name: str, recording: Recording[T]) -> None:
        self._name = name
        self._recording = recording
        try:
            # Buffers of a megabyte a column, not whole row groups: a recording may be larger than the memory.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
            names = [str(field) for field in self._file.schema_arrow.names]
            self._columns = [None if one is None else names[one] for one in recording.positions(names)]
        except pa.ArrowException as problem:
            raise BadFile(name, f"is no Parquet file that can be read ({problem})") from None
        except BadCell as problem:
            raise BadFile(name, str(problem)) from None
        groups = self._file.metadata.num_row_groups
        sizes = [int(self._file.metadata.row_group(group).num_rows) for group in range(groups)]
        self._starts = [sum(sizes[:group]) for group in range(groups + 1)]
        self._end = self._starts[-1]
        self._ahead: Iterator[tuple[int, pa.RecordBatch]] = iter(())
        self._batch: tuple[int, pa.RecordBatch] | None = None

    def place(self, position: int) -> str:
        """What people call a position."""
        return f"row {position + 1}"

    def first_after(self, at: datetime) -> int:
        """The position of the first row later than `at`; the end where there is none."""
        low, high = 0, len(self._starts) - 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._first_time(middle) <= at:
                low = middle
            else:
                high = middle
        moment = (at - _EPOCH) // _MICROSECOND
        for start, batch in self._batches(self._starts[low], times_only=True):
            times = self._times(batch, start)
            position = int(np.searchsorted(times, moment, side="right"))
            if position < len(times):
                return start + position
        return self._end

    def last_until(self, at: datetime) -> T | None:
        """The newest row at or before `at` that means something."""
        end = self.first_after(at)
        while end > 0:
            start = max(0, end - _BATCH_ROWS)
            rows, _ = self.read(start, end - start)
            while len(rows) < end - start:
                more, _ = self.read(start + len(rows), end - start - len(rows))
                rows += more
            for _, item in reversed(rows):
                if item is not None:
                    return item
            end = start
        return None

    def read(self, position: int, most: int) -> tuple[list[tuple[datetime, T | None]], int]:
        """Up to `most` rows from `position` on, None for what means nothing, and the position after them."""
        if position >= self._end:
            return [], position
        start, batch = self._batch_at(position)
        piece = batch.slice(position - start, most)
        times = self._times(piece, position)
        columns = [self._values(piece, name) for name in self._columns[1:]]
        rows = list[tuple[datetime, T | None]]()
        for number, (moment, *cells) in enumerate(zip(times.tolist(), *columns, strict=True), position):
            at = _EPOCH + moment * _MICROSECOND
            try:
                rows.append((at, self._recording.item(at, cells)))
            except BadCell as problem:
                raise BadFile(self._name, str(problem), self.place(number)) from None
        return rows, position + len(rows)

    # -- batches -------------------------------------------------------------------------------------

    def _batch_at(self, position: int) -> tuple[int, pa.RecordBatch]:
        held = self._batch
        if held is None or not held[0] <= position <= held[0] + held[1].num_rows:
            self._ahead, held = self._batches(position), None
        while held is None or position >= held[0] + held[1].num_rows:
            held = next(self._ahead, None)
            if held is None:
                raise BadFile(self._name, "ends before the rows that it says to have", self.place(position))
        self._batch = held
        return held

    def _batches(self, position: int, times_only: bool = False) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The batches from the row group on that holds `position`, each with its first row's number."""
        group = int(np.searchsorted(self._starts, position, side="right")) - 1
        names = [name for name in self._columns[: 1 if times_only else None] if name is not None]
        start = self._starts[group]
        groups = list(range(group, len(self._starts) - 1))
        if not groups:
            return
        try:
            for batch in self._file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=names, use_threads=False):
                yield start, batch
                start += batch.num_rows
        except (pa.ArrowException, OSError) as problem:
            raise BadFile(self._name, f"cannot be read ({problem})", self.place(start)) from None

    def _first_time(self, group: int) -> datetime:
        start = self._starts[group]
        for _, batch in self._batches(start, times_only=True):
            return _EPOCH + int(self._times(batch.slice(0, 1), start)[0]) * _MICROSECOND
        raise BadFile(self._name, "ends before the rows that it says to have", self.place(start))

    # -- columns -------------------------------------------------------------------------------------

    def _times(self, batch: pa.RecordBatch, start: int) -> NDArray[np.int64]:
        """Microseconds since 1970, checked to be in order."""
        column = batch.column(self._columns[0])
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            if column.null_count:
                raise BadFile(self._name, "time: must be set in every row", f"after {self.place(start)}")
            micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
            times = np.asarray(micros.to_numpy(zero_copy_only=False), np.int64)
        else:
            times = np.array([self._moment(value, start + at) for at, value in enumerate(column.to_pylist())], np.int64)
        falls = np.flatnonzero(times[1:] < times[:-1])
        if falls.size:
            raise BadFile(self._name, "rows must be in the order of time", self.place(start + int(falls[0]) + 1))
        return times

    def _moment(self, value: object, number: int) -> int:
        try:
            return (required_time(value) - _EPOCH) // _MICROSECOND
        except BadCell as problem:
            raise BadFile(self._name, str(problem), self.place(number)) from None

    def _values(self, batch: pa.RecordBatch, name: str | None) -> Sequence[object]:
        if name is None:
            return [None] * batch.num_rows
        column = batch.column(name)
        if pa.types.is_floating(column.type) and not pa.types.is_float64(column.type):
            # Their shortest form is that of their own width: as a double, 0.1 would become 0.10000000149011612.
            return [None if value is None else np.float32(value) for value in column.to_pylist()]
        values: Sequence[object] = column.to_pylist()
        return values
