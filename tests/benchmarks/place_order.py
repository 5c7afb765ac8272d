"""PlaceOrder: durable, checked, journaled, every id unique; under load and alone.

The load comes through eight connections from 64 callers, which is as many as one commit takes in. Neither the
servers nor the generator are bound to cores: see the note in run.py.
"""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import placements, write_messages
from tests.benchmarks.ghz import Load
from tests.benchmarks.postgres import postgres
from tests.benchmarks.processes import create_accounts
from tests.benchmarks.report import Row

_CALLS = 8_000
_CALLERS = 64
_CONNECTIONS = 8
_CALLS_ALONE = 1_000
_FSYNCS = 200
_BLOCK = bytes(4096)


def on_sqlite(bench: Bench) -> Iterator[Row]:
    for accounts in (1, 16):
        with bench.pair() as pair:
            yield from _under_load(bench, pair, "SQLite", accounts, at_least=0.5)


def on_postgresql(bench: Bench) -> Iterator[Row]:
    for accounts in (1, 16):
        with postgres() as url, bench.pair(database=url) as pair:
            yield from _under_load(bench, pair, "PostgreSQL", accounts, at_least=0.4)


def _under_load(bench: Bench, pair: Pair, store: str, number: int, at_least: float) -> Iterator[Row]:
    name = f"PlaceOrder, {store}, {number} account{'s' * (number > 1)}"
    loads = _Loads(bench, pair, number, bench.sized(_CALLS), _CALLERS, _CONNECTIONS)
    echoes, ours = bench.take_turns(name, loads.on_echo, loads.on_ours)
    yield Row(name, "rate", "calls/s", _rates(echoes), _rates(ours), at_least=at_least)
    yield Row(name, "server's CPU", "us/call", _cpu(echoes), _cpu(ours), at_most=2)
    yield Row(name, "p50", "ms", _percentiles(echoes, 50), _percentiles(ours, 50))
    yield Row(name, "p99", "ms", _percentiles(echoes, 99), _percentiles(ours, 99))


def alone(bench: Bench) -> Iterator[Row]:
    """One caller, one call at a time."""
    name = "PlaceOrder, SQLite, one caller"
    with bench.pair() as pair:
        loads = _Loads(bench, pair, 1, bench.sized(_CALLS_ALONE), 1, 1)
        turns, ours = bench.take_turns(name, lambda: (loads.on_echo(), _fsync_ms(pair.folder)), loads.on_ours)
    echo, own = _percentiles([load for load, _ in turns], 50), _percentiles(ours, 50)
    fsyncs = [fsync for _, fsync in turns]
    allowed = [2 * base + fsync for base, fsync in zip(echo, fsyncs, strict=True)]
    yield Row(name, "p50", "ms", allowed, own, against="2 x echo + fsync", at_most=1)
    yield Row(name, "p50", "ms", echo, own)
    yield Row(name, "p50", "ms", fsyncs, own, against="one fsync")
    yield Row(name, "p99", "ms", _percentiles([load for load, _ in turns], 99), _percentiles(ours, 99))


class _Loads:
    """The same messages for the echo and then for us, others in each turn."""

    def __init__(self, bench: Bench, pair: Pair, accounts: int, calls: int, callers: int, connections: int) -> None:
        self._accounts = create_accounts(pair.channel, accounts)
        self._bench, self._pair = bench, pair
        self._messages = pair.folder / "messages.bin"
        self._shape = calls, callers, connections

    def on_echo(self) -> Load:
        write_messages(self._messages, placements(self._accounts, self._shape[0]))
        return self._bench.ghz.load(self._pair.echo, "PlaceOrder", self._messages, *self._shape)

    def on_ours(self) -> Load:
        return self._bench.ghz.load(self._pair.ours, "PlaceOrder", self._messages, *self._shape)


def _rates(loads: Sequence[Load]) -> list[float]:
    return [load.calls_a_second for load in loads]


def _cpu(loads: Sequence[Load]) -> list[float]:
    return [load.cpu_us_a_call for load in loads]


def _percentiles(loads: Sequence[Load], percent: float) -> list[float]:
    return [load.percentile(percent) for load in loads]


def _fsync_ms(folder: Path) -> float:
    """The median of writing 4 KiB to the end of a file and waiting until the disk has them."""
    path, times = folder / "fsync", list[float]()
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            began = time.perf_counter()
            file.write(_BLOCK)
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return median(times) * 1e3
