"""What ccxt raises, told as this system tells it."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

import ccxt

from adapters.market_data.ccxt_settings import NAME
from adapters.market_data.provider_errors import key_refused, not_capable, rate_limited, unavailable
from domain.errors import DomainError

_log = logging.getLogger(__name__)


class TooManyRequests(ccxt.RateLimitExceeded):  # type: ignore[misc]  # ccxt has no types
    """429 or 418, with the seconds that the exchange says to wait, where it does."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__("too many requests")
        self.retry_after_seconds = _retry_after(headers)


def failure(error: Exception) -> DomainError:
    """The error to raise for whatever came out of ccxt. What it says itself is logged, and goes no further."""
    if isinstance(error, DomainError):
        return error
    _log.info("ccxt: %s: %s", type(error).__name__, str(error)[:300])
    if isinstance(error, TooManyRequests):
        return rate_limited(NAME, error.retry_after_seconds)
    return next(make() for kind, make in _TABLE if isinstance(error, kind))


def breaks_connection(error: Exception) -> bool:
    """Whether the socket is lost, and not only one subscription on it."""
    return isinstance(error, ccxt.NetworkError) and not isinstance(error, ccxt.InvalidNonce | ccxt.RateLimitExceeded)


def sent_at(headers: Mapping[str, str]) -> datetime | None:
    """When the answer with these headers was made, to the second."""
    return _date(headers, "date")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = _header(headers, "retry-after")
    if text.isdecimal():
        return float(text)
    until, now = _date(headers, "retry-after"), _date(headers, "date")
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def _date(headers: Mapping[str, str], name: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(_header(headers, name))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _unavailable(what: str) -> Callable[[], DomainError]:
    return lambda: unavailable(NAME, what)


_TABLE: tuple[tuple[type[Exception], Callable[[], DomainError]], ...] = (
    (ccxt.RateLimitExceeded, lambda: rate_limited(NAME)),
    (ccxt.DDoSProtection, lambda: rate_limited(NAME)),
    (ccxt.RestrictedLocation, lambda: not_capable(NAME, "the exchange does not serve the place this runs at")),
    (ccxt.AuthenticationError, lambda: key_refused(NAME, "QUANTMESH_CCXT_API_KEY=... and QUANTMESH_CCXT_SECRET=...")),
    (ccxt.NotSupported, lambda: not_capable(NAME, "the exchange does not have it")),
    (ccxt.OnMaintenance, _unavailable("the exchange is under maintenance")),
    (ccxt.ExchangeNotAvailable, _unavailable("the exchange does not answer")),
    (ccxt.RequestTimeout, _unavailable("the exchange did not answer in time")),
    (TimeoutError, _unavailable("the exchange did not answer in time")),
    (ccxt.ChecksumError, _unavailable("an update of the order book is missing")),
    (ccxt.InvalidNonce, _unavailable("the exchange finds the clock of this machine wrong")),
    (ccxt.NetworkError, _unavailable("the connection broke")),
    (ccxt.BadResponse, _unavailable("the answer makes no sense")),
    (ccxt.BaseError, _unavailable("the exchange refused the request or broke off its answer")),
    (Exception, _unavailable("the answer makes no sense")),
)
