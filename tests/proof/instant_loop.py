"""An event loop in which waiting takes no time: when nothing can run, its clock goes on to the next timer."""

import asyncio
import selectors
from typing import Any


class _Skipping(selectors.DefaultSelector):
    loop: "InstantLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing can run, now or later: what is awaited never comes")
        if not ready and timeout:
            self.loop.skip(timeout)
        return ready


class InstantLoop(asyncio.SelectorEventLoop):
    """`asyncio.sleep(x)` returns once all has run that can before then, x seconds of loop time later."""

    def __init__(self) -> None:
        self._now = 0.0
        selector = _Skipping()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def skip(self, seconds: float) -> None:
        self._now += seconds
