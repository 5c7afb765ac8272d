"""One request for what many ask for at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from domain.errors import DomainError, Unavailable


class SharedRequests:
    """What callers ask for in one turn of the loop goes out together; what is on its way is not asked for again.

    `send` makes a request, and gives what it failed of. A caller that is cancelled leaves it to the others.
    """

    def __init__(self, name: str, send: Callable[[Sequence[str]], Awaitable[DomainError | None]]) -> None:
        self._name = name
        self._send = send
        self._closed = False
        self._under_way: dict[str, asyncio.Task[DomainError | None]] = {}
        self._next: tuple[list[str], asyncio.Task[DomainError | None]] | None = None

    async def make(self, symbols: Iterable[str]) -> Mapping[str, DomainError]:
        """After it, all of them were asked for. Gives the errors of those for which that failed."""
        if self._closed:
            return {symbol: self._ending() for symbol in symbols}
        tasks = {symbol: self._under_way.get(symbol) or self._join(symbol) for symbol in symbols}
        if tasks:
            await asyncio.wait(set(tasks.values()))
        outcomes = {symbol: self._ending() if task.cancelled() else task.result() for symbol, task in tasks.items()}
        return {symbol: error for symbol, error in outcomes.items() if error is not None}

    def close(self) -> list[asyncio.Task[DomainError | None]]:
        """Make no more. Gives the tasks that have been told to end."""
        self._closed = True
        tasks = list(set(self._under_way.values()))
        for task in tasks:
            task.cancel()
        return tasks

    def _join(self, symbol: str) -> asyncio.Task[DomainError | None]:
        if self._next is None:
            symbols: list[str] = []
            self._next = symbols, asyncio.create_task(self._go(symbols), name=f"quotes of {self._name}")
        symbols, task = self._next
        symbols.append(symbol)
        self._under_way[symbol] = task
        return task

    async def _go(self, symbols: Sequence[str]) -> DomainError | None:
        self._next = None
        try:
            return await self._send(symbols)
        finally:
            for symbol in symbols:
                del self._under_way[symbol]

    def _ending(self) -> Unavailable:
        return Unavailable(f"{self._name}: it is being closed", reason="MARKET_DATA_UNAVAILABLE", provider=self._name)
