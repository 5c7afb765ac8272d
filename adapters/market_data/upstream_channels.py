"""What comes in on one socket of a source, given to the many iterators that wait for it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from typing import Generic, TypeVar

from application.ports.market_data import Subscribed
from domain.errors import DomainError, Unavailable

T = TypeVar("T")


class _Reader(Generic[T]):
    """What one iterator has yet to give: news of its keys, then each item, or the newest item by key."""

    def __init__(self, keys: frozenset[str]) -> None:
        self.keys = keys
        self.news: deque[Subscribed] = deque()
        self.each: deque[T] = deque()
        self.newest: dict[str, T] = {}
        self.ended = False
        self.error: DomainError | None = None
        self.wake = asyncio.Event()

    def take(self) -> T | Subscribed:
        if self.news:
            return self.news.popleft()
        return self.each.popleft() if self.each else self.newest.pop(next(iter(self.newest)))

    def subscribed(self, key: str) -> None:
        self.news.append(Subscribed(key))
        self.wake.set()

    def end(self, error: DomainError | None) -> None:
        self.ended, self.error = True, error
        self.wake.set()


class Upstream(Generic[T]):
    """One channel of a source (its quotes, its trades, its minute bars), keyed by symbol.

    With `conflate` a slow reader sees the newest item of each key, in the order in which the keys came up;
    otherwise each item, and one that leaves more than `most_waiting` unread is ended by Unavailable. `on_change`
    is called when `wanted` is not what it was. Everything runs on the event loop: a source's own thread hands
    its items over by `loop.call_soon_threadsafe`.

    A source that tells which keys it has subscribed to is handed on by `confirm`, to later readers of them too.
    """

    def __init__(self, conflate: bool, most_waiting: int = 10_000) -> None:
        self._conflate = conflate
        self._most_waiting = most_waiting
        self._readers: dict[str, list[_Reader[T]]] = {}
        self._confirmed: set[str] = set()
        self._closed = False
        self.on_change: Callable[[], None] | None = None

    @property
    def wanted(self) -> frozenset[str]:
        """The keys that at least one iterator waits for."""
        return frozenset(self._readers)

    async def open(self, keys: Collection[str]) -> AsyncGenerator[T | Subscribed, None]:
        """Items of `keys` published from the first `anext` on; ends when closed, or by raising what `fail` was given.

        Whoever opens it closes it (`aclose`), also after a cancellation.
        """
        reader = _Reader[T](frozenset(keys))
        self._add(reader)
        try:
            while True:
                while reader.news or reader.each or reader.newest:
                    yield reader.take()
                if reader.error is not None:
                    raise reader.error.with_traceback(None)  # others raise the same one
                if reader.ended:
                    return
                reader.wake.clear()
                await reader.wake.wait()
        finally:
            self._remove(reader)

    def confirm(self, keys: Iterable[str]) -> None:
        """The source has subscribed to `keys`. It counts until nobody wants a key; repeating changes nothing."""
        for key in keys:
            if key in self._readers and key not in self._confirmed:
                self._confirmed.add(key)
                for reader in self._readers[key]:
                    reader.subscribed(key)

    def publish(self, key: str, item: T) -> None:
        for reader in tuple(self._readers.get(key, ())):
            if self._conflate:
                reader.newest[key] = item
            else:
                reader.each.append(item)
                if len(reader.each) > self._most_waiting:
                    self._end(reader, _too_slow(self._most_waiting))
            reader.wake.set()

    def fail(self, error: DomainError) -> None:
        """End every open iterator by `error`, after what it has yet to give. Later ones begin anew."""
        self._end_all(error)

    def close(self) -> None:
        """End every iterator, later ones at once."""
        self._closed = True
        self._end_all(None)

    def _end_all(self, error: DomainError | None) -> None:
        readers = {id(reader): reader for group in self._readers.values() for reader in group}
        for reader in readers.values():
            reader.end(error)
        self._confirmed.clear()
        if self._readers:
            self._readers.clear()
            self._changed()

    def _end(self, reader: _Reader[T], error: DomainError) -> None:
        reader.end(error)
        self._remove(reader)

    def _add(self, reader: _Reader[T]) -> None:
        if self._closed:
            return reader.end(None)
        added = [key for key in reader.keys if key not in self._readers]
        for key in reader.keys:
            self._readers.setdefault(key, []).append(reader)
            if key in self._confirmed:
                reader.subscribed(key)
        if added:
            self._changed()
        return None

    def _remove(self, reader: _Reader[T]) -> None:
        gone = False
        for key in reader.keys:
            group = self._readers.get(key, [])
            if reader in group:
                group.remove(reader)
                if not group:
                    del self._readers[key]
                    self._confirmed.discard(key)
                    gone = True
        if gone:
            self._changed()

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()


def _too_slow(most_waiting: int) -> Unavailable:
    return Unavailable(
        f"the reader is more than {most_waiting} messages behind: open the stream again",
        reason="MARKET_DATA_UNAVAILABLE",
    )
