"""The HTTP session that yfinance is given: it keeps time, counts, and remembers what Yahoo answered.

yfinance does not say with which status an answer came, nor how long Yahoo wants to be left alone; it does not bound
the time of all the requests that one call makes. A session may be handed to it, and this one does all three.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.requests import Response, Session

_CHART = "/v8/finance/chart/"
_MINUTE = 60.0
_TOO_MANY = 429
_TOO_MANY_TEXT = "Too Many Requests"
_LONGEST_REASON = 200


class OutOfTimeError(Exception):
    """Raised out of yfinance, which takes no exception of this name for one that it should bear."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Yahoo answered to a request for a chart; `text` is all of it."""

    status: int
    text: str
    retry_after: str | None

    @property
    def too_many(self) -> bool:
        return self.status == _TOO_MANY or _TOO_MANY_TEXT in self.text[:_LONGEST_REASON]

    def retry_seconds(self, now: datetime) -> float | None:
        """How long to wait, by the header Retry-After in either of its forms; None where it says nothing."""
        text = (self.retry_after or "").strip()
        if text.isdecimal():
            return float(text)
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return None
        return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - now).total_seconds())


class WatchedSession(Session[Response]):
    """For one thread. `chart` is the answer to the newest request for a chart, None while there is none."""

    def __init__(self, proxy: str | None, ca_file: str | None, request_seconds: float) -> None:
        # A file of certificates is taken where the type says bool only.
        verify: Any = True if ca_file is None else ca_file
        super().__init__(impersonate="chrome", proxy=proxy, verify=verify, timeout=request_seconds)
        self._request_seconds = request_seconds
        self._deadline = monotonic()
        self._sent: deque[float] = deque()
        self.chart: Answer | None = None

    def begin(self, seconds: float) -> None:
        """Requests may be sent for so long."""
        self.chart = None
        self._deadline = monotonic() + seconds

    def end(self) -> None:
        """From now on nothing is sent; safe to call from another thread."""
        self._deadline = monotonic()

    def seconds_until_room(self, most: int) -> float:
        """How long until fewer than `most` requests have been sent in a minute; 0 when that is so."""
        now = monotonic()
        while self._sent and self._sent[0] <= now - _MINUTE:
            self._sent.popleft()
        return 0.0 if len(self._sent) < most else self._sent[len(self._sent) - most] + _MINUTE - now

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        left = self._deadline - monotonic()
        if left <= 0:
            raise OutOfTimeError
        is_chart = urlsplit(url).path.startswith(_CHART)
        if is_chart:
            self.chart = None
        self._sent.append(monotonic())
        kwargs["timeout"] = min(left, self._request_seconds)
        response = super().request(method, url, *args, **kwargs)
        if is_chart:
            self.chart = Answer(response.status_code, response.text, response.headers.get("Retry-After"))
        return response
