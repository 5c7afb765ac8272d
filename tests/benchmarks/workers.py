"""Client processes written in Python, for what the load generator can't do. Spawned: gRPC does not survive a fork.

A worker says one line when it is ready, is told one line when to begin, or that it is enough, and says one line
of JSON at its end.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.benchmarks.processes import ROOT, BenchmarkFailed

_END_SECONDS = 60.0


class Worker:
    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise BenchmarkFailed(f"a client process ended with {self._process.wait()} before it was ready")

    def tell(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self) -> Any:
        said, _ = self._process.communicate(timeout=_END_SECONDS)
        if self._process.returncode:
            raise BenchmarkFailed(f"a client process ended with {self._process.returncode}")
        return json.loads(said)

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@contextmanager
def workers(module: str, arguments: Sequence[Sequence[str]]) -> Iterator[list[Worker]]:
    """One for each of the argument lists, all of them ready."""
    started = [Worker(module, *each) for each in arguments]
    try:
        for worker in started:
            worker.wait_until_ready()
        yield started
    finally:
        for worker in started:
            worker.end()


def told() -> None:
    """In a worker: ready, and waiting for the word."""
    print("ready", flush=True)
    sys.stdin.readline()
