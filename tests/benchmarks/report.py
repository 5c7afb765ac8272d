"""What is reported: ratios to a yardstick, as a table and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

ECHO = "echo"
_PASSED = {True: "[green]pass[/green]", False: "[red]miss[/red]", None: ""}


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one benchmark: what each round gave for the yardstick and for quantmesh, side by side."""

    benchmark: str
    measure: str
    unit: str
    yardstick: Sequence[float]
    ours: Sequence[float]
    against: str = ECHO
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float:
        """The median over the rounds of ours to the yardstick's in the same round.

        So a machine that is slow for a while, as others use it, is slow for both.
        """
        return median(ours / base for ours, base in zip(self.ours, self.yardstick, strict=True))

    @property
    def passed(self) -> bool | None:
        """None when there is no target."""
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ratio <= self.at_most

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"


def table(rows: Sequence[Row]) -> Table:
    drawn = Table(title="quantmesh against a bare grpc.aio echo, medians", title_justify="left")
    for heading in ("benchmark", "measure", "against"):
        drawn.add_column(heading)
    for heading in ("yardstick", "quantmesh", "unit", "ratio", "target", ""):
        drawn.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    before = ""
    for row in rows:
        if row.benchmark != before and before:
            drawn.add_section()
        name, before = "" if row.benchmark == before else row.benchmark, row.benchmark
        figures = (_short(median(row.yardstick)), _short(median(row.ours)), row.unit, f"{row.ratio:.2f}", row.target)
        drawn.add_row(name, row.measure, row.against, *figures, _PASSED[row.passed])
    return drawn


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def write(rows: Sequence[Row], skipped: Sequence[str], failed: Sequence[str], path: Path) -> None:
    """Every round of every row, so that a reader can see how they scatter."""
    report = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": _processor(), "cores": os.cpu_count(), "load": os.getloadavg()},
        "python": platform.python_version(),
        "rows": [_as_json(row) for row in rows],
        "skipped": list(skipped),
        "failed": list(failed),
    }
    path.write_text(json.dumps(report, indent=2) + "\n")


def _as_json(row: Row) -> dict[str, Any]:
    return asdict(row) | {"ratio": row.ratio, "target": row.target, "passed": row.passed}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def show(rows: Sequence[Row], skipped: Sequence[str], failed: Sequence[str], console: Console) -> None:
    console.print(table(rows))
    for line in skipped:
        console.print(f"skipped: {line}", style="yellow", markup=False)
    for line in failed:
        console.print(f"failed: {line}", style="red", markup=False)
