"""Live quotes of the symbols that decisions were lately about: one iteration over the provider for each."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.market_data.board_settings import BoardSettings
from application.ports.clock import Clock, Timer
from application.ports.market_data import Subscribed
from domain.errors import DomainError
from domain.market_data.quote import TopOfBook

_log = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.5


@dataclass(slots=True)
class _Watched:
    """`live` from the first quote on, until the iteration breaks."""

    until: datetime
    task: asyncio.Task[None]
    timer: Timer
    live: bool = False


class QuoteWatch:
    """`read` opens an iteration over a symbol's quotes. One that breaks is opened again, later and later."""

    def __init__(
        self,
        provider: str,
        most: int,
        read: Callable[[str], AsyncIterator[TopOfBook | Subscribed]],
        take: Callable[[TopOfBook], None],
        clock: Clock,
        settings: BoardSettings,
    ) -> None:
        self._provider = provider
        self._most = most
        self._read = read
        self._take = take
        self._clock = clock
        self._longest_retry = settings.longest_retry_seconds
        self._length = timedelta(seconds=settings.watch_seconds)
        self._watched: dict[str, _Watched] = {}
        self._broken: set[str] = set()

    def wants(self, symbol: str, now: datetime) -> bool:
        """Whether `keep` has something to do: begin, or go on before half of the time that is left has passed."""
        watched = self._watched.get(symbol)
        if watched is None:
            return len(self._watched) < self._most
        return watched.until - now < self._length / 2

    def is_live(self, symbol: str) -> bool:
        watched = self._watched.get(symbol)
        return watched is not None and watched.live

    def keep(self, symbol: str) -> None:
        """Follow the symbol from now on for as long as the settings say."""
        until = self._clock.now() + self._length
        watched = self._watched.get(symbol)
        if watched is not None:
            watched.until = until
        elif len(self._watched) < self._most:
            task = asyncio.create_task(self._follow(symbol), name=f"quotes of {symbol}")
            self._watched[symbol] = _Watched(until, task, self._look_later(symbol, until))

    def close(self) -> list[asyncio.Task[None]]:
        """Follow nothing any more. Gives the tasks that have been told to end."""
        self._most = 0
        tasks = [watched.task for watched in self._watched.values()]
        for symbol in list(self._watched):
            self._end(symbol)
        return tasks

    def _look_later(self, symbol: str, until: datetime) -> Timer:
        return self._clock.call_later((until - self._clock.now()).total_seconds(), lambda: self._look(symbol))

    def _look(self, symbol: str) -> None:
        watched = self._watched[symbol]
        if watched.until <= self._clock.now():
            self._end(symbol)
        else:
            watched.timer = self._look_later(symbol, watched.until)

    def _end(self, symbol: str) -> None:
        watched = self._watched.pop(symbol)
        watched.timer.cancel()
        watched.task.cancel()
        self._broken.discard(symbol)

    async def _follow(self, symbol: str) -> None:
        wait = _FIRST_RETRY_SECONDS
        while True:
            try:
                async for quote in self._opened(symbol):
                    self._take(quote)
                    if not self._watched[symbol].live:
                        self._watched[symbol].live = True
                        self._mended(symbol)
                        wait = _FIRST_RETRY_SECONDS
            except Exception as error:
                # Whatever a provider raises, the next attempt may go well, and quotes can be asked for meanwhile.
                self._broke(symbol, error)
            self._watched[symbol].live = False
            await self._clock.sleep(wait)
            wait = min(2 * wait, self._longest_retry)

    async def _opened(self, symbol: str) -> AsyncGenerator[TopOfBook, None]:
        quotes = self._read(symbol)
        try:
            async for quote in quotes:
                if not isinstance(quote, Subscribed):
                    yield quote
        finally:
            if isinstance(quotes, AsyncGenerator):
                await quotes.aclose()

    def _broke(self, symbol: str, error: Exception) -> None:
        """Told once for all symbols of the provider, until all of them are live again."""
        if not self._broken:
            known = isinstance(error, DomainError)
            _log.warning("live quotes of %s broke: %s", self._provider, error, exc_info=None if known else error)
        self._broken.add(symbol)

    def _mended(self, symbol: str) -> None:
        if symbol in self._broken:
            self._broken.remove(symbol)
            if not self._broken:
                _log.info("live quotes of %s are back", self._provider)
