"""One connection of Alpaca's stream, as seen at the socket.

The SDK's stream hides its breaks: it redials by itself, tells nobody, replays nothing, and with a refused key it does
so for ever. Its constructor takes the parameters of the WebSocket, the protocol's class among them: the one given
here sees each frame and each end before the SDK does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgpack
from websockets.exceptions import ConnectionClosed
from websockets.legacy.client import WebSocketClientProtocol
from websockets.legacy.exceptions import InvalidStatusCode
from websockets.typing import Data

from adapters.market_data.alpaca_rest import Refused, refusal
from adapters.market_data.alpaca_settings import NAME, REMEDY, AlpacaSettings
from adapters.market_data.provider_errors import key_refused, not_capable, unavailable
from application.ports.clock import Clock
from domain.errors import DomainError

T = TypeVar("T")

_MOST_BYTES = 16 * 2**20
_MOST_FRAMES = 1_024
_KEEPALIVE_ENDED = 1011


class Link:
    """`ready` once the first subscription is confirmed; `broken` as soon as the connection is of no more use.

    `confirmed` has the symbols that are subscribed, by the vendor's name of the channel; `on_confirmed` is called with
    it after each change. `is_full` when it broke because the plan streams fewer than were asked for.
    """

    def __init__(
        self,
        clock: Clock,
        settings: AlpacaSettings,
        on_confirmed: Callable[[Mapping[str, frozenset[str]]], None],
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._on_confirmed = on_confirmed
        self.ready = asyncio.Event()
        self.is_full = False
        self.confirmed: dict[str, frozenset[str]] = {}
        self.broken: asyncio.Future[DomainError] = asyncio.get_running_loop().create_future()

    def websocket_params(self) -> dict[str, Any]:
        """For the SDK's stream. A ping that gets no answer shows that the other side is gone."""
        silence = self._settings.stream_silence_seconds / 2
        return {
            "create_protocol": partial(_SeenProtocol, self),
            "open_timeout": self._settings.timeout_seconds,
            "close_timeout": 1.0,
            "ping_interval": silence,
            "ping_timeout": silence,
            "max_queue": _MOST_FRAMES,
            "max_size": _MOST_BYTES,
        }

    async def unless_broken(self, work: Awaitable[T]) -> T:
        """What `work` gives; raises why the link is broken when that comes first."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self.broken), return_when=asyncio.FIRST_COMPLETED)
            if self.broken.done():
                raise self.broken.result()
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait((task,))
            _ = task.cancelled() or task.exception()

    def breaks(self, error: DomainError) -> None:
        """Only the first reason counts."""
        if not self.broken.done():
            self.broken.set_result(error)

    def saw(self, frame: Data) -> None:
        try:
            messages: object = msgpack.unpackb(frame)
        except (ValueError, TypeError, msgpack.UnpackException):
            messages = None
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            return self.breaks(unavailable(NAME, "its stream makes no sense"))
        for message in messages:
            kind = message.get("T")
            if kind == "subscription":
                self.confirmed = {name: _symbols(listed) for name, listed in message.items() if name != "T"}
                self.ready.set()
                if not self.broken.done():
                    self._on_confirmed(self.confirmed)
            elif kind == "error":
                self.is_full = message.get("code") == _TOO_MANY_SYMBOLS
                self.breaks(told(message.get("code"), message.get("msg")))
        return None

    def refused(self, error: Exception) -> None:
        """The connection was not made."""
        if isinstance(error, InvalidStatusCode):
            self.breaks(refusal(Refused(error.status_code, "", error.headers), self._clock.now()))
        else:
            self.breaks(unavailable(NAME, "no connection to its stream can be made"))

    def ended(self, running: asyncio.Task[None]) -> None:
        """The SDK's own loop, which never should."""
        _ = running.cancelled() or running.exception()
        self.breaks(unavailable(NAME, "its stream ended"))

    def closed(self, error: ConnectionClosed) -> None:
        silent = error.rcvd is None and error.sent is not None and error.sent.code == _KEEPALIVE_ENDED
        self.breaks(unavailable(NAME, "its stream fell silent" if silent else "its stream was cut off"))


class _SeenProtocol(WebSocketClientProtocol):
    def __init__(self, link: Link, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._link = link

    async def handshake(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().handshake(*args, **kwargs)
        except Exception as error:
            self._link.refused(error)
            raise

    async def recv(self) -> Data:
        try:
            frame = await super().recv()
        except ConnectionClosed as error:
            self._link.closed(error)
            raise
        self._link.saw(frame)
        return frame


def _symbols(listed: object) -> frozenset[str]:
    return frozenset(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else frozenset()


def told(code: object, text: object) -> DomainError:
    """What an error message on the stream says, by the vendor's code."""
    said = "".join(char for char in text if char.isprintable())[:_LONGEST_TEXT] if isinstance(text, str) else ""
    if isinstance(code, int) and code in _KEY:
        return key_refused(NAME, REMEDY)
    if isinstance(code, int) and code in _PLAN:
        return not_capable(NAME, f"{_PLAN[code]} ({said})")
    return unavailable(NAME, f"its stream ended with error {code} ({said})")


_LONGEST_TEXT = 200
_TOO_MANY_SYMBOLS = 405
_KEY = frozenset({401, 402})
_PLAN = {
    409: "the plan of the key does not stream it",
    410: "the feed does not stream it",
}
