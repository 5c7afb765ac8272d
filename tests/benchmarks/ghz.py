"""Load by ghz, a compiled generator: a Python client would be busy before the server is.

ghz sends the messages of a file, call number i the i-th one, and repeats them only when there are more calls than
messages. It gets one core to itself at most (--cpus 1): with more, its garbage collector competes with the server
for a small machine's cores.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.contract import SERVICE, write_descriptors
from tests.benchmarks.processes import BenchmarkFailed, PartMissing, ServerProcess
from tests.support.parts import BUILT_TOOLS

_NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load: `latencies` in seconds, sorted; `cpu_seconds` are the server's."""

    calls: int
    seconds: float
    cpu_seconds: float
    latencies: list[float]

    @property
    def calls_a_second(self) -> float:
        return self.calls / self.seconds

    @property
    def cpu_us_a_call(self) -> float:
        return self.cpu_seconds / self.calls * 1e6

    def percentile(self, percent: float) -> float:
        """In milliseconds."""
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))] * 1e3


def find_ghz() -> Path | None:
    found = shutil.which("ghz", path=str(BUILT_TOOLS)) or shutil.which("ghz")
    return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class Ghz:
    """`program` is None where there is none."""

    program: Path | None
    folder: Path

    def load(
        self, server: ServerProcess, method: str, messages: Path, calls: int, callers: int, connections: int
    ) -> Load:
        """Make `calls` calls from so many callers at once; raises BenchmarkFailed unless each is OK."""
        if self.program is None:
            raise PartMissing("ghz: `make tools` builds it")
        descriptors, output = self.folder / "descriptors.bin", self.folder / "ghz.json"
        if not descriptors.exists():
            write_descriptors(descriptors)
        command = [
            *(str(self.program), "--insecure", "--protoset", str(descriptors), "--call", f"{SERVICE}/{method}"),
            *("--binary-file", str(messages), "--total", str(calls), "--concurrency", str(callers)),
            *("--connections", str(connections), "--cpus", "1", "--timeout", "60s"),
            *("--format", "json", "--output", str(output), server.address),
        ]
        before = server.cpu_seconds()
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        spent = server.cpu_seconds() - before
        if ran.returncode:
            raise BenchmarkFailed(f"ghz failed: {ran.stdout}{ran.stderr}")
        report = json.loads(output.read_text())
        if report["statusCodeDistribution"] != {"OK": calls}:
            raise BenchmarkFailed(f"{method} failed: {report['statusCodeDistribution']} {report['errorDistribution']}")
        latencies = sorted(call["latency"] / _NANOSECONDS for call in report["details"])
        return Load(calls, report["total"] / _NANOSECONDS, spent, latencies)
