"""A reader of what the polygon provider streams."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from domain.errors import DomainError
from tests.support.live_items import only_items


class Reading:
    """What an iterator gives, read by a task as it comes; `subscribed` are the symbols that it says are."""

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self.subscribed: list[str] = []
        self._items = only_items(cast("AsyncGenerator[Any, None]", items), self.subscribed)
        self._queue: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for item in self._items:
                self._queue.put_nowait(item)
        except DomainError as error:
            self._queue.put_nowait(error)
        else:
            self._queue.put_nowait(None)

    async def next(self) -> Any:
        async with asyncio.timeout(8):
            return await self._queue.get()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._items.aclose()


@asynccontextmanager
async def reading(items: AsyncIterator[Any]) -> AsyncIterator[Reading]:
    found = Reading(items)
    try:
        yield found
    finally:
        await found.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not holds():  # noqa: ASYNC110 - of the reader's inside, which tells nobody
            await asyncio.sleep(0.01)
