"""Clocks: the system's, one that runs faster than real time, and one that a test moves by hand."""

import asyncio
import heapq
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

# The loop's timers have whole milliseconds, and one of less than half of one is none: waiting for the rest of a
# millisecond would be asking again and again until it is over.
_SHORTEST_WAIT = 0.001


class _LoopClock(ABC):
    """A clock that follows real time, with its timers on the running event loop.

    `speed` is how many of its seconds pass in a real one.
    """

    speed: float = 1.0

    @abstractmethod
    def now(self) -> datetime: ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> "_LoopTimer":
        return _LoopTimer(self, seconds, callback)

    def wait_for(self, seconds: float) -> float:
        """The real seconds that a timer of so many of the clock's must be set to."""
        return max(_SHORTEST_WAIT, seconds / self.speed) if seconds > 0 else 0.0

    async def sleep(self, seconds: float) -> None:
        due = self.now() + timedelta(seconds=seconds)
        while True:
            await asyncio.sleep(self.wait_for(seconds))
            seconds = (due - self.now()).total_seconds()
            if seconds <= 0:
                return


class _LoopTimer:
    """One callback. An event loop may wake a millisecond early: then the timer waits for the rest."""

    def __init__(self, clock: _LoopClock, seconds: float, callback: Callable[[], None]) -> None:
        self._clock = clock
        self._callback = callback
        self._due = clock.now() + timedelta(seconds=seconds)
        self._wait(seconds)

    def cancel(self) -> None:
        self._handle.cancel()

    def _wait(self, seconds: float) -> None:
        self._handle = asyncio.get_running_loop().call_later(self._clock.wait_for(seconds), self._wake)

    def _wake(self) -> None:
        missing = (self._due - self._clock.now()).total_seconds()
        if missing > 0:
            self._wait(missing)
        else:
            self._callback()


_utc_now = partial(datetime.now, UTC)


class SystemClock(_LoopClock):
    """The machine's clock. When that is set back, this one goes on from where it was, and stays ahead."""

    def __init__(self, wall_clock: Callable[[], datetime] = _utc_now) -> None:
        self._wall_clock = wall_clock
        self._last = wall_clock()
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        now = self._wall_clock() + self._ahead
        if now < self._last:
            self._ahead += self._last - now
            now = self._last
        self._last = now
        return now


class AcceleratedClock(_LoopClock):
    """Starts at `start` (aware) and lets `speed` (above 0) seconds pass in each real second."""

    def __init__(self, speed: float, start: datetime, monotonic: Callable[[], float] = time.monotonic) -> None:
        if not speed > 0:
            raise ValueError(f"speed: must be above 0, not {speed}")
        self.speed = speed
        self._monotonic = monotonic
        self._start = start.timestamp()
        self._origin = monotonic()

    def now(self) -> datetime:
        elapsed = (self._monotonic() - self._origin) * self.speed
        return datetime.fromtimestamp(self._start + elapsed, UTC)


class _ManualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    """Stands still until `advance` moves it, so that a test owns every timer."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._order = itertools.count()
        self._timers: list[tuple[datetime, int, _ManualTimer]] = []

    def now(self) -> datetime:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> _ManualTimer:
        timer = _ManualTimer(callback)
        due = self._now + timedelta(seconds=max(0.0, seconds))
        heapq.heappush(self._timers, (due, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return await asyncio.sleep(0)
        woken = asyncio.Event()
        timer = self.call_later(seconds, woken.set)
        try:
            await woken.wait()
        finally:
            timer.cancel()

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, and run every timer that falls due on the way at its own time.

        Timers run by due time, those of one time in the order of their making, new ones included.
        Sleepers are woken, but run only when the caller next awaits something.
        """
        if seconds < 0:
            raise ValueError(f"seconds: a clock never goes backwards, not even by {-seconds}")
        end = self._now + timedelta(seconds=seconds)
        while self._timers and self._timers[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._timers)
            if timer.callback is not None:
                timer.callback()
        self._now = end
