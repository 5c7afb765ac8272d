"""Subscriptions at one exchange, each shared by all who read it, on sockets that live while any is wanted."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import ccxt

from adapters.market_data.ccxt_exchange import make_exchange
from adapters.market_data.ccxt_failures import breaks_connection, failure
from adapters.market_data.ccxt_line import CcxtLine
from adapters.market_data.ccxt_settings import NAME, CcxtSettings
from adapters.market_data.provider_errors import unavailable
from adapters.market_data.upstream_channels import Upstream
from application.ports.market_data import Subscribed
from domain.errors import DomainError

T = TypeVar("T")
Read = Callable[[Any], Awaitable[Sequence[T]]]
"""Waits on an exchange object for what comes next."""

_GOODBYE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Sockets:
    """An exchange object of ccxt whose sockets are in order. Once one of them has broken, it takes no new
    subscriptions: ccxt does not always forget what it had subscribed to on a socket that is gone.
    """

    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange
        self.watches: set[Watch[Any]] = set()
        self.broken = False

    def rest(self) -> None:
        """Stop what nobody reads, unless somebody reads the rest."""
        if all(watch.idle for watch in self.watches):
            for watch in self.watches:
                watch.stop()

    async def close(self) -> None:
        # A mute peer does not answer a farewell either.
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self.exchange.close_ws_clients()
        await self.exchange.close()


class CcxtStreams:
    """All subscriptions, and the sockets they are on. Everything runs on the event loop."""

    def __init__(self, line: CcxtLine, settings: CcxtSettings) -> None:
        self._line = line
        self._settings = settings
        self._sockets: Sockets | None = None
        self._watches: dict[object, Watch[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.linger_seconds = settings.linger_seconds
        self.timeout_seconds = settings.timeout_seconds
        self.closed = False

    def open(
        self, channel: object, symbol: str, make: Callable[[], "Watch[T]"]
    ) -> AsyncGenerator[T | Subscribed, None]:
        """What comes on `channel` from the first `anext` on; `make` says how it is read when nobody does yet."""
        topic = channel, symbol
        watch = self._watches.get(topic)
        if watch is None:
            watch = self._watches[topic] = make()
            watch.attach(self, symbol, lambda: self._watches.pop(topic, None))
        items: AsyncGenerator[T | Subscribed, None] = watch.upstream.open((symbol,))
        return items

    async def join(self, watch: "Watch[Any]") -> Sockets:
        """Sockets in order, which the watch uses until it leaves them."""
        source = await self._line.exchange()
        if self._sockets is None or self._sockets.broken:
            self._sockets = Sockets(make_exchange(self._settings))
        sockets = self._sockets
        sockets.watches.add(watch)
        sockets.exchange.set_markets_from_exchange(source)
        return sockets

    def leave(self, sockets: Sockets, watch: "Watch[Any]") -> None:
        sockets.watches.remove(watch)
        if sockets.watches:
            sockets.rest()
        else:
            sockets.broken = True
            self.run(sockets.close())

    def run(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task that `close` waits for."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        self.closed = True
        for watch in list(self._watches.values()):
            watch.upstream.close()
            watch.stop()
        while self._tasks:
            await asyncio.wait(set(self._tasks))


class Watch(Generic[T]):
    """One subscription. `begin` gives the function that waits for what comes next, anew after each break;
    `unsubscribe` ends it at the exchange where ccxt can.

    It lives a little longer than its last reader. One that cannot be ended goes on, read by nobody, while there are
    others: what comes of it would otherwise be kept by ccxt, and its errors complained of.

    That an exchange has confirmed it ccxt keeps to itself: what comes first shows it, be it an item or not.
    """

    def __init__(
        self,
        begin: Callable[[], Read[T]],
        unsubscribe: Callable[[Any], Awaitable[object]],
        *,
        conflate: bool,
    ) -> None:
        self.upstream = Upstream[T](conflate)
        self.idle = False
        self._begin = begin
        self._unsubscribe = unsubscribe
        self._task: asyncio.Task[None] | None = None
        self._sockets: Sockets | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._ending = False
        self._is_proven = False

    def attach(self, streams: CcxtStreams, symbol: str, forget: Callable[[], object]) -> None:
        self._streams = streams
        self._symbol = symbol
        self._forget = forget
        self.upstream.on_change = self._changed

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    # -- readers come and go -------------------------------------------------------------------------

    def _changed(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._streams.closed:
            return
        if not self.upstream.wanted:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._streams.linger_seconds, self._end)
            return
        self.idle = False
        if self._is_proven:
            self.upstream.confirm((self._symbol,))
        if self._task is None and not self._ending:
            self._task = self._streams.run(self._run())

    def _end(self) -> None:
        self._timer = None
        if self._task is None:
            self._forget()
        elif not self._ending:
            self._ending = True
            self._streams.run(self._leave(self._task))

    async def _leave(self, task: "asyncio.Task[None]") -> None:
        ended = self._sockets is None or await self._unsubscribed(self._sockets)
        self._ending = False
        if ended:
            task.cancel()
            await asyncio.wait({task})
            self._changed()
        elif not self.upstream.wanted and self._sockets is not None:
            self.idle = True
            self._sockets.rest()

    async def _unsubscribed(self, sockets: Sockets) -> bool:
        try:
            async with asyncio.timeout(self._streams.timeout_seconds):
                await self._unsubscribe(sockets.exchange)
        except Exception as error:
            _log.debug("ccxt: not unsubscribed: %r", error)
            return False
        return True

    # -- what comes ----------------------------------------------------------------------------------

    async def _run(self) -> None:
        error: DomainError | None = None
        try:
            self._sockets = await self._streams.join(self)
            read = self._begin()
            while True:
                items = await read(self._sockets.exchange)
                self._is_proven = True
                self.upstream.confirm((self._symbol,))
                for item in items:
                    self.upstream.publish(self._symbol, item)
        except ccxt.UnsubscribeError:
            pass
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # ccxt cancels what waits for a socket that it closes.
            error = unavailable(NAME, "the connection broke")
        except Exception as raised:
            error = self._understood(raised)
        finally:
            self._left()
        if error is not None:
            self.upstream.fail(error)
        elif self.upstream.wanted:
            self._changed()

    def _understood(self, error: Exception) -> DomainError:
        if self._sockets is not None and breaks_connection(error):
            self._sockets.broken = True
        return failure(error)

    def _left(self) -> None:
        sockets, self._sockets, self._task = self._sockets, None, None
        self._is_proven = False
        if sockets is not None:
            self._streams.leave(sockets, self)
        if not self.upstream.wanted and self._timer is None and not self._ending:
            self._forget()


async def merged(streams: Sequence[AsyncGenerator[T, None]]) -> AsyncGenerator[T, None]:
    """The items of all, each as it comes; ends by the first error. Closes them."""
    waiting = {asyncio.ensure_future(anext(stream)): stream for stream in streams}
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for ready in done:
                stream = waiting[ready]
                with suppress(StopAsyncIteration):
                    yield ready.result()
                    waiting[asyncio.ensure_future(anext(stream))] = stream
                del waiting[ready]
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for stream in streams:
            await stream.aclose()
