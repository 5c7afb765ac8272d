"""Bars from what is kept, and from the provider where that has holes; what is fetched is kept."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias

from application.market_data.bar_coverage import (
    answered_until,
    askable,
    before,
    first_hole,
    pieces,
    series_key,
    settled_stretches,
)
from application.market_data.source import Source
from application.ports.bar_store import BarStore, SeriesKey, Span, Stretch
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars
from domain.errors import Unavailable
from domain.market_data.bar import Bar

_STORE_REST = timedelta(seconds=5)

_log = logging.getLogger(__name__)


class _Flight(NamedTuple):
    """An answer on its way, of at most `limit` bars."""

    limit: int
    answer: asyncio.Task[FetchedBars]


class _Plan:
    """What a caller takes from the store, and what from the provider: old once more is kept than when it was made."""

    is_old = False


_Asked: TypeAlias = tuple[SeriesKey, Span]


class Chunk(NamedTuple):
    """A part of a backfill that is kept: all is settled up to `until`, `stored` bars of it are new."""

    until: datetime
    stored: int


class BarCatalogue:
    """What several callers lack at the same time is fetched once. A store that fails changes no answer: it is left
    alone for some seconds, and providers are asked instead.
    """

    def __init__(self, store: BarStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._store_rests_until: datetime | None = None
        self._flights: dict[_Asked, _Flight] = {}
        self._plans: dict[SeriesKey, list[_Plan]] = {}

    async def bars(self, source: Source, request: BarRequest) -> FetchedBars:
        """What `source` has of `request`; raises what the provider raises.

        Local bars are read where they lie, but for what a backfill has kept of them.
        """
        found: list[Bar] = []
        invalid: list[tuple[datetime, datetime]] = []
        with self._planning(series_key(source, request, self._clock.now())) as plan:
            ahead = deque(pieces(request, await self._kept(source, request)))
            while ahead and (missing := request.limit - len(found)) > 0:
                piece = ahead.popleft()
                if isinstance(piece, Stretch):
                    found += piece.bars[:missing]
                elif plan.is_old:
                    plan.is_old = False
                    rest = replace(request, start=piece.start, limit=missing)
                    ahead = deque(pieces(rest, await self._kept(source, rest)))
                else:
                    fetched = await self._fetched(source, replace(request, limit=missing), piece)
                    found += fetched.bars
                    invalid += fetched.invalid
        return FetchedBars(found, invalid)

    @contextmanager
    def _planning(self, series: SeriesKey) -> Iterator[_Plan]:
        plan = _Plan()
        plans = self._plans.setdefault(series, [])
        plans.append(plan)
        try:
            yield plan
        finally:
            plans.remove(plan)
            if not plans:
                del self._plans[series]

    async def close(self) -> None:
        """Give up what is being fetched."""
        answers = [flight.answer for flight in self._flights.values()]
        for answer in answers:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)

    # -- backfills -----------------------------------------------------------------------------------

    async def next_hole(self, source: Source, request: BarRequest) -> Span | None:
        """The oldest part of the request that is not settled, and that the provider may have.

        Raises Unavailable when the store cannot be read.
        """
        now = self._clock.now()
        span = Span(request.start, request.end)
        while True:
            settled = await self._store.settled(series_key(source, request, now), *span)
            hole = first_hole(span, settled)
            if hole is None:
                return None
            asked = askable(source, request, hole, now)
            if asked is not None:
                return Span(asked.start, min(asked.end, hole.end))
            span = Span(hole.end, span.end)
            if span.start >= span.end:
                return None

    async def keep(self, source: Source, request: BarRequest, fetched: FetchedBars, asked: datetime) -> Chunk:
        """Keep what is settled of the answer to `request`, which was asked for at `asked`, of local providers too.

        Raises Unavailable when the store cannot be written.
        """
        stretches = settled_stretches(source, request, fetched, asked)
        series = series_key(source, request, asked)
        await self._store.keep(series, stretches)
        for plan in self._plans.get(series, ()):
            plan.is_old = True
        return Chunk(answered_until(request, fetched), sum(len(stretch.bars) for stretch in stretches))

    # -- the store -----------------------------------------------------------------------------------

    async def _kept(self, source: Source, request: BarRequest) -> Sequence[Stretch]:
        now = self._clock.now()
        if self._store_rests(now):
            return ()
        series = series_key(source, request, now)
        try:
            return await self._store.read(series, request.start, request.end, request.limit)
        except Unavailable as error:
            self._rest(now, error)
            return ()

    async def _keep(self, source: Source, request: BarRequest, fetched: FetchedBars, asked: datetime) -> None:
        if source.capabilities.local or self._store_rests(asked):
            return
        try:
            await self.keep(source, request, fetched, asked)
        except Unavailable as error:
            self._rest(self._clock.now(), error)

    def _store_rests(self, now: datetime) -> bool:
        return self._store_rests_until is not None and now < self._store_rests_until

    def _rest(self, now: datetime, error: Unavailable) -> None:
        _log.warning("bars are fetched though they may be kept: %s", error.__cause__ or error)
        self._store_rests_until = now + _STORE_REST

    # -- the provider --------------------------------------------------------------------------------

    async def _fetched(self, source: Source, request: BarRequest, hole: Span) -> FetchedBars:
        now = self._clock.now()
        asked = askable(source, request, hole, now)
        if asked is None:
            return FetchedBars(())
        wanted = replace(request, start=asked.start, end=asked.end)
        # The flight goes on for the others, and for the store, when one who waits for it gives up.
        fetched = await asyncio.shield(self._flight((series_key(source, request, now), asked), source, wanted))
        bars = before(hole.end, fetched.bars)[: request.limit]
        return FetchedBars(bars, [span for span in fetched.invalid if span[0] < hole.end])

    def _flight(self, asked: _Asked, source: Source, request: BarRequest) -> asyncio.Task[FetchedBars]:
        flight = self._flights.get(asked)
        if flight is None or flight.limit < request.limit:
            answer = asyncio.create_task(self._ask(source, request), name=f"bars of {source.symbol}")
            flight = self._flights[asked] = _Flight(request.limit, answer)
            answer.add_done_callback(lambda done: self._landed(asked, done))
        return flight.answer

    def _landed(self, asked: _Asked, answer: asyncio.Task[FetchedBars]) -> None:
        flight = self._flights.get(asked)
        if flight is not None and flight.answer is answer:
            del self._flights[asked]
        if not answer.cancelled():
            answer.exception()  # which those who wait get; when all have given up, nobody misses it

    async def _ask(self, source: Source, request: BarRequest) -> FetchedBars:
        asked = self._clock.now()
        fetched = await source.provider.bars(request)
        await self._keep(source, request, fetched, asked)
        return fetched
