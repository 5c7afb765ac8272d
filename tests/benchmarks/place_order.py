"""PlaceOrder: durable, checked, journaled, every id unique; under load and alone."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from google.protobuf.duration_pb2 import Duration

from quantmesh.risk.v1.risk_profile_pb2 import PriceCollarWindow, RateLimit, RiskProfile, SymbolLimits
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import SYMBOL
from tests.benchmarks.placements import MANY_CALLERS, ONE_CALLER, PlaceOrderLoads, cpu, percentiles, rates
from tests.benchmarks.postgres import postgres
from tests.benchmarks.report import Row

_ACCOUNTS = (1, 16)
_FSYNCS = 200
_BLOCK = bytes(4096)

_MUCH = "1000000000000000"
_OFTEN = RateLimit(count=1_000_000, period=Duration(seconds=1))
_EVERY_LIMIT = RiskProfile(
    max_order_quantity=_MUCH,
    max_order_notional=_MUCH,
    price_collar_percent="100",
    price_collar_ticks=1_000_000,
    price_collar_window=PriceCollarWindow(percent="100", window=Duration(seconds=60)),
    max_open_orders=1_000_000,
    max_position_quantity=_MUCH,
    max_position_notional=_MUCH,
    symbol_limits=[SymbolLimits(symbol=SYMBOL, max_position_quantity=_MUCH, max_order_notional=_MUCH)],
    max_gross_exposure=_MUCH,
    max_net_exposure=_MUCH,
    max_leverage="1000",
    max_concentration_percent="1000000",
    max_daily_loss=_MUCH,
    max_daily_drawdown_percent="100",
    max_drawdown_percent="100",
    order_rate=_OFTEN,
    replace_rate=_OFTEN,
    cancel_rate=_OFTEN,
    repeated_execution=_OFTEN,
    duplicate_window=Duration(seconds=10),
    restricted_symbols=["TSLA"],
    allowed_symbols=[SYMBOL],
    trading_hours_only=True,
    warn_at_percent="80",
)


def on_sqlite(bench: Bench) -> Iterator[Row]:
    for accounts in _ACCOUNTS:
        with bench.pair() as pair:
            yield from under_load(bench, pair, "SQLite", accounts, at_least=0.5, at_most=2)


def within_every_limit(bench: Bench) -> Iterator[Row]:
    """Every limit of the profile is set, and wide enough for what is sent."""
    with bench.pair() as pair:
        yield from under_load(bench, pair, "SQLite", 1, at_least=0.5, at_most=2, limits=_EVERY_LIMIT)


def on_postgresql(bench: Bench) -> Iterator[Row]:
    for accounts in _ACCOUNTS:
        with postgres() as url, bench.pair(database=url) as pair:
            yield from under_load(bench, pair, "PostgreSQL", accounts, at_least=0.4)


def under_load(
    bench: Bench,
    pair: Pair,
    store: str,
    accounts: int,
    at_least: float,
    at_most: float | None = None,
    limits: RiskProfile | None = None,
) -> Iterator[Row]:
    name = f"PlaceOrder, {store}, {accounts} account{'s' * (accounts > 1)}{', every limit set' * (limits is not None)}"
    loads = PlaceOrderLoads(bench, pair, accounts, MANY_CALLERS, limits)
    echoes, ours = bench.take_turns(name, loads.on_echo, loads.on_ours)
    yield Row(name, "rate", "calls/s", rates(echoes), rates(ours), at_least=at_least)
    yield Row(name, "server's CPU", "us/call", cpu(echoes), cpu(ours), at_most=at_most)
    for percent in (50, 99):
        yield Row(name, f"p{percent}", "ms", percentiles(echoes, percent), percentiles(ours, percent))


def alone(bench: Bench) -> Iterator[Row]:
    with bench.pair() as pair:
        yield from one_at_a_time(bench, pair, "SQLite")


def one_at_a_time(bench: Bench, pair: Pair, store: str) -> Iterator[Row]:
    """One caller, one call at a time."""
    name = f"PlaceOrder, {store}, one caller"
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
