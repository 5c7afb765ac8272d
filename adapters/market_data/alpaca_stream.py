"""Alpaca's live data: one socket for stocks and one for crypto, each shared by all who read from it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from alpaca.data.live import CryptoDataStream, StockDataStream

from adapters.market_data.alpaca_link import Link
from adapters.market_data.alpaca_settings import NAME, AlpacaSettings
from adapters.market_data.provider_errors import not_capable, unavailable
from adapters.market_data.upstream_channels import Upstream
from application.ports.clock import Clock
from domain.errors import DomainError

Message = dict[str, object]
Stream = StockDataStream | CryptoDataStream
Wanted = dict[str, frozenset[str]]

_log = logging.getLogger(__name__)

_GATHER_SECONDS = 0.02
_PAUSE_SECONDS = 0.5
_CANCEL_SECONDS = 0.1
_CLOSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class StreamChannel:
    """`upstream` are its readers, keyed by symbol; `take` is given each message of a symbol."""

    upstream: Upstream[Any]
    take: Callable[[str, Message], None]
    forget: Callable[[str], None] = lambda symbol: None


class AlpacaStream:
    """Connected while somebody reads. A connection that breaks fails all readers: those who go on open again.

    `channels` are by the SDK's name of each: "quotes" for `subscribe_quotes`. `most_symbols` (0: no limit is known) is
    how many symbols the plan lets have quotes or trades at a time; it falls when the vendor says that it is less.
    """

    def __init__(
        self,
        clock: Clock,
        settings: AlpacaSettings,
        connect: Callable[[dict[str, Any]], Stream],
        channels: Mapping[str, StreamChannel],
        most_symbols: int = 0,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._connect = connect
        self._channels = channels
        self._most_symbols = most_symbols
        # The SDK changes subscriptions only for another thread than its loop's.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"{NAME} stream")
        self._task: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._is_closed = False
        self._not_before = 0.0
        for channel in channels.values():
            channel.upstream.on_change = self._stir

    def require_room(self, symbols: Collection[str]) -> None:
        """Raise not_capable when the plan does not stream `symbols` besides what is streamed now."""
        if 0 < self._most_symbols < len(_limited(self._wanted()).union(symbols)):
            raise not_capable(NAME, f"the plan of the key streams {self._most_symbols} symbols at a time")

    async def close(self) -> None:
        """Readers end, the socket closes."""
        self._is_closed = True
        for channel in self._channels.values():
            channel.upstream.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if self._ending is not None:
            await asyncio.wait((self._ending,))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _stir(self) -> None:
        self._changed.set()
        if not self._is_closed and self._wanted() and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._run(), name=f"{NAME} stream")

    def _wanted(self) -> Wanted:
        return {name: wanted for name, channel in self._channels.items() if (wanted := channel.upstream.wanted)}

    async def _run(self) -> None:
        """Connections, one after the other, while somebody reads."""
        while self._wanted():
            await asyncio.sleep(max(_GATHER_SECONDS, self._not_before - asyncio.get_running_loop().time()))
            self._not_before = asyncio.get_running_loop().time() + _PAUSE_SECONDS
            await self._session(Link(self._clock, self._settings, self._confirm))

    def _confirm(self, confirmed: Mapping[str, frozenset[str]]) -> None:
        for name, symbols in confirmed.items():
            if name in self._channels:
                self._channels[name].upstream.confirm(symbols)

    def _fail(self, error: DomainError) -> None:
        for channel in self._channels.values():
            channel.upstream.fail(error)

    async def _session(self, link: Link) -> None:
        stream = self._connect(link.websocket_params())
        asked = self._wanted()
        for name, symbols in asked.items():
            self._subscribe(stream, link, name, symbols)
        running = asyncio.create_task(stream._run_forever(), name=f"{NAME} socket")
        running.add_done_callback(link.ended)
        try:
            await self._until_ready(link)
            await link.unless_broken(self._follow(stream, link, asked))
        except DomainError as error:
            if link.is_full:
                self._most_symbols = len(_limited(link.confirmed)) or max(1, len(_limited(asked)) // 2)
            self._fail(error)
        except Exception:
            _log.exception("a stream broke")
            self._fail(unavailable(NAME, "its stream broke"))
        finally:
            # What the socket still has belongs to nobody: a reader that comes now would not see that it breaks off.
            link.breaks(unavailable(NAME, "its stream ended"))
            self._ending = asyncio.create_task(_end(stream, running), name=f"{NAME} socket's end")
            await asyncio.shield(self._ending)
            for name, symbols in asked.items():
                self._forget(name, symbols)

    async def _until_ready(self, link: Link) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                await link.unless_broken(link.ready.wait())
        except TimeoutError as error:
            raise unavailable(NAME, "its stream does not answer in time") from error

    async def _follow(self, stream: Stream, link: Link, asked: Wanted) -> None:
        """Keep the subscriptions at what is wanted, until nothing has been for a while."""
        while True:
            self._changed.clear()
            await self._apply(stream, link, asked)
            if asked:
                await self._changed.wait()
            elif not await self._is_wanted_again():
                return
            await asyncio.sleep(_GATHER_SECONDS)

    async def _is_wanted_again(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.stream_linger_seconds):
                await self._changed.wait()
        return bool(self._wanted())

    async def _apply(self, stream: Stream, link: Link, asked: Wanted) -> None:
        wanted = self._wanted()
        for name in self._channels:
            before, now = asked.get(name, frozenset()), wanted.get(name, frozenset())
            if gone := before - now:
                await self._on_thread(getattr(stream, f"unsubscribe_{name}"), *gone)
                self._forget(name, gone)
                link.confirmed[name] = link.confirmed.get(name, frozenset()) - gone
            if new := now - before:
                await self._on_thread(self._subscribe, stream, link, name, new)
            asked[name] = now
            if not now:
                del asked[name]
        self._confirm(link.confirmed)  # to those who came back before anything changed at the vendor

    async def _on_thread(self, change: Callable[..., object], *args: object) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, change, *args)
        except Exception as error:
            raise unavailable(NAME, "its stream does not take subscriptions") from error

    def _subscribe(self, stream: Stream, link: Link, name: str, symbols: frozenset[str]) -> None:
        getattr(stream, f"subscribe_{name}")(_handler(self._channels[name], link), *symbols)

    def _forget(self, name: str, symbols: frozenset[str]) -> None:
        for symbol in symbols:
            self._channels[name].forget(symbol)


async def _end(stream: Stream, running: asyncio.Task[None]) -> None:
    """The SDK's loop is told to stop as well: while it closes a socket, it swallows a cancellation and then redials."""
    await stream.stop_ws()
    while not running.done():
        running.cancel()
        await asyncio.wait((running,), timeout=_CANCEL_SECONDS)
    with suppress(Exception):
        # The connection is gone or of no more use: how it ends does not matter.
        await asyncio.wait_for(stream.close(), _CLOSE_SECONDS)


def _limited(channels: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The symbols that count: those of bars and order books do not."""
    return channels.get("quotes", frozenset()) | channels.get("trades", frozenset())


def _handler(channel: StreamChannel, link: Link) -> Callable[[Message], Awaitable[None]]:
    async def handle(message: Message) -> None:
        symbol = message.get("S")
        try:
            if isinstance(symbol, str) and not link.broken.done():
                channel.take(symbol, message)
        except DomainError as error:
            link.breaks(error)
        except Exception:
            # The SDK would drop the rest of the frame and go on.
            _log.exception("a message of a stream cannot be taken")
            link.breaks(unavailable(NAME, "its stream makes no sense"))

    return handle
