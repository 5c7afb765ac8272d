"""Many orders at a time: PlaceOrders in batches, and OrderSession.

The yardstick stays the echo of PlaceOrder, one order a call. The sessions are pumped by Python processes, which
send messages made beforehand and look at the answers only afterwards.
"""

from collections.abc import Callable, Iterator

from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import batches, session, write_messages
from tests.benchmarks.ghz import Load
from tests.benchmarks.placements import MANY_CALLERS, PlaceOrderLoads, cpu, rates
from tests.benchmarks.processes import BenchmarkFailed
from tests.benchmarks.report import Row
from tests.benchmarks.workers import workers

_ACCOUNTS = 4
_BATCH = 100
_BATCHES = 160
_SESSIONS = 2
_SESSION_ORDERS = 8_000


def in_batches(bench: Bench) -> Iterator[Row]:
    calls = bench.sized(_BATCHES)

    def ours(pair: Pair, accounts: list[str]) -> Load:
        messages = pair.folder / "batches.bin"
        write_messages(messages, batches(accounts, calls, _BATCH))
        load = bench.ghz.load(pair.ours, "PlaceOrders", messages, calls, _ACCOUNTS, _ACCOUNTS)
        _check_a_batch(pair, accounts[0])
        return Load(calls * _BATCH, load.seconds, load.cpu_seconds, load.latencies)

    yield from _against_one_order_a_call(bench, f"PlaceOrders, batches of {_BATCH}", ours)


def in_sessions(bench: Bench) -> Iterator[Row]:
    orders = bench.sized(_SESSION_ORDERS)

    def ours(pair: Pair, accounts: list[str]) -> Load:
        arguments = []
        for account in accounts[:_SESSIONS]:
            messages = pair.folder / f"session-{account}.bin"
            write_messages(messages, session(account, orders))
            arguments.append((pair.ours.address, str(messages)))
        with workers("session_client", arguments) as clients:
            before = pair.ours.cpu_seconds()
            for client in clients:
                client.tell()
            ran = [client.result() for client in clients]
        spent = pair.ours.cpu_seconds() - before
        seconds = max(each["ended"] for each in ran) - min(each["began"] for each in ran)
        return Load(orders * _SESSIONS, seconds, spent, [])

    yield from _against_one_order_a_call(bench, f"OrderSession, {_SESSIONS} sessions", ours)


def _against_one_order_a_call(bench: Bench, name: str, run: Callable[[Pair, list[str]], Load]) -> Iterator[Row]:
    with bench.pair() as pair:
        single = PlaceOrderLoads(bench, pair, _ACCOUNTS, MANY_CALLERS)
        echoes, ours = bench.take_turns(name, single.on_echo, lambda: run(pair, single.accounts))
    yield Row(name, "rate", "orders/s", rates(echoes), rates(ours), at_least=2)
    yield Row(name, "server's CPU", "us/order", cpu(echoes), cpu(ours))


def _check_a_batch(pair: Pair, account: str) -> None:
    """The generator does not look into answers, so one like all others is looked into here."""
    [request] = batches([account], 1, _BATCH)
    for result in OrderServiceStub(pair.channel).PlaceOrders(request).results:
        if result.HasField("error"):
            raise BenchmarkFailed(f"an order of a batch was refused: {result.error}")
