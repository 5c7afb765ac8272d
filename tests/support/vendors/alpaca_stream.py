"""Messages as Alpaca streams them, and a reader of what the provider makes of them."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Any, TypeVar

from application.ports.market_data import Subscribed
from domain.errors import DomainError
from tests.support.live_items import only_items
from tests.support.vendors.alpaca_data import frame_time, minute_row

T = TypeVar("T")

AT = datetime(2024, 1, 3, 15, tzinfo=UTC)


class Reader:
    """Reads an iterator in the background; `subscribed` are the symbols that it says are."""

    def __init__(self, source: AsyncGenerator[T | Subscribed, None]) -> None:
        self.items: list[Any] = []
        self.subscribed: list[str] = []
        self.error: DomainError | None = None
        self.source: AsyncGenerator[T, None] = only_items(source, self.subscribed)
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for item in self.source:
                self.items.append(item)
        except DomainError as error:
            self.error = error

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.wait((self.task,))
        await self.source.aclose()


def quote(symbol: str, at: datetime = AT, **changes: Any) -> dict[str, Any]:
    usual = {"bp": 10.5, "bs": 2, "ap": 10.75, "as": 3, "bx": "V", "ax": "V", "c": ["R"], "z": "C"}
    return {"T": "q", "S": symbol, "t": frame_time(at), **usual, **changes}


def trade(symbol: str, number: int, at: datetime = AT, **changes: Any) -> dict[str, Any]:
    usual = {"i": number, "x": "V", "p": 10.5, "s": 100, "c": ["@", "I"], "z": "C"}
    return {"T": "t", "S": symbol, "t": frame_time(at), **usual, **changes}


def bar(symbol: str, at: datetime, **changes: Any) -> dict[str, Any]:
    return {"T": "b", "S": symbol, **minute_row(at), "t": frame_time(at), **changes}
