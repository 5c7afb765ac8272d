"""The newest committed events of an account in memory, and a wake-up for those who wait for more.

A stream is a cursor: it reads what is here, older events from the store, at its own pace. So a slow reader
costs its own position and nothing else, and loses nothing.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from domain.errors import OutOfRange
from domain.trading.events.order_events import Event
from domain.trading.repositories.order_repository import OrderRepository

_KEPT_EVENTS = 4_096
_PAGE = 512


class EventFeed:
    """Committed events of one account, dense up to `last_sequence`."""

    def __init__(self, account_id: str, last_sequence: int, store: OrderRepository) -> None:
        self.account_id = account_id
        self.last_sequence = last_sequence
        self._store = store
        self._recent: deque[Event] = deque(maxlen=_KEPT_EVENTS)
        self._more = asyncio.Event()

    def publish(self, event: Event) -> None:
        """Take the next committed event; `wake` follows once a whole commit is in."""
        if event.sequence != self.last_sequence + 1:
            raise ValueError(f"event {event.sequence} does not follow {self.last_sequence}")
        self._recent.append(event)
        self.last_sequence = event.sequence

    def wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    def require_reached(self, sequence: int) -> None:
        """Raise OutOfRange for a cursor from the future."""
        if sequence > self.last_sequence:
            raise OutOfRange(
                f"after_sequence: the account's journal ends at {self.last_sequence}",
                current_sequence=str(self.last_sequence),
            )

    async def wait_beyond(self, sequence: int, seconds: float) -> None:
        """Return once there is an event above `sequence`, or after `seconds` of real time without one."""
        if self.last_sequence > sequence:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return

    async def after(self, sequence: int) -> Sequence[Event]:
        """The next events above `sequence`, from memory or else a page from the store; empty at the end."""
        if sequence >= self.last_sequence:
            return ()
        if self._recent and self._recent[0].sequence <= sequence + 1:
            start = sequence + 1 - self._recent[0].sequence
            return [self._recent[i] for i in range(start, min(start + _PAGE, len(self._recent)))]
        return await self._store.events(self.account_id, sequence, _PAGE, until=self.last_sequence)
