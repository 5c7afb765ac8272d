"""How many requests may be made: said beforehand, not found out by refusals."""

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from adapters.market_data.provider_errors import rate_limited

_MINUTE = 60.0


class RequestBudget:
    """At most `per_minute` requests (0: any number) in any minute, and none while the vendor wants a pause.

    Threads share it. `monotonic` gives seconds.
    """

    def __init__(self, provider: str, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._provider = provider
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._spent: deque[float] = deque()
        self._paused_until = 0.0
        self._lock = Lock()

    def spend(self) -> None:
        """Count one request that is about to be made. Raises Throttled, with the wait, when it may not be made."""
        with self._lock:
            now = self._monotonic()
            wait = max(self._paused_until - now, self._until_one_is_free(now))
            if wait > 0:
                raise rate_limited(self._provider, wait)
            if self._per_minute:
                self._spent.append(now)

    def pause(self, seconds: float) -> None:
        """The vendor said to wait for so long."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._monotonic() + seconds)

    def _until_one_is_free(self, now: float) -> float:
        while self._spent and self._spent[0] <= now - _MINUTE:
            self._spent.popleft()
        if not self._per_minute or len(self._spent) < self._per_minute:
            return 0.0
        return self._spent[0] + _MINUTE - now
