"""Yahoo by way of yfinance, on one thread: what it answers becomes typed rows, what it does not an error of ours.

yfinance is one for the process: its cookie, its crumb, the session it was given last and its folder of caches are
shared by all who use it. So whoever uses it holds `_SHARED`, and the folder is one of the process's own.
"""

import atexit
import json
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from threading import Lock
from typing import Any, NamedTuple

import yfinance
from yfinance.data import YfData

from adapters.market_data.provider_errors import not_capable, rate_limited, unavailable
from adapters.market_data.yfinance_meta import Meta, meta_of
from adapters.market_data.yfinance_numbers import split_ratio
from adapters.market_data.yfinance_session import OutOfTimeError, WatchedSession
from adapters.market_data.yfinance_settings import NAME, YFinanceSettings
from adapters.market_data.yfinance_symbols import ours
from application.ports.clock import Clock
from domain.decimals import ONE
from domain.errors import DomainError, PreconditionFailed
from domain.market_data.bar import BarInterval

YAHOOS_INTERVALS: Mapping[BarInterval, str] = {
    BarInterval.MINUTE_1: "1m",
    BarInterval.MINUTE_5: "5m",
    BarInterval.MINUTE_15: "15m",
    BarInterval.HOUR_1: "1h",
    BarInterval.DAY_1: "1d",
}
"""Those that are asked for. Its 30m are made by yfinance, on the clock of UTC; its weeks and months mix adjustments."""

# yfinance 1.7 says so on standard error at every first call of pandas 3.1, and switches such warnings on to do it.
warnings.filterwarnings("ignore", "The inplace keyword", DeprecationWarning, "yfinance")

_SHARED = Lock()
_ALSO_CALLED = {"60m": "1h"}
_PERIODS = (("1mo", 25), ("6mo", 175), ("2y", 725), ("5y", 1820), ("10y", 3645))
_DAY = timedelta(days=1)
_NOT_THERE = re.compile(r"no data found|data doesn't exist|delisted", re.IGNORECASE)
_TOO_OLD = re.compile(r"must be within the last|data not available", re.IGNORECASE)
_REFUSED = (401, 403)
_ERROR = 400


class Row(NamedTuple):
    """A row as it came, `at` in the venue's time; prices are floats if they are sound."""

    at: datetime
    open: object
    high: object
    low: object
    close: object
    adjusted_close: object
    volume: object


class Split(NamedTuple):
    """From `day` (the venue's) on, a share is counted as `ratio` shares."""

    day: date
    ratio: Fraction


@dataclass(frozen=True, slots=True)
class Asked:
    """Rows of `interval` that open in [start, end), and what is needed to adjust their prices."""

    symbol: str
    interval: BarInterval
    start: datetime
    end: datetime
    extended_hours: bool
    splits: bool
    dividends: bool


@dataclass(frozen=True, slots=True)
class Page:
    """`splits` since the start of what was asked for until today; `dividends`: what is left of a price, by day.

    `meta` is None where Yahoo says that it has nothing of that time.
    """

    rows: tuple[Row, ...] = ()
    meta: Meta | None = None
    splits: tuple[Split, ...] = ()
    dividends: Mapping[date, Decimal] | None = None


class _NothingError(Exception):
    """Yahoo says that it has no such symbol, or nothing of that time."""


class YahooClient:
    """All methods but `stop` are for one thread; they raise the errors of the MarketData port."""

    def __init__(self, clock: Clock, settings: YFinanceSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._session = WatchedSession(settings.proxy, settings.ca_file, settings.request_timeout_seconds)
        self._rest_until: datetime | None = None
        _own_folder()

    def describe(self, symbol: str) -> Meta | None:
        """What Yahoo says of the symbol; None when it has none."""
        with _SHARED:
            ticker = self._begin(symbol)
            try:
                return self._history(ticker, "1h", period="1mo", prepost=True)[1]
            except (_NothingError, PreconditionFailed):
                pass
            try:
                # Of some funds there is nothing shorter than a day.
                return self._history(ticker, "1d", period="1mo")[1]
            except _NothingError:
                return None

    def page(self, asked: Asked) -> Page:
        """Empty where Yahoo says that it has nothing."""
        with _SHARED:
            ticker = self._begin(asked.symbol)
            interval = YAHOOS_INTERVALS[asked.interval]
            try:
                frame, meta = self._history(
                    ticker, interval, start=asked.start, end=asked.end, prepost=asked.extended_hours
                )
            except _NothingError:
                return Page()
            rows = _rows(frame)
            try:
                splits = self._splits(ticker, asked.start) if asked.splits and rows else ()
                return Page(rows, meta, splits, self._dividends(ticker, rows) if asked.dividends and rows else None)
            except _NothingError:
                raise unavailable(NAME, "it has bars, and says that it has not") from None

    def stop(self) -> None:
        """Nothing more is sent; safe to call from another thread."""
        self._session.end()

    def close(self) -> None:
        self._session.close()

    # -- asking ------------------------------------------------------------------------------------------------------

    def _begin(self, symbol: str) -> Any:
        now, settings = self._clock.now(), self._settings
        if self._rest_until is not None and now < self._rest_until:
            raise rate_limited(NAME, (self._rest_until - now).total_seconds())
        wait = self._session.seconds_until_room(settings.requests_per_minute)
        if wait > 0:
            raise rate_limited(NAME, wait)
        self._session.begin(settings.timeout_seconds)
        yfinance.config.debug.hide_exceptions = False
        # It keeps the last 64 answers about the past, failures too, whose prices a split since then has changed.
        YfData.cache_get.cache_clear()
        return yfinance.Ticker(symbol, session=self._session)

    def _history(self, ticker: Any, interval: str, **of: Any) -> tuple[Any, Meta]:
        """The frame and what Yahoo says of it; raises _NothingError."""
        ask = partial(ticker.history, interval=interval, auto_adjust=False, actions=False, **of)
        try:
            frame = self._with_new_cookies(ask)
        except Exception as error:
            if self._is_empty(error):
                return None, self._meta(ticker, interval)
            raise self._failure(error) from error
        return frame, self._meta(ticker, interval)

    def _with_new_cookies(self, ask: Callable[[], Any]) -> Any:
        """yfinance renews a crumb that Yahoo refuses, but keeps the cookie that the crumb is for."""
        try:
            return ask()
        except Exception:
            answer = self._session.chart
            if answer is None or answer.status not in _REFUSED:
                raise
        yfinance.cache.get_cookie_cache().store("curlCffi", None)
        self._session.cookies.clear()
        YfData.cache_get.cache_clear()
        return ask()

    def _meta(self, ticker: Any, interval: str) -> Meta:
        meta = meta_of(ticker.history_metadata)
        if meta is None:
            raise unavailable(NAME, "its answer does not say what it is of")
        # Some pairs have two names, such as JPY=X and USDJPY=X.
        if ours(meta.symbol, meta.kind) != ours(ticker.ticker, meta.kind):
            raise _NothingError
        if _ALSO_CALLED.get(meta.granularity, meta.granularity) != interval:
            raise unavailable(NAME, f"its answer has bars of {meta.granularity or 'no interval'}, not {interval}")
        return meta

    def _splits(self, ticker: Any, since: datetime) -> tuple[Split, ...]:
        days = (self._clock.now() - since) // _DAY
        period = next((period for period, most in _PERIODS if days <= most), "max")
        try:
            given = ticker.get_splits(period=period).items()
        except Exception as error:
            raise self._failure(error) from error
        splits = []
        for at, value in given:
            ratio = split_ratio(value)
            if ratio is None:
                raise unavailable(NAME, f"it has a split of {value}, which no ratio makes")
            splits.append(Split(at.date(), ratio))
        return tuple(sorted(splits))

    def _dividends(self, ticker: Any, rows: tuple[Row, ...]) -> Mapping[date, Decimal]:
        """Only rows of a day say it, so the days are asked for."""
        frame, _ = self._history(ticker, "1d", start=rows[0].at.date(), end=rows[-1].at.date() + _DAY)
        return {row.at.date(): left for row in _rows(frame) if (left := _left(row)) is not None}

    # -- what went wrong -----------------------------------------------------------------------------------------------

    def _is_empty(self, error: Exception) -> bool:
        """Whether Yahoo described the instrument and had no rows: the only emptiness that is believed."""
        answer = self._session.chart
        if answer is None or answer.status >= _ERROR or not isinstance(error, yfinance.exceptions.YFPricesMissingError):
            return False
        match _json(answer.text):
            case {"chart": {"result": [{"meta": dict(), "indicators": {"quote": [quote, *_]}} as result, *_]}}:
                return not quote and not result.get("timestamp")
        return False

    def _failure(self, error: Exception) -> Exception:
        if isinstance(error, DomainError | _NothingError):
            return error
        answer = self._session.chart
        if isinstance(error, OutOfTimeError):
            return unavailable(NAME, f"it did not answer within {self._settings.timeout_seconds:g} seconds")
        if answer is None:
            return unavailable(NAME, "it cannot be reached, or does not answer")
        if answer.too_many:
            now = self._clock.now()
            said = answer.retry_seconds(now)
            wait = self._settings.pause_seconds if said is None else said
            self._rest_until = now + timedelta(seconds=wait)
            return rate_limited(NAME, wait)
        if answer.status in _REFUSED:
            return unavailable(NAME, "it refuses its own crumb")
        return _meaning(answer.status, answer.text)


def _meaning(status: int, text: str) -> Exception:
    """Of an answer that yfinance made nothing of."""
    match _json(text):
        case None:
            return unavailable(NAME, f"its answer is no JSON (status {status})")
        case {"chart": {"error": {"description": str(said)}}} if status < 500:
            if _NOT_THERE.search(said):
                return _NothingError()
            if _TOO_OLD.search(said):
                return not_capable(NAME, "its history of this interval does not reach so far back")
    return unavailable(NAME, f"its answer makes no sense (status {status})")


def _json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    return found


def _rows(frame: Any) -> tuple[Row, ...]:
    if frame is None:
        return ()
    columns = [frame[name].tolist() for name in ("Open", "High", "Low", "Close", "Adj Close", "Volume")]
    return tuple(Row(at, *values) for at, *values in zip(frame.index.to_pydatetime(), *columns, strict=True))


def _left(row: Row) -> Decimal | None:
    close, adjusted = row.close, row.adjusted_close
    if not isinstance(close, float) or not isinstance(adjusted, float) or not (close > 0 and adjusted > 0):
        return None
    return ONE if close == adjusted else Decimal(adjusted) / Decimal(close)


@cache
def _own_folder() -> None:
    """yfinance would write its caches to the user's home. It holds on to the first folder that it opened."""
    folder = tempfile.mkdtemp(prefix="quantmesh-yfinance-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    yfinance.set_tz_cache_location(folder)
