"""Subscribers in processes of their own, and when they had what."""

import time
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager

from google.protobuf.message import Message

from tests.benchmarks.processes import BenchmarkFailed
from tests.benchmarks.workers import Worker, workers

# What is still on its way when the last was published gets this long.
_ARRIVING_SECONDS = 2.0


class Subscribers:
    """All subscribed to the same."""

    def __init__(self, clients: Sequence[Worker], count: int) -> None:
        self._clients = clients
        self._count = count

    def receipts(self, of: Container[bytes] | None = None) -> Mapping[bytes, Sequence[int]]:
        """Ends them. For each message when it came, in nanoseconds since 1970, sorted; each came to all of them.

        `of` are the messages to look at, when others came to some of them only.
        """
        time.sleep(_ARRIVING_SECONDS)
        for client in self._clients:
            client.tell()
        receipts: defaultdict[bytes, list[int]] = defaultdict(list)
        for client in self._clients:
            for message, times in client.result().items():
                if of is None or bytes.fromhex(message) in of:
                    receipts[bytes.fromhex(message)] += times
        for times in receipts.values():
            if len(times) != self._count:
                raise BenchmarkFailed(f"a message came {len(times)} times to {self._count} subscribers")
            times.sort()
        return receipts


@contextmanager
def subscribed(
    address: str, path: str, request: Message, *, clients: int, streams: int, channels: int
) -> Iterator[Subscribers]:
    """`clients` processes with so many streams each, all of which have had a first message."""
    arguments = address, path, request.SerializeToString().hex(), str(streams), str(channels)
    with workers("stream_client", [arguments] * clients) as started:
        yield Subscribers(started, clients * streams)


@contextmanager
def stalled(address: str, path: str, request: Message) -> Iterator[None]:
    """One subscriber that has read its first message, and reads no more."""
    with workers("stream_client", [(address, path, request.SerializeToString().hex(), "1", "1", "stalled")]):
        yield
