"""Requests to one exchange: within its rate limit, bounded in time, its list of markets read before the first."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

from adapters.market_data.ccxt_exchange import make_exchange
from adapters.market_data.ccxt_failures import TooManyRequests, failure, sent_at
from adapters.market_data.ccxt_settings import NAME, CcxtSettings
from adapters.market_data.provider_errors import not_capable, rate_limited, unavailable
from application.ports.clock import Clock
from domain.errors import Unavailable

T = TypeVar("T")

_MOST_WAITING = 100
_MOST_SENT = 10
_TURNS_OF_PATIENCE = 3
_RELOAD_AGAIN = timedelta(minutes=1)
_FAR_OFF = timedelta(minutes=10)

_log = logging.getLogger(__name__)


class CcxtLine:
    """The exchange object for requests. Everything runs on the event loop."""

    def __init__(self, clock: Clock, settings: CcxtSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._exchange: Any = None
        self._loading: asyncio.Task[None] | None = None
        self._stale_at: datetime | None = None
        self._wait_until: datetime | None = None
        self._waiting = 0
        # ccxt goes on keeping a place in its queue for a caller that has gone: so only a few may stand in it.
        self._turns = asyncio.Semaphore(_MOST_SENT)
        self._closed = False

    async def markets(self) -> Mapping[str, Any]:
        """All markets by symbol, as ccxt describes them."""
        exchange = await self.exchange()
        markets: Mapping[str, Any] = exchange.markets
        return markets

    async def exchange(self) -> Any:
        """With its markets loaded, at most `catalogue_seconds` ago if it answered since."""
        exchange = self._made()
        if self._stale_at is None or self._clock.now() >= self._stale_at:
            await self._load()
        return exchange

    async def require(self, feature: str, what: str) -> Any:
        """The exchange, if ccxt says that it has the feature by itself."""
        if self._made().has.get(feature) is not True:
            raise not_capable(NAME, f"{self._settings.exchange} has no {what}")
        return await self.exchange()

    async def ask(self, read: Callable[[Any], T], method: str, *arguments: object) -> T:
        """What the method of the exchange answers, as `read` makes it; what that does not understand is nonsense."""
        exchange = await self.exchange()

        async def request() -> T:
            return read(await getattr(exchange, method)(*arguments))

        return await self._bounded(request)

    def venue_now(self) -> datetime:
        """The present, no later than the exchange's clock had it in its last answer, unless that is far off."""
        now = self._clock.now()
        made = sent_at(self._made().last_response_headers or {})
        return made if made is not None and now - _FAR_OFF < made < now else now

    async def close(self) -> None:
        self._closed = True
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.wait({self._loading})
        if self._exchange is not None:
            await self._exchange.close()

    def _made(self) -> Any:
        if self._closed:
            raise unavailable(NAME, "it is closed")
        if self._exchange is None:
            try:
                self._exchange = make_exchange(self._settings)
            except Exception as error:
                raise failure(error) from error
        return self._exchange

    # -- the list of markets -------------------------------------------------------------------------

    async def _load(self) -> None:
        """In a task of its own: a caller that goes away must not take the others' answer with it."""
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._read_markets(), name="ccxt markets")
            self._loading.add_done_callback(_look_at)
        try:
            await asyncio.shield(self._loading)
        except Unavailable as error:
            if self._stale_at is None:
                raise
            _log.warning("the list of markets stays as it was: %s", error)
            self._stale_at = self._clock.now() + _RELOAD_AGAIN

    async def _read_markets(self) -> None:
        exchange = self._exchange
        markets = await self._bounded(exchange.fetch_markets)
        if not markets:
            raise unavailable(NAME, "the list of markets is empty")
        try:
            exchange.set_markets(markets)
            # From here on ccxt takes its own loading for done, which otherwise every method would begin with.
            await exchange.load_markets()
        except Exception as error:
            raise failure(error) from error
        self._stale_at = self._clock.now() + timedelta(seconds=self._settings.catalogue_seconds)

    # -- bounds --------------------------------------------------------------------------------------

    async def _bounded(self, request: Callable[[], Awaitable[T]]) -> T:
        now = self._clock.now()
        if self._wait_until is not None and now < self._wait_until:
            raise rate_limited(NAME, (self._wait_until - now).total_seconds())
        if self._waiting >= _MOST_WAITING:
            raise rate_limited(NAME)
        self._waiting += 1
        try:
            # ccxt's own time-out counts from when its rate limit lets the request go.
            async with asyncio.timeout(_TURNS_OF_PATIENCE * self._settings.timeout_seconds), self._turns:
                return await request()
        except Exception as error:
            self._note(error)
            raise failure(error) from error
        finally:
            self._waiting -= 1

    def _note(self, error: Exception) -> None:
        """Who goes on asking after 429 is banned."""
        if isinstance(error, TooManyRequests) and error.retry_after_seconds is not None:
            self._wait_until = self._clock.now() + timedelta(seconds=error.retry_after_seconds)


def _look_at(task: asyncio.Task[None]) -> None:
    """So that nobody misses the exception of a task whose callers have all gone."""
    if not task.cancelled():
        task.exception()
