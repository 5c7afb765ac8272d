"""Indicators for those on the event loop: calculations run on threads of their own, a few at a time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from application.ports.indicators import Indicators

P = ParamSpec("P")
T = TypeVar("T")
_THREADS = 2


class IndicatorDesk:
    """The threads are few so that long calculations wait for each other, and nobody else for them."""

    def __init__(self, indicators: Indicators) -> None:
        self.indicators = indicators
        self._threads = ThreadPoolExecutor(_THREADS, "indicators")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work` that is cancelled before it has begun does not begin."""
        return await asyncio.wrap_future(self._threads.submit(work, *args, **kwargs))

    def close(self) -> None:
        """What waits is dropped, what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
