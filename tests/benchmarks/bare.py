"""What is left to decide in: the same loads and the same targets, on a server that only commits and answers.

Where it misses a target, no order can meet it on this transport and this disk; where it is far above, the difference
is the price of what quantmesh decides.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from tests.benchmarks import bulk, place_order
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.postgres import postgres
from tests.benchmarks.processes import bare_server, echo_server
from tests.benchmarks.report import Row

_SQLITE = "nothing decided, SQLite"


def on_sqlite(bench: Bench) -> Iterator[Row]:
    with _pair(bench) as pair:
        yield from place_order.under_load(bench, pair, _SQLITE, 1, at_least=0.5, at_most=2)
    with _pair(bench) as pair:
        yield from place_order.one_at_a_time(bench, pair, _SQLITE)
    with _pair(bench) as pair:
        yield from bulk.by_the_hundred(bench, pair, f"PlaceOrders, {_SQLITE}")
    with _pair(bench) as pair:
        yield from bulk.by_session(bench, pair, f"OrderSession, {_SQLITE}")


def on_postgresql(bench: Bench) -> Iterator[Row]:
    with postgres() as url, _pair(bench, url) as pair:
        yield from place_order.under_load(bench, pair, "nothing decided, PostgreSQL", 1, at_least=0.4)


@contextmanager
def _pair(bench: Bench, database: str | None = None) -> Iterator[Pair]:
    with bench.empty_folder() as folder, echo_server(folder) as echo:
        url = database or f"sqlite:///{folder / 'bare.db'}"
        with bare_server("bare_orders", folder, url) as bare, grpc.insecure_channel(bare.address) as channel:
            yield Pair(echo, bare, channel, folder)
