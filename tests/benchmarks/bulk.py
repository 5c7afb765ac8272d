"""Many orders at a time: PlaceOrders in batches, and OrderSession.

The yardstick is the echo of PlaceOrder, one order a call; for sessions also a stream that answers each message
with a ready-made one, which is what the transport alone takes. The sessions are pumped by Python processes, which
send messages made beforehand and look at the answers only afterwards.
"""

from collections.abc import Iterator

from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import batches, session, write_messages
from tests.benchmarks.ghz import Load
from tests.benchmarks.placements import MANY_CALLERS, PlaceOrderLoads, cpu, rates
from tests.benchmarks.processes import BenchmarkFailed, ServerProcess
from tests.benchmarks.report import Row
from tests.benchmarks.workers import workers

_ACCOUNTS = 4
_BATCH = 100
_BATCHES = 160
# Each is pumped by a process of its own: on two cores a second one takes from the server what it adds in load.
_SESSIONS = 1
_SESSION_ORDERS = 12_000


def in_batches(bench: Bench) -> Iterator[Row]:
    with bench.pair() as pair:
        yield from by_the_hundred(bench, pair, f"PlaceOrders, batches of {_BATCH}")


def by_the_hundred(bench: Bench, pair: Pair, name: str) -> Iterator[Row]:
    single = PlaceOrderLoads(bench, pair, _ACCOUNTS, MANY_CALLERS)
    echoes, ours = bench.take_turns(name, single.on_echo, lambda: _batches(bench, pair, single.accounts))
    _check_a_batch(pair, single.accounts[0])
    yield Row(name, "rate", "orders/s", rates(echoes), rates(ours), at_least=2)
    yield Row(name, "server's CPU", "us/order", cpu(echoes), cpu(ours))


def in_sessions(bench: Bench) -> Iterator[Row]:
    with bench.pair() as pair:
        yield from by_session(bench, pair, "OrderSession")


def by_session(bench: Bench, pair: Pair, name: str) -> Iterator[Row]:
    single = PlaceOrderLoads(bench, pair, _ACCOUNTS, MANY_CALLERS)
    accounts = single.accounts[:_SESSIONS]
    bases, ours = bench.take_turns(
        name,
        lambda: (single.on_echo(), _sessions(bench, pair, pair.echo, accounts)),
        lambda: _sessions(bench, pair, pair.ours, accounts),
    )
    echoes, streams = [echo for echo, _ in bases], [stream for _, stream in bases]
    yield Row(name, "rate", "orders/s", rates(echoes), rates(ours), at_least=2)
    yield Row(name, "rate", "orders/s", rates(streams), rates(ours), against="echo on a stream")
    yield Row(name, "server's CPU", "us/order", cpu(echoes), cpu(ours))
    yield Row(name, "server's CPU", "us/order", cpu(streams), cpu(ours), against="echo on a stream")


def _batches(bench: Bench, pair: Pair, accounts: list[str]) -> Load:
    messages, calls = pair.folder / "batches.bin", bench.sized(_BATCHES)
    write_messages(messages, batches(accounts, calls, _BATCH))
    load = bench.ghz.load(pair.ours, "PlaceOrders", messages, calls, _ACCOUNTS, _ACCOUNTS)
    return Load(calls * _BATCH, load.seconds, load.cpu_seconds, load.latencies)


def _check_a_batch(pair: Pair, account: str) -> None:
    """The generator does not look into answers, so one like all others is looked into here."""
    [request] = batches([account], 1, _BATCH)
    for result in OrderServiceStub(pair.channel).PlaceOrders(request).results:
        if result.HasField("error"):
            raise BenchmarkFailed(f"an order of a batch was refused: {result.error}")


def _sessions(bench: Bench, pair: Pair, server: ServerProcess, accounts: list[str]) -> Load:
    arguments, orders = [], bench.sized(_SESSION_ORDERS)
    for account in accounts:
        messages = pair.folder / f"session-{account}.bin"
        write_messages(messages, session(account, orders))
        arguments.append((server.address, str(messages)))
    with workers("session_client", arguments) as clients:
        before = server.cpu_seconds()
        for client in clients:
            client.tell()
        ran = [client.result() for client in clients]
    seconds = max(each["ended"] for each in ran) - min(each["began"] for each in ran)
    return Load(orders * len(accounts), seconds, server.cpu_seconds() - before, [])
