"""How soon the server serves, and how much memory it then has: with an empty store, and with a long past."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.bench import Bench
from tests.benchmarks.processes import trading_server
from tests.benchmarks.report import Row
from tests.benchmarks.seed import seeded

_HISTORY = 1_000_000
_OPEN = 10_000
_ALLOWED_SECONDS = 3.0


class _Start(NamedTuple):
    seconds: float
    mib: float


def after_a_million_orders(bench: Bench) -> Iterator[Row]:
    """Memory is held against that of a store with the same open orders and nothing else: history must cost none."""
    history, open_orders = bench.sized(_HISTORY), bench.sized(_OPEN)
    name = f"Start, {history:,} orders in history, {open_orders:,} open"
    long, short = seeded(bench, history, open_orders), seeded(bench, 0, open_orders)
    starts, longs = bench.take_turns(name, lambda: (_start_empty(bench), _start(short)), lambda: _start(long))
    empties, shorts = [empty for empty, _ in starts], [short for _, short in starts]
    seconds, mib = [start.seconds for start in longs], [start.mib for start in longs]
    allowed = [start.seconds + _ALLOWED_SECONDS for start in empties]
    yield Row(name, "until SERVING", "s", allowed, seconds, against="empty store + 3 s", at_most=1)
    yield Row(name, "until SERVING", "s", [start.seconds for start in empties], seconds, against="empty store")
    yield Row(name, "until SERVING", "s", [start.seconds for start in shorts], seconds, against="no history")
    yield Row(name, "memory", "MiB", [start.mib for start in shorts], mib, against="no history", at_most=1.1)
    yield Row(name, "memory", "MiB", [start.mib for start in empties], mib, against="empty store")


def _start_empty(bench: Bench) -> _Start:
    with bench.empty_folder() as folder:
        return _start(folder)


def _start(data: Path) -> _Start:
    with trading_server(data) as (server, _):
        return _Start(server.start_seconds, server.memory_mib())
