"""PlaceOrder: durable, checked, journaled, every id unique; under load and alone."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.placements import MANY_CALLERS, ONE_CALLER, PlaceOrderLoads, cpu, percentiles, rates
from tests.benchmarks.postgres import postgres
from tests.benchmarks.report import Row

_ACCOUNTS = (1, 16)
_FSYNCS = 200
_BLOCK = bytes(4096)


def on_sqlite(bench: Bench) -> Iterator[Row]:
    for accounts in _ACCOUNTS:
        with bench.pair() as pair:
            yield from _under_load(bench, pair, "SQLite", accounts, at_least=0.5, at_most=2)


def on_postgresql(bench: Bench) -> Iterator[Row]:
    for accounts in _ACCOUNTS:
        with postgres() as url, bench.pair(database=url) as pair:
            yield from _under_load(bench, pair, "PostgreSQL", accounts, at_least=0.4)


def _under_load(
    bench: Bench, pair: Pair, store: str, accounts: int, at_least: float, at_most: float | None = None
) -> Iterator[Row]:
    name = f"PlaceOrder, {store}, {accounts} account{'s' * (accounts > 1)}"
    loads = PlaceOrderLoads(bench, pair, accounts, MANY_CALLERS)
    echoes, ours = bench.take_turns(name, loads.on_echo, loads.on_ours)
    yield Row(name, "rate", "calls/s", rates(echoes), rates(ours), at_least=at_least)
    yield Row(name, "server's CPU", "us/call", cpu(echoes), cpu(ours), at_most=at_most)
    for percent in (50, 99):
        yield Row(name, f"p{percent}", "ms", percentiles(echoes, percent), percentiles(ours, percent))


def alone(bench: Bench) -> Iterator[Row]:
    """One caller, one call at a time."""
    name = "PlaceOrder, SQLite, one caller"
    with bench.pair() as pair:
        loads = PlaceOrderLoads(bench, pair, 1, ONE_CALLER)
        bases, ours = bench.take_turns(name, lambda: (loads.on_echo(), _fsync_ms(pair.folder)), loads.on_ours)
    echoes, fsyncs = [load for load, _ in bases], [fsync for _, fsync in bases]
    echo, own = percentiles(echoes, 50), percentiles(ours, 50)
    allowed = [2 * base + fsync for base, fsync in zip(echo, fsyncs, strict=True)]
    yield Row(name, "p50", "ms", allowed, own, against="2 x echo + fsync", at_most=1)
    yield Row(name, "p50", "ms", echo, own)
    yield Row(name, "p50", "ms", fsyncs, own, against="one fsync")
    yield Row(name, "p99", "ms", percentiles(echoes, 99), percentiles(ours, 99))


def _fsync_ms(folder: Path) -> float:
    """The median of writing 4 KiB at the end of a file and waiting until the disk has them."""
    path, times = folder / "fsync", list[float]()
    with path.open("wb", buffering=0) as file:
        for _ in range(_FSYNCS):
            began = time.perf_counter()
            file.write(_BLOCK)
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    path.unlink()
    return median(times) * 1e3
