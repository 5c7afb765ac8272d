"""Alpaca's REST clients, on threads of their own, and one table that says what their failures mean.

The SDK has no time-outs, and sleeps over a rate limit by itself. Both end in the transport that is mounted here: it
limits each request, and raises on a refusal before the SDK's own retry sees it.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import requests
from alpaca.common.rest import RESTClient
from alpaca.data.historical import CryptoHistoricalDataClient, StockHistoricalDataClient
from alpaca.trading.client import TradingClient
from requests.adapters import HTTPAdapter

from adapters.market_data.alpaca_settings import NAME, REMEDY, AlpacaSettings
from adapters.market_data.provider_errors import key_refused, not_capable, rate_limited, unavailable
from application.ports.clock import Clock
from domain.errors import DomainError

T = TypeVar("T")

_THREADS = 4
_MOST_REQUESTS = 100
_LONGEST_CALL = 12
_LONGEST_WAIT_SECONDS = 3_600.0
_LONGEST_TEXT = 200


class Refused(Exception):
    """The vendor answered a request with anything but success."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = "".join(char for char in text if char.isprintable())[:_LONGEST_TEXT]
        self.headers = headers


class Nonsense(ValueError):
    """An answer that does not have the shape that the vendor documents."""


class _Abandoned(Exception):
    """The caller is gone: what is left of its work is not done."""


class AlpacaRest:
    """The clients of stocks, crypto and the catalogue; `call` is the only way to them."""

    def __init__(self, clock: Clock, settings: AlpacaSettings) -> None:
        key, secret, data = settings.key_id, settings.secret_key, settings.data_url
        self.stocks = StockHistoricalDataClient(key, secret, raw_data=True, url_override=data)
        self.crypto = CryptoHistoricalDataClient(key, secret, raw_data=True, url_override=data)
        self.trading = TradingClient(key, secret, raw_data=True, url_override=settings.assets_url)
        self._clock = clock
        self._closed = threading.Event()
        self._timeout = settings.timeout_seconds
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=NAME)
        self._clients: tuple[RESTClient, ...] = (self.stocks, self.crypto, self.trading)
        for client in self._clients:
            for scheme in ("http://", "https://"):
                client._session.mount(scheme, _Transport(settings.timeout_seconds))

    async def call(self, work: Callable[["AlpacaRest"], T]) -> T:
        """What `work` makes of the vendor's answers; it runs on a thread. Raises as the MarketData port says."""
        if self._closed.is_set():
            raise unavailable(NAME, "it is closed")
        job = _Job()
        done = self._pool.submit(job.run, work, self)
        try:
            async with asyncio.timeout(_LONGEST_CALL * self._timeout):
                return await asyncio.wrap_future(done)
        except asyncio.CancelledError:
            if self._closed.is_set() and done.cancelled():
                raise unavailable(NAME, "it is closed") from None
            raise
        except _FAILURES as error:
            raise self._told(error) from error
        finally:
            job.abandoned.set()

    def close(self) -> None:
        """Take no more work; what is running ends within its time-out."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client._session.close()

    def _told(self, error: Exception) -> DomainError:
        if isinstance(error, Refused):
            return refusal(error, self._clock.now())
        return unavailable(NAME, next(what for kind, what in _MEANINGS.items() if isinstance(error, kind)))


_SENSELESS = "its answer makes no sense"
_MUTE = "it does not answer in time"
_MEANINGS: Mapping[type[Exception], str] = {
    requests.exceptions.InvalidJSONError: _SENSELESS,
    requests.exceptions.ContentDecodingError: _SENSELESS,
    requests.Timeout: _MUTE,
    requests.RequestException: "the connection failed",
    # What the SDK raises on bodies that it did not expect: it looks into them without checking.
    ValueError: _SENSELESS,
    TypeError: _SENSELESS,
    AttributeError: _SENSELESS,
    LookupError: _SENSELESS,
    RecursionError: _SENSELESS,
    TimeoutError: _MUTE,
    OSError: "the connection failed",
}
_FAILURES: tuple[type[Exception], ...] = (Refused, *_MEANINGS)


def refusal(refused: Refused, now: datetime) -> DomainError:
    """What a status says, be it of a request or of the handshake of a stream."""
    status, text = refused.status, refused.text
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return rate_limited(NAME, _seconds_to_wait(refused.headers, now))
    if status == HTTPStatus.UNAUTHORIZED:
        return key_refused(NAME, REMEDY)
    if status == HTTPStatus.FORBIDDEN:
        if "subscription" in text.lower():
            return not_capable(NAME, f"the plan of the key does not have it: {_message(text)}")
        return key_refused(NAME, REMEDY)
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return not_capable(NAME, f"it refuses the request: {_message(text)}")
    return unavailable(NAME, f"it answered with status {status}")


def is_unknown_symbol(refused: Refused) -> bool:
    """Whether a request for data was refused because there is no such symbol."""
    unprocessable = refused.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
    return unprocessable and "invalid symbol" in refused.text.lower()


def _message(text: str) -> str:
    """The sentence in the vendor's usual body `{"message": "..."}`."""
    _, found, rest = text.partition('"message":')
    return rest.strip(' "}') if found else text


def _seconds_to_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """By Retry-After, seconds or a date, or else by the moment that X-RateLimit-Reset names."""
    seconds: float | None = None
    with suppress(ValueError, OverflowError):
        if after := headers.get("Retry-After"):
            seconds = float(after) if after.strip().replace(".", "", 1).isdigit() else _until(after, now)
        elif reset := headers.get("X-RateLimit-Reset"):
            seconds = float(reset) - now.timestamp()
    if seconds is None or not 0 <= seconds <= _LONGEST_WAIT_SECONDS:
        return None
    return seconds


def _until(date: str, now: datetime) -> float:
    return (parsedate_to_datetime(date) - now).total_seconds()


# -- the transport ------------------------------------------------------------------------------------------

_running = threading.local()


class _Job:
    """One call, on its thread: how many requests it made, and whether anybody still waits for it."""

    def __init__(self) -> None:
        self.abandoned = threading.Event()
        self.requests = 0

    def run(self, work: Callable[[AlpacaRest], T], rest: AlpacaRest) -> T:
        _running.job = self
        try:
            return work(rest)
        finally:
            del _running.job


def requests_made() -> int:
    """How many requests the call that runs on this thread has made: more than one are pages."""
    job: _Job = _running.job
    return job.requests


class _Transport(HTTPAdapter):
    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(pool_connections=1, pool_maxsize=_THREADS)
        self._timeout = timeout_seconds

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        job: _Job = _running.job
        if job.abandoned.is_set():
            raise _Abandoned
        job.requests += 1
        if job.requests > _MOST_REQUESTS:
            raise Nonsense("its pages do not end")
        response = super().send(request, *args, **{**kwargs, "timeout": self._timeout})
        if not HTTPStatus(200) <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise Refused(response.status_code, response.text, response.headers)
        return response
