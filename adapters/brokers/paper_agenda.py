"""What is under way to the paper venue and back, by the moment at which it arrives."""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any


class Agenda:
    """Actions by due time; those of one moment by `tie`, then as they came.

    With the account as `tie`, accounts that act at the same moment come in an order of their own, whichever
    of them the process happened to serve first.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[datetime, str, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = count()

    def add(self, due: datetime, tie: str, action: Callable[..., None], *args: Any) -> None:
        heapq.heappush(self._entries, (due, tie, next(self._count), action, args))

    def next(self) -> datetime | None:
        return self._entries[0][0] if self._entries else None

    def run(self, now: datetime) -> None:
        """Carry out all that is due."""
        entries = self._entries
        while entries and entries[0][0] <= now:
            _, _, _, action, args = heapq.heappop(entries)
            action(*args)
