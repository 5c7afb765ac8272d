"""What one reader has not taken yet: bounded, whatever the reader does."""

import asyncio
from collections import deque

from application.market_data.topics import Topic, Update, UpstreamNews
from domain.errors import Throttled

MOST_WAITING = 10_000
_FEW = 100


class Delivery:
    """An update, and how many earlier ones of its slot were merged into it; a void one is passed over."""

    __slots__ = ("merged", "update", "void")

    def __init__(self, update: Update) -> None:
        self.update = update
        self.merged = 0
        self.void = False


class Subscriber:
    """One reader's line. Updates with a slot wait there at most once, the others at most `most_waiting` times.

    `min_interval` is the least time in seconds (real ones: it spares the reader) between two of one slot.
    """

    __slots__ = (
        "_held",
        "_line",
        "_min_interval",
        "_most_waiting",
        "_overflowed",
        "_unmerged",
        "_waiter",
        "_waiting",
        "ended",
        "topics",
    )

    def __init__(self, min_interval: float = 0.0, most_waiting: int = MOST_WAITING) -> None:
        self.topics: dict[Topic, None] = {}
        self.ended = False
        self._min_interval = min_interval
        self._most_waiting = most_waiting
        self._unmerged = 0
        self._overflowed = False
        self._line: deque[Delivery] = deque()
        self._waiting: dict[str, Delivery] = {}
        self._held: dict[str, asyncio.TimerHandle] = {}
        self._waiter: asyncio.Future[None] | None = None

    # -- the side of the market ----------------------------------------------------------------------

    def offer(self, update: Update) -> bool:
        """Never waits. False when the reader has fallen too far behind, and gets nothing any more."""
        slot = update.slot
        if slot is None:
            if self._unmerged >= self._most_waiting:
                return self._overflow()
            self._unmerged += 1
            if update.supersedes is not None:
                self._supersede(update.supersedes)
            self._line.append(Delivery(update))
        else:
            waiting = self._waiting.get(slot)
            if waiting is not None and not isinstance(update.item, UpstreamNews):
                waiting.update = update
                waiting.merged += 1
                return True
            if waiting is not None:
                update = self._renewed(waiting, update)
            waiting = self._waiting[slot] = Delivery(update)
            if self._min_interval and slot in self._held:
                return True
            self._line.append(waiting)
        self.wake()
        return True

    def end(self) -> None:
        """Tell the reader that no more will come."""
        self.ended = True
        self.wake()

    def forget(self, topic: Topic) -> None:
        """Drop what waits of `topic`."""
        self._line = deque(delivery for delivery in self._line if delivery.update.topic != topic)
        self._unmerged = sum(delivery.update.slot is None for delivery in self._line)
        gone = [slot for slot, delivery in self._waiting.items() if delivery.update.topic == topic]
        for slot in gone:
            del self._waiting[slot]

    def _renewed(self, waiting: Delivery, update: Update) -> Update:
        """News come behind what they are about, not in the place of earlier ones, and tell of the gap of those too."""
        waiting.void = True
        if len(self._line) > _FEW + 2 * (self._unmerged + len(self._waiting)):
            self._line = deque(delivery for delivery in self._line if not delivery.void)
        news, earlier = update.item, waiting.update.item
        if not isinstance(news, UpstreamNews) or not isinstance(earlier, UpstreamNews):
            return update
        whole = news.after(earlier)
        return update if whole is news else Update(update.topic, whole, update.received_time, update.slot)

    def _supersede(self, slot: str) -> None:
        waiting = self._waiting.pop(slot, None)
        if waiting is not None:
            waiting.void = True

    def _overflow(self) -> bool:
        self._overflowed = True
        self._line.clear()
        self._waiting.clear()
        self.wake()
        return False

    # -- the side of the reader ----------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        return not self._line

    def take(self) -> Delivery | None:
        """The next delivery, None when there is nothing; raises Throttled after an overflow."""
        if self._overflowed:
            raise Throttled(
                f"the reader fell more than {self._most_waiting} trades or bars behind. What was sent until here is"
                " complete: subscribe again, to bars with start_time at the close_time of the last one received",
                0.0,
                reason="SLOW_READER",
            )
        while self._line:
            delivery = self._line.popleft()
            if delivery.void:
                continue
            slot = delivery.update.slot
            if slot is None:
                self._unmerged -= 1
            else:
                del self._waiting[slot]
                if self._min_interval:
                    self._hold(slot)
            return delivery
        return None

    def more(self) -> asyncio.Future[None]:
        """Done once something has come or `wake` was called. For the only reader, after it found nothing."""
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        return waiter

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def close(self) -> None:
        for timer in self._held.values():
            timer.cancel()

    def _hold(self, slot: str) -> None:
        loop = asyncio.get_running_loop()
        self._held[slot] = loop.call_later(self._min_interval, self._release, slot)

    def _release(self, slot: str) -> None:
        del self._held[slot]
        waiting = self._waiting.get(slot)
        if waiting is not None:
            self._line.append(waiting)
            self.wake()
