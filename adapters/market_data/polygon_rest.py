"""Polygon's REST interface by its SDK, which is blocking: on threads of its own, and with an end to every wait.

The SDK tells little of what goes wrong: it repeats refused requests by itself and sleeps in between, keeps the status
and the headers of a refusal to itself, and takes a body that is no JSON for an empty list. It lets one choose how
requests are repeated and what reads JSON, and that is where all this is seen.
"""

import asyncio
import json
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from massive import RESTClient
from massive.exceptions import BadResponse
from urllib3.exceptions import HTTPError, InvalidHeader, TimeoutError
from urllib3.util.retry import Retry

from adapters.market_data.polygon_budget import RequestBudget
from adapters.market_data.polygon_settings import KEY_REMEDY, PolygonSettings
from adapters.market_data.provider_errors import key_refused, not_capable, rate_limited, unavailable
from domain.errors import DomainError

T = TypeVar("T")

NAME = "polygon"
MOST_SNAPSHOTS = 250

_THREADS = 4
_MOST_PAGES = 1_000
_MOST_ROWS = 50_000
_MOST_TICKERS = 1_000
_LONGEST_PAUSE_SECONDS = 3_600
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_GOOD = frozenset({"OK", "DELAYED", "success", None})


class _Refused(Exception):
    """An answer that is none: its HTTP status, the pause that it asks for, and its body."""

    def __init__(self, status: int, pause: float | None, body: object) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.pause = pause
        self.body = body


class _Nonsense(Exception):
    """An answer that cannot be; the text is a clause."""


class _NoRetry(Retry):
    """Repeats nothing, and keeps of a refusal what the SDK would drop."""

    def increment(self, method: Any = None, url: Any = None, response: Any = None, *args: Any, **kwargs: Any) -> Any:
        if response is not None:
            raise _Refused(response.status, self._pause(response.headers.get("Retry-After")), _parsed(response.data))
        return super().increment(method, url, response, *args, **kwargs)

    def _pause(self, header: str | None) -> float | None:
        try:
            return None if header is None else self.parse_retry_after(header)
        except InvalidHeader:
            return None


class _Answers(threading.local):
    """Reads the bodies of answers in the SDK's stead, and counts the pages that it is about to ask for.

    `paged`: whether the SDK follows the answer's link to the next page.
    """

    paged = False
    pages = 0

    def __init__(self, budget: RequestBudget) -> None:
        self._budget = budget

    def begin(self, paged: bool) -> None:
        self.paged, self.pages = paged, 0
        self._budget.spend()

    def loads(self, text: str) -> dict[str, Any]:
        try:
            answer = json.loads(text)
        except ValueError:
            raise _Nonsense("its answer is no JSON") from None
        if not isinstance(answer, dict):
            raise _Nonsense("its answer has another form than expected")
        if answer.get("status") not in _GOOD:
            raise _Refused(200, None, answer)
        if self.paged and "next_url" in answer:
            self._expect_another(answer)
        return answer

    def _expect_another(self, answer: dict[str, Any]) -> None:
        if not answer.get("results"):
            # The SDK would take it for the end, and what is on the pages behind it would be missing unseen.
            raise _Nonsense("a page of its answer is empty, and not the last")
        self.pages += 1
        if self.pages > _MOST_PAGES:
            raise _Nonsense(f"its answer has more than {_MOST_PAGES} pages")
        self._budget.spend()


class PolygonRest:
    """The requests that are needed, each all or nothing. They raise what the port says, and Throttled at once
    where the budget has no request left.
    """

    def __init__(self, settings: PolygonSettings) -> None:
        self._budget = RequestBudget(NAME, settings.requests_per_minute)
        self._answers = _Answers(self._budget)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=NAME)
        self._closed = False
        self._client = RESTClient(
            settings.api_key,
            connect_timeout=settings.timeout_seconds,
            read_timeout=settings.timeout_seconds,
            base=settings.url.rstrip("/"),
            custom_json=self._answers,
            maxsize=_THREADS,
            connection_pool_kw={
                "retries": _NoRetry(
                    total=0, status_forcelist=frozenset(range(400, 600)), retry_after_max=_LONGEST_PAUSE_SECONDS
                )
            },
        )
        log_once("RESTClient")

    async def aggregates(
        self, ticker: str, multiplier: int, timespan: str, start: datetime, end: datetime, adjusted: bool
    ) -> Sequence[Any]:
        """The SDK's rows of the spans that [start, end) touches, of all pages; none for an unknown ticker."""
        rows = await self._run(
            lambda: list(
                self._client.list_aggs(
                    ticker,
                    multiplier,
                    timespan,
                    _milliseconds(start),
                    _milliseconds(end) - 1,
                    adjusted=adjusted,
                    sort="asc",
                    limit=_MOST_ROWS,
                )
            ),
            paged=True,
        )
        return () if rows is None else rows

    async def snapshots(self, tickers: Sequence[str]) -> Sequence[Any]:
        """The SDK's snapshots of up to 250 tickers; one that is unknown has an `error`."""
        rows = await self._run(
            lambda: list(self._client.list_universal_snapshots(ticker_any_of=list(tickers), limit=MOST_SNAPSHOTS)),
            paged=True,
        )
        return () if rows is None else rows

    async def ticker(self, ticker: str) -> Any | None:
        """The SDK's details of one ticker, None when there is none."""
        return await self._run(lambda: self._details(ticker))

    async def tickers(self, after: str | None) -> tuple[Sequence[Any], bool]:
        """A page of the tickers that are active, by ticker, and whether there may be another."""
        page = await self._run(lambda: self._tickers(after))
        if page is None:
            raise unavailable(NAME, "its list of tickers is not there")
        return page, len(page) == _MOST_TICKERS

    async def close(self) -> None:
        """Requests that are under way end within their time-outs, on their threads."""
        self._closed = True
        self._threads.shutdown(wait=False)
        self._client.client.clear()

    def _details(self, ticker: str) -> Any:
        found = self._client.get_ticker_details(ticker)
        if isinstance(found, list):
            raise _Nonsense("its answer has another form than expected")
        return found

    def _tickers(self, after: str | None) -> list[Any]:
        # One page at a time: a limit of requests may leave an hour between the first and the last.
        found = self._client.list_tickers(ticker_gt=after, active=True, limit=_MOST_TICKERS, sort="ticker", order="asc")
        return list(islice(found, _MOST_TICKERS))

    async def _run(self, ask: Callable[[], T], *, paged: bool = False) -> T | None:
        """What `ask` gives, None for what Polygon does not know."""
        if self._closed:
            raise unavailable(NAME, "it is closed")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._on_thread, ask, paged)

    def _on_thread(self, ask: Callable[[], T], paged: bool) -> T | None:
        try:
            if self._closed:
                raise unavailable(NAME, "it is closed")
            self._answers.begin(paged)
            return ask()
        except _Refused as refused:
            if refused.status == 404 or _word(refused.body, "status") == "NOT_FOUND":
                return None
            if refused.pause is not None:
                self._budget.pause(refused.pause)
            raise _refusal(refused) from refused
        except (DomainError, MemoryError):
            raise
        except Exception as error:
            raise _failure(error) from error


def log_once(logger: str) -> None:
    """The SDK prints what it logs on stdout besides, where a server's output is not its to write."""
    logging.getLogger(logger).handlers.clear()


def _refusal(refused: _Refused) -> DomainError:
    status = refused.status
    if status == 429:
        return rate_limited(NAME, refused.pause)
    if _word(refused.body, "status") == "NOT_AUTHORIZED":
        return not_capable(NAME, "the plan that the key is of does not include this")
    if status in (401, 403):
        return key_refused(NAME, KEY_REMEDY)
    return unavailable(NAME, f"it refuses the request (status {status})" if status < 500 else f"it fails ({status})")


def _failure(error: Exception) -> DomainError:
    """For everything that the SDK lets through: it checks no types, so anything may come of an answer that is odd."""
    if isinstance(error, _Nonsense):
        return unavailable(NAME, str(error))
    if isinstance(error, TimeoutError) or isinstance(getattr(error, "reason", None), TimeoutError):
        return unavailable(NAME, "it does not answer in time")
    if isinstance(error, HTTPError):
        return unavailable(NAME, "the connection to it broke, or there is none")
    if isinstance(error, BadResponse):
        return unavailable(NAME, "it refuses the request")
    return unavailable(NAME, "its answer has another form than expected")


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _word(body: object, key: str) -> object:
    return body.get(key) if isinstance(body, dict) else None


def _milliseconds(at: datetime) -> int:
    return -((_EPOCH - at) // _MILLISECOND)
