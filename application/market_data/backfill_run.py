"""The course of one backfill: instrument after instrument, chunk after chunk, each stored before the next."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from application.market_data.backfill import Backfill, BackfillState
from application.market_data.backfill_board import BackfillBoard
from application.market_data.backfill_failure import failure
from application.market_data.bar_catalogue import Chunk
from application.market_data.market import Market
from application.market_data.source import Source
from application.ports.market_data import BarRequest, FetchedBars
from domain.errors import DomainError, Throttled, Unavailable

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackfillPace:
    """How backfills go about it. Seconds are the clock's.

    `chunk_bars` are asked for at a time. A provider that does not answer is asked again `retries` times, first after
    `retry_seconds`, then after twice as long each time. Who runs a backfill renews that within `own_seconds`, or it is
    another's. `at_once` run beside each other; up to `most_unfinished` may wait.
    """

    chunk_bars: int = 5_000
    retries: int = 4
    retry_seconds: float = 1.0
    own_seconds: float = 15.0
    look_seconds: float = 5.0
    at_once: int = 2
    most_unfinished: int = 100


class Superseded(Exception):
    """Somebody else has changed the backfill: it was canceled, or another process runs it."""


class _SymbolFailed(Exception):
    def __init__(self, error: DomainError) -> None:
        super().__init__(error.message)
        self.error = error


class BackfillRun:
    """`turns` has a lock for each provider: of all runs, one at a time asks it.

    Raises Superseded, and Unavailable when the store fails; then it is to be begun again from what is stored.
    """

    def __init__(
        self,
        backfill: Backfill,
        board: BackfillBoard,
        market: Market,
        pace: BackfillPace,
        turns: MutableMapping[str, asyncio.Lock],
    ) -> None:
        self.backfill = backfill
        self._board = board
        self._market = market
        self._pace = pace
        self._turns = turns
        self._saving = asyncio.Lock()

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                owning = tasks.create_task(self._stay_owner())
                await self._fetch_all()
                owning.cancel()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    # -- the work ------------------------------------------------------------------------------------

    async def _fetch_all(self) -> None:
        for symbol in self.backfill.terms.symbols:
            if symbol in self.backfill.settled:
                continue
            try:
                await self._fetch(symbol)
            except _SymbolFailed as failed:
                await self._change(Backfill.failed, failure(symbol, failed.error))
        state = BackfillState.FAILED if self.backfill.failures else BackfillState.SUCCEEDED
        await self._change(Backfill.finished, state)

    async def _fetch(self, symbol: str) -> None:
        await self._change(Backfill.fetching, symbol)
        terms = self.backfill.terms
        name = terms.provider or self._market.providers.name_for(symbol)
        source = await self._patiently(name, lambda: self._capable_source(symbol))
        while symbol not in self.backfill.settled:
            request = BarRequest(
                symbol,
                terms.interval,
                self.backfill.reached_by(symbol),
                self.backfill.end,
                self._pace.chunk_bars,
                terms.adjustment,
                terms.extended_hours,
            )
            until, stored = await self._chunk(name, source, request)
            await self._change(Backfill.advanced, symbol, until, stored)
            await asyncio.sleep(0)  # where neither provider nor store ever waits, others get their turn here

    async def _capable_source(self, symbol: str) -> Source:
        terms = self.backfill.terms
        source = await self._market.source(symbol, terms.provider)
        source.require_bars(terms.interval, terms.adjustment, terms.extended_hours)
        return source

    async def _chunk(self, provider: str, source: Source, request: BarRequest) -> Chunk:
        hole = await self._market.catalogue.next_hole(source, request)
        if hole is None:
            return Chunk(request.end, 0)
        request = replace(request, start=hole.start, end=hole.end)

        async def ask() -> tuple[datetime, FetchedBars]:
            return self._market.clock.now(), await source.provider.bars(request)

        asked, fetched = await self._patiently(provider, ask)
        return await self._market.catalogue.keep(source, request, fetched, asked)

    async def _patiently(self, provider: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives in the end; a rate limit is waited out, silence only for so long."""
        failed = 0
        async with self._turns.setdefault(provider, asyncio.Lock()):
            while True:
                try:
                    return await ask()
                except Throttled as error:
                    wait = max(error.retry_after_seconds, self._pace.retry_seconds)
                except Unavailable as error:
                    if failed >= self._pace.retries:
                        raise _SymbolFailed(error) from error
                    wait = self._pace.retry_seconds * 2**failed
                    failed += 1
                except DomainError as error:
                    raise _SymbolFailed(error) from error
                except Exception as error:
                    _log.exception("a backfill met a defect of %s", provider)
                    raise _SymbolFailed(DomainError("internal error: the server's log tells more")) from error
                await self._market.clock.sleep(wait)

    # -- the record of it ----------------------------------------------------------------------------

    async def _stay_owner(self) -> None:
        while True:
            await self._market.clock.sleep(self._pace.own_seconds / 3)
            await self._change(lambda backfill, now: backfill)

    async def _change(self, change: Callable[..., Backfill], *given: object) -> None:
        """Store what `change` makes of the backfill, what is `given`, and the time; it stays owned until it ends."""
        async with self._saving:
            now = self._market.clock.now()
            changed = change(self.backfill, *given, now)
            if not changed.ended:
                changed = changed.taken(changed.owner, now + timedelta(seconds=self._pace.own_seconds), now)
            saved = await self._board.save(changed)
            if saved is None:
                raise Superseded
            self.backfill = saved
