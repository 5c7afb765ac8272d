"""Folders of recordings, written as people and tools write them."""

import csv
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Table = Mapping[str, Sequence[object]]
"""Columns by name, all of one length."""


def write(path: Path, table: Table, *, row_group: int = 100, delimiter: str = ",") -> Path:
    """In the format that the file's name ends in, as if written some time ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.table(dict(table)), path, row_group_size=row_group)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(table)
            writer.writerows(zip(*table.values(), strict=True))
    return settle(path)


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return settle(path)


def settle(path: Path) -> Path:
    """Makes it look as if nobody were writing to it any more."""
    ago = time.time() - 60
    os.utime(path, (ago, ago))
    return path
