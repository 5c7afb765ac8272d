"""The instruments of one provider, as far as somebody asked for them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

from application.market_data.board_settings import BoardSettings
from application.ports.clock import Clock
from domain.errors import DomainError
from domain.market_data.instrument import Instrument

Ask: TypeAlias = Callable[[str], Awaitable[Instrument | None]]
Failure: TypeAlias = DomainError | TimeoutError

_MOST_ABSENT = 10_000
_AT_ONCE = 8


class KnownInstruments:
    """Read once a day at most. One that cannot be read is asked for again after a while, and the old one kept."""

    def __init__(self, clock: Clock, settings: BoardSettings) -> None:
        self._clock = clock
        self._age = timedelta(seconds=settings.instrument_seconds)
        self._absence = timedelta(seconds=settings.unknown_seconds)
        self._retry = timedelta(seconds=settings.retry_seconds)
        self._known: dict[str, Instrument] = {}
        self._due: dict[str, datetime] = {}
        self._absent: dict[str, datetime] = {}
        self._reading: dict[str, asyncio.Task[Failure | None]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)

    def get(self, symbol: str) -> Instrument | None:
        return self._known.get(symbol)

    def wants(self, symbol: str, now: datetime) -> bool:
        """Whether it is time to ask the provider."""
        due = self._due.get(symbol) or self._absent.get(symbol)
        return due is None or due <= now

    def put(self, instrument: Instrument) -> None:
        self._known[instrument.symbol] = instrument
        self._due[instrument.symbol] = self._clock.now() + self._age
        self._absent.pop(instrument.symbol, None)

    async def read(self, symbols: Iterable[str], ask: Ask, seconds: float) -> DomainError | None:
        """Ask for those that are due, each once however many wait for it, and for `seconds` each at most.

        Raises TimeoutError when one took longer. Gives one of the errors, if there were any.
        """
        now = self._clock.now()
        tasks = [self._begin(symbol, ask, seconds) for symbol in symbols if self.wants(symbol, now)]
        if not tasks:
            return None
        await asyncio.wait(tasks)
        errors = [error for task in tasks if not task.cancelled() and (error := task.result()) is not None]
        for error in errors:
            if isinstance(error, TimeoutError):
                raise error
        return next((error for error in errors if isinstance(error, DomainError)), None)

    def close(self) -> list[asyncio.Task[Failure | None]]:
        """The tasks that have been told to end."""
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        return tasks

    def _begin(self, symbol: str, ask: Ask, seconds: float) -> asyncio.Task[Failure | None]:
        task = self._reading.get(symbol)
        if task is None:
            task = asyncio.create_task(self._read(symbol, ask, seconds), name=f"instrument {symbol}")
            self._reading[symbol] = task
            task.add_done_callback(lambda _: self._reading.pop(symbol, None))
        return task

    async def _read(self, symbol: str, ask: Ask, seconds: float) -> Failure | None:
        try:
            async with self._places, asyncio.timeout(seconds):
                instrument = await ask(symbol)
        except (DomainError, TimeoutError) as error:
            self._later(symbol, self._retry)
            return error
        if instrument is not None:
            self.put(instrument)
        else:
            self._known.pop(symbol, None)
            self._due.pop(symbol, None)
            self._later(symbol, self._absence)
        return None

    def _later(self, symbol: str, wait: timedelta) -> None:
        due = self._clock.now() + wait
        if symbol in self._known:
            self._due[symbol] = due
            return
        while len(self._absent) >= _MOST_ABSENT:
            del self._absent[next(iter(self._absent))]
        self._absent[symbol] = due
