"""A process that appends until it is killed: from outside, or by itself at a named point.

Arguments: the store's URL, the point (or `never`), and how many appends reach it first. Prints the newest
sequence number after each append that was answered.
"""

import asyncio
import os
import signal
import sys

from adapters.persistence.store import open_store
from tests.support.ledger import Ledger


class Suicide:
    """Crash points: kill -9 from within, the n-th time that `point` is reached."""

    def __init__(self, point: str, times: int) -> None:
        self._point = point
        self._left = times

    def __call__(self, reached: str) -> None:
        if reached == self._point:
            self._left -= 1
            if not self._left:
                os.kill(os.getpid(), signal.SIGKILL)


async def run(url: str, point: str, times: str) -> None:
    store = await open_store(url, Suicide(point, int(times)))
    await store.journal.take_over()
    ledger = Ledger()
    batch = ledger.opened()
    while True:
        await store.journal.append(batch)
        sys.stdout.write(f"{ledger.sequence}\n")
        sys.stdout.flush()
        for _ in range(20):
            order = ledger.place(f"c-{ledger.sequence}")
            ledger.fill(order, f"x-{ledger.sequence}")
        ledger.hold("ACME", ledger.sequence)
        batch = ledger.take()


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
