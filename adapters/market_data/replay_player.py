"""Recordings played by the clock: what was recorded, each at its time, those of several symbols merged."""

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Generic, Protocol, TypeVar

from adapters.market_data.replay_bars import Shaper, source_of
from adapters.market_data.replay_folder import BARS, Contents, Reading, RecordedFile, ReplayFolder
from adapters.market_data.replay_rows import BARS as BAR_ROWS
from adapters.market_data.replay_rows import Recording, Replaced
from application.ports.clock import Clock
from application.ports.market_data import Subscribed
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_calendar import span_at
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed

R = TypeVar("R")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_PIECE = 256
_ALL_TIME = datetime(2100, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


class Tape(Protocol[T_co]):
    """What there is of one symbol, in the order of time. Runs on a thread, one call at a time."""

    def more(self, now: datetime) -> tuple[Sequence[tuple[datetime, T_co]], datetime | None]:
        """The next items with their times, which may be far ahead of `now`; none at the end, for the present.

        With none comes when to look again at the latest, if that is known. Raises BadFile and OSError.
        """
        ...


class RowTape(Generic[T]):
    """The rows of a file later than `after`. A file that comes later begins with what is later than that moment."""

    def __init__(
        self,
        folder: ReplayFolder,
        find: Callable[[Contents], RecordedFile | None],
        recording: Recording[T],
        after: datetime,
    ) -> None:
        self._folder = folder
        self._find = find
        self._recording = recording
        self._after = after
        self._file: RecordedFile | None = None
        self._reading: Reading[T] | None = None

    def more(self, now: datetime) -> tuple[Sequence[tuple[datetime, T]], datetime | None]:
        file = self._find(self._folder.contents())
        if file is None:
            self._after = max(self._after, now)
            return (), None
        if self._reading is None or self._file is None or not file.grew_from(self._file):
            self._reading = Reading(file, self._recording, self._after)
        self._file = file
        try:
            while rows := self._reading.next(_PIECE):
                self._after = rows[-1][0]
                items = [(at, item) for at, item in rows if item is not None]
                if items:
                    return items, None
        except Replaced:  # goes on in the new file, behind what was given of the old one
            self._reading = None
        return (), None


class BarTape:
    """Bars that complete after `started`, of the coarsest recording that there is when one is there at first."""

    def __init__(self, folder: ReplayFolder, symbol: str, interval: BarInterval, started: datetime) -> None:
        self._folder = folder
        self._symbol = symbol
        self._interval = interval
        self._started = started
        self._source: tuple[RowTape[RawBar | datetime], Shaper] | None = None

    def more(self, now: datetime) -> tuple[Sequence[tuple[datetime, Bar]], datetime | None]:
        source = self._source = self._source or self._opened(now)
        if source is None:
            self._started = max(self._started, now)
            return (), None
        rows, shaper = source
        while True:
            found, _ = rows.more(now)
            if found:
                bars, _ = shaper.feed([row for _, row in found])
            elif shaper.due is None or shaper.due > now:
                return (), shaper.due
            else:
                bars, _ = shaper.finish()
            items = [(bar.close_time, bar) for bar in bars if bar.close_time > self._started]
            if items or not found:
                return items, None

    def _opened(self, now: datetime) -> tuple[RowTape[RawBar | datetime], Shaper] | None:
        contents = self._folder.contents()
        instrument = contents.instrument(self._symbol)
        source = None if instrument is None else source_of(contents, instrument, self._interval, extended_hours=False)
        if instrument is None or source is None:
            return None
        running = span_at(instrument.hours, self._interval, now)
        wanted = Shape(
            symbol=self._symbol,
            interval=self._interval,
            source_interval=source[0],
            hours=instrument.hours,
            start=now if running is None else min(now, running[0]),
            end=_ALL_TIME,
            now=_ALL_TIME,
            adjustment=PriceAdjustment.RAW,
            recorded=True,
        )
        find = partial(_bars_file, self._symbol, source[0])
        return RowTape(self._folder, find, BAR_ROWS, rows_needed(wanted)[0] - _INSTANT), Shaper(wanted)


def _bars_file(symbol: str, interval: BarInterval, contents: Contents) -> RecordedFile | None:
    contents.check(BARS, symbol)
    return contents.bars.get(symbol, {}).get(interval)


class OnThread(Protocol):
    """Runs a call that reads files where it holds up nobody."""

    async def __call__(self, call: Callable[[], R]) -> R: ...


class Player(Generic[T]):
    """Gives what the tapes have, by symbol, each item at its time and none left out; ends when `closed` is set."""

    def __init__(
        self,
        tapes: Mapping[str, Tape[T]],
        clock: Clock,
        on_thread: OnThread,
        rescan_seconds: float,
        closed: asyncio.Event,
    ) -> None:
        self._symbols = tuple(tapes)
        self._tapes = tuple(tapes.values())
        self._clock = clock
        self._on_thread = on_thread
        self._rescan_seconds = rescan_seconds
        self._closed = closed
        self._ahead: list[deque[tuple[datetime, T]]] = [deque() for _ in tapes]
        self._due: list[tuple[datetime, int]] = []
        self._dry = set(range(len(tapes)))

    async def play(self) -> AsyncGenerator[T | Subscribed, None]:
        """Items of one time come in the order of the tapes. That all files can be read is said first."""
        loop = asyncio.get_running_loop()
        await self._look()
        looked = loop.time()
        for symbol in () if self._closed.is_set() else self._symbols:
            yield Subscribed(symbol)
        while self._tapes and not self._closed.is_set():
            if self._dry and loop.time() >= looked + self._rescan_seconds:
                await self._look()
                looked = loop.time()
            while (moment := self._next_due()) is not None:
                number = moment[1]
                ahead = self._ahead[number]
                # An entry may also be a time to look again, by which rows that lie further ahead have come.
                if ahead and ahead[0][0] <= moment[0]:
                    yield ahead.popleft()[1]
                    self._mark(number)
                if not ahead:
                    await self._fill(number)
            await self._pause(looked + self._rescan_seconds - loop.time() if self._dry else None)

    async def _look(self) -> None:
        """At the files of the tapes that had nothing more."""
        for number in sorted(self._dry):
            await self._fill(number)

    def _next_due(self) -> tuple[datetime, int] | None:
        if self._closed.is_set() or not self._due or self._due[0][0] > self._clock.now():
            return None
        return heapq.heappop(self._due)

    async def _fill(self, number: int) -> None:
        if self._closed.is_set():
            return
        now = self._clock.now()
        items, again = await self._on_thread(lambda: self._tapes[number].more(now))
        self._ahead[number].extend(items)
        if items:
            self._dry.discard(number)
            self._mark(number)
        else:
            self._dry.add(number)
            if again is not None:
                heapq.heappush(self._due, (again, number))

    def _mark(self, number: int) -> None:
        if self._ahead[number]:
            heapq.heappush(self._due, (self._ahead[number][0][0], number))

    async def _pause(self, most_seconds: float | None) -> None:
        """Until something is due, but no longer than `most_seconds` of real time: files change by people's time."""
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(self._closed.wait())]
        if self._due:
            seconds = (self._due[0][0] - self._clock.now()).total_seconds()
            waits.append(asyncio.ensure_future(self._clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, timeout=most_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
