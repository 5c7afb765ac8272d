"""Time as a port: every decision and every timer reads it here, so a test can own it."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Timer(Protocol):
    def cancel(self) -> None:
        """Forget the callback; harmless after it ran."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment, aware, in UTC. Never goes backwards."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` on the event loop once `seconds` of this clock's time have passed."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return once `seconds` of this clock's time have passed."""
        ...
