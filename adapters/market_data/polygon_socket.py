"""One WebSocket of Polygon, by its SDK, from connecting to whatever ends it.

The SDK connects again by itself, which would hide that something is missing: here it may not. A connection that
cannot be made it tries for ever, so that has a time limit. Of refusals it tells but one, that of the key: the others
are seen where the messages are read.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from massive import WebSocketClient
from massive.exceptions import AuthError

from adapters.market_data.polygon_rest import NAME, log_once
from adapters.market_data.polygon_settings import KEY_REMEDY, PolygonSettings
from adapters.market_data.polygon_symbols import Cluster
from adapters.market_data.provider_errors import key_refused, not_capable, unavailable
from domain.errors import DomainError

_LARGEST_FRAME = 16 * 2**20
_GRACE_SECONDS = 0.5
_STOP_SECONDS = 1.0
_MOST_REPEATS = 3

_log = logging.getLogger(__name__)


class PolygonSocket:
    """`take` is given each event, `confirm` the subscriptions that were made, `reject` those of which one was refused,
    and why.
    """

    def __init__(
        self,
        cluster: Cluster,
        settings: PolygonSettings,
        wanted: frozenset[str],
        take: Callable[[Mapping[str, Any]], None],
        confirm: Callable[[frozenset[str]], None],
        reject: Callable[[frozenset[str], DomainError], None],
    ) -> None:
        self._settings = settings
        self._take = take
        self._tell_confirmed = confirm
        self._reject = reject
        self._decided = asyncio.Event()
        self._wanted = wanted
        self._confirmed: set[str] = set()
        self._refusal: DomainError | None = None
        address = urlsplit(settings.stream_address)
        self._client = WebSocketClient(
            settings.api_key,
            feed=f"{address.netloc}{address.path.rstrip('/')}",
            market=cluster.value,
            raw=True,
            subscriptions=sorted(wanted),
            max_reconnects=0,
            secure=address.scheme == "wss",
            custom_json=self,
        )
        log_once("WebSocketClient")

    def want(self, wanted: frozenset[str]) -> None:
        """Subscribe and unsubscribe; the SDK does it within a second."""
        added, gone = wanted - self._wanted, self._wanted - wanted
        self._wanted = wanted
        self._confirmed -= gone
        self._client.unsubscribe(*gone)
        self._client.subscribe(*added)

    async def run(self) -> DomainError:
        """Why it ended."""
        client = asyncio.create_task(self._connect())
        decided = asyncio.create_task(self._decided.wait())
        try:
            seconds = self._settings.timeout_seconds
            await asyncio.wait({client, decided}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not client.done() and not self._decided.is_set():
                return unavailable(NAME, f"its stream does not open within {seconds:g} seconds")
            if self._refusal is None:
                await self._watch(client)
            return self._refusal or self._reason(client)
        finally:
            decided.cancel()
            await self._end(client)

    async def _connect(self) -> None:
        half = self._settings.stream_silence_seconds / 2
        await self._client.connect(
            self._receive,
            close_timeout=1,
            open_timeout=self._settings.timeout_seconds,
            ping_interval=half,
            ping_timeout=half,
            max_size=_LARGEST_FRAME,
        )

    async def _watch(self, client: "asyncio.Task[None]") -> None:
        """Until the client ends, repeat subscriptions that are not confirmed.

        The SDK loses one that is made while it is sending others.
        """
        repeats = 0
        while True:
            await asyncio.wait({client}, timeout=self._settings.timeout_seconds)
            if client.done():
                return
            missing = self._wanted - self._confirmed
            repeats = repeats + 1 if missing else 0
            if missing and repeats <= _MOST_REPEATS:
                self._client.subs -= missing
                self._client.subscribe(*missing)

    def _reason(self, client: "asyncio.Task[None]") -> DomainError:
        error = client.exception()
        if isinstance(error, AuthError):
            return key_refused(NAME, KEY_REMEDY)
        if error is not None:
            _log.debug("the SDK's stream ended", exc_info=error)
        return unavailable(NAME, "its stream broke" if error else "it closed its stream")

    async def _end(self, client: "asyncio.Task[None]") -> None:
        """The SDK leaves its socket open when it is stopped, and may miss that it is: closing the socket ends it."""
        self._wanted = frozenset()
        while True:
            client.cancel()
            if self._client.websocket is not None:
                await self._client.close()
            if client.done():
                break
            await asyncio.wait({client}, timeout=_STOP_SECONDS)
        if not client.cancelled():
            client.exception()

    # -- messages ------------------------------------------------------------------------------------

    async def _receive(self, frame: str | bytes) -> None:
        for message in self._messages(frame):
            if message.get("ev") == "status":
                self._status(message)
            else:
                self._take(message)

    def loads(self, frame: str | bytes) -> list[dict[str, Any]]:
        """What the SDK reads by itself: the greeting, and the answer to the key."""
        messages = self._messages(frame)
        for message in messages:
            self._status(message)
        return messages

    def dumps(self, message: object) -> str:
        return json.dumps(message)

    def _messages(self, frame: str | bytes) -> list[dict[str, Any]]:
        messages = json.loads(frame)
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise ValueError("no list of messages")
        return messages

    def _status(self, message: Mapping[str, Any]) -> None:
        status, text = str(message.get("status")), str(message.get("message"))
        if status == "auth_success":
            self._decided.set()
        elif status == "success":
            self._confirm(text)
        elif status in _REFUSALS:
            self._refusal = _REFUSALS[status]()
            self._decided.set()
        elif status == "error":
            _log.warning("the stream says: %s", text)
            asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._reject_unconfirmed, _error(text))

    def _confirm(self, text: str) -> None:
        what, _, subscriptions = text.partition(":")
        if what == "subscribed to":
            made = frozenset(one.strip().replace("/", "-") for one in subscriptions.split(","))
            self._confirmed |= made
            self._tell_confirmed(made)

    def _reject_unconfirmed(self, error: DomainError) -> None:
        """A refusal does not name what it refuses: it is what has no confirmation when all answers should be there."""
        refused = self._wanted - self._confirmed
        if refused:
            self._reject(refused, error)


def _error(text: str) -> DomainError:
    if any(word in text.lower() for word in ("authoriz", "entitle", "plan", "access")):
        return not_capable(NAME, "the plan that the key is of does not include this stream")
    return unavailable(NAME, "it refuses a subscription")


_REFUSALS: Mapping[str, Callable[[], DomainError]] = {
    "auth_failed": lambda: key_refused(NAME, KEY_REMEDY),
    "auth_timeout": lambda: unavailable(NAME, "its stream waited in vain for the key"),
    "max_connections": lambda: unavailable(
        NAME, "the key's other connection holds the stream: a plan has one a market"
    ),
    "slow_consumer": lambda: unavailable(NAME, "its stream was not read fast enough"),
    "force_disconnect": lambda: unavailable(NAME, "it ended its stream"),
}
