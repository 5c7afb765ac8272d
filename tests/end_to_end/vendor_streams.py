"""What vendors push, and what readers of the server's streams see of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from tests.end_to_end.vendor_desk import MINUTE
from tests.support.vendors.alpaca_data import frame_time
from tests.support.vendors.polygon import Row
from tests.support.vendors.polygon_market import milliseconds, row

_PATIENCE: Final = 10.0


class Reading:
    """All that a stream tells, as pairs of kind and content; heartbeats are left out."""

    def __init__(self, stream: Any) -> None:
        self.seen: list[tuple[str, Any]] = []
        self._stream = stream
        self._moved = asyncio.Event()
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for message in self._stream:
                kind = message.WhichOneof("message")
                if kind != "heartbeat":
                    self.seen.append((kind, getattr(message, kind)))
                self._moved.set()
        finally:
            self._moved.set()

    def all(self, kind: str) -> list[Any]:
        return [content for its_kind, content in self.seen if its_kind == kind]

    @property
    def states(self) -> list[int]:
        """What was told of the upstream, in turn."""
        return [status.state for status in self.all("status")]

    async def until(self, holds: Callable[["Reading"], bool]) -> None:
        """Wait until it is so; fails with what was seen when it does not come to that."""
        try:
            async with asyncio.timeout(_PATIENCE):
                while not holds(self):
                    assert not self.task.done(), f"the stream ended ({self.task}) after {self._told()}"
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            raise AssertionError(f"it did not come to that: {self._told()}") from None

    def _told(self) -> str:
        return "\n".join(f"{kind}: {' '.join(str(content).split())}" for kind, content in self.seen)

    async def has(self, kind: str, count: int) -> list[Any]:
        """The contents of that kind, once there are so many."""
        await self.until(lambda self: len(self.all(kind)) >= count)
        return self.all(kind)

    async def stop(self) -> None:
        self._stream.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def reading(*streams: Any) -> AsyncIterator[list[Reading]]:
    readers = [Reading(stream) for stream in streams]
    try:
        yield readers
    finally:
        await asyncio.gather(*(reader.stop() for reader in readers))


# -- Polygon's events --------------------------------------------------------------------------------------------


def polygon_quote(symbol: str, bid: float, at: datetime) -> Row:
    return {"ev": "Q", "sym": symbol, "bp": bid, "bs": 100, "ap": bid + 1, "as": 200, "t": milliseconds(at)}


def polygon_trade(symbol: str, number: int, at: datetime) -> Row:
    return {"ev": "T", "sym": symbol, "i": str(number), "x": 4, "p": 100, "s": 10, "t": milliseconds(at), "c": [1]}


def polygon_minute(symbol: str, opens: datetime, price: int) -> Row:
    """The same minute as `row` of the REST interface has it."""
    rest = row(opens, price)
    kept = {name: rest[name] for name in ("o", "h", "l", "c", "v", "vw")}
    return {"ev": "AM", "sym": symbol, **kept, "s": rest["t"], "e": milliseconds(opens + MINUTE)}


# -- Alpaca's messages -------------------------------------------------------------------------------------------


def alpaca_frame(symbol: str, bid: float, at: datetime) -> Row:
    """A quote of a pair."""
    return {"T": "q", "S": symbol, "bp": bid, "bs": 2, "ap": bid + 10, "as": 3, "t": frame_time(at)}


def later(at: datetime, milliseconds: int) -> datetime:
    return at + timedelta(milliseconds=milliseconds)
