"""A Yahoo Finance of one's own, as yfinance 1.7 calls it: cookie, consent, crumb, chart, quote and search.

Its addresses are fixed in yfinance, so it is reached as they are: through a proxy that CONNECTs every host to this
server, whose certificates a throw-away authority signs. Nothing in yfinance or curl_cffi is replaced.
"""

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from aiohttp import web
from yarl import URL

from tests.support.vendors.connect_proxy import ConnectProxy
from tests.support.vendors.throwaway_ca import ThrowawayCa
from tests.support.vendors.yahoo_chart import RANGES, ChartRequest, Json, Listing, chart

Mood = Callable[[web.Request], Awaitable[web.StreamResponse | None]]
"""What may answer a request for a chart in place of the real answer; None lets that one go out."""

_REACH = {"1m": timedelta(days=30), "5m": timedelta(days=60), "15m": timedelta(days=60), "1h": timedelta(days=730)}
_MOST_MINUTES_AT_ONCE = timedelta(days=8)
_HOSTS = ("*.yahoo.com", "*.finance.yahoo.com")


class FakeYahoo:
    """Runs while it is entered. `requests` are host and path of all that came, `queries` those of charts."""

    def __init__(self, folder: Path, now: datetime) -> None:
        self.now = now
        self.listings: dict[str, Listing] = {}
        self.requests: list[str] = []
        self.queries: list[dict[str, str]] = []
        self.moods: list[Mood] = []
        self.edit: Callable[[Json], None] | None = None
        self.crumb = "crumb/1"
        self.crumb_mood: Mood | None = None
        self.cookie_page_is_mute = False
        self.consent_wall = False
        self.consents = 0
        self.cookie = "A3=d=one"
        self._ca = ThrowawayCa(folder, _HOSTS)
        self._proxy = ConnectProxy()

    @property
    def ca_file(self) -> str:
        return str(self._ca.ca_file)

    @property
    def charts(self) -> int:
        """How often a chart was asked for."""
        return len(self.queries)

    def list(self, listing: Listing) -> Listing:
        self.listings[listing.symbol] = listing
        return listing

    async def __aenter__(self) -> "FakeYahoo":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self._ca.cert_file)
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=context).start()
        await self._proxy.start(self._runner.addresses[0][1])
        self.proxy = self._proxy.url
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._proxy.stop()
        await self._runner.cleanup()

    async def vanish(self) -> None:
        """Nobody listens any more."""
        await self._proxy.stop()

    # -- the pages -----------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.host}{request.path}")
        for place, page in _PAGES.items():
            if f"{request.host}{request.path}".startswith(place):
                return await page(self, request)
        return web.Response(status=404, text="no such page")

    async def _cookie_page(self, _: web.Request) -> web.StreamResponse:
        if self.cookie_page_is_mute:
            await asyncio.sleep(60)
        return self._with_cookie(web.Response(status=404, text="Not Found", content_type="text/html"))

    async def _crumb_page(self, request: web.Request) -> web.StreamResponse:
        answer = await self.crumb_mood(request) if self.crumb_mood is not None else None
        if answer is not None:
            return answer
        if self.cookie.partition("=")[2] != request.cookies.get("A3"):
            return web.Response(status=401, text='{"finance":{"result":null,"error":{"code":"Unauthorized"}}}')
        return web.Response(text=self.crumb)

    async def _consent_form(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=_FORM.format(done=request.query.get("done", "")), content_type="text/html")

    async def _collect_consent(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        if form.get("csrfToken") != "token-1" or "agree" not in form:
            return web.Response(status=400, text="no consent")
        self.consents += 1
        self.consent_wall = False
        done = str(form.get("done") or "")
        answer = web.Response(status=302, headers={"Location": done}) if done else web.Response(text="thank you")
        return self._with_cookie(answer)

    async def _copy_consent(self, _: web.Request) -> web.StreamResponse:
        return self._with_cookie(web.Response(text="copied"))

    def _with_cookie(self, answer: web.Response) -> web.Response:
        answer.headers["Set-Cookie"] = f"{self.cookie}; Domain=.yahoo.com; Path=/; Max-Age=31536000; Secure; HttpOnly"
        return answer

    async def _quote_page(self, request: web.Request) -> web.StreamResponse:
        """Both quoteSummary and quote: yfinance asks them for the time zone of what the chart does not know."""
        error = {"code": "Not Found", "description": "Quote not found for symbol"}
        if "quoteSummary" in request.path:
            return web.json_response({"quoteSummary": {"result": None, "error": error}}, status=404)
        return web.json_response({"quoteResponse": {"result": [], "error": None}})

    async def _search_page(self, _: web.Request) -> web.StreamResponse:
        return web.json_response({"quotes": [], "news": []})

    # -- the chart -----------------------------------------------------------------------------------------------

    async def _chart_page(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.queries.append(query)
        mood = self.moods.pop(0) if self.moods else None
        answer = await mood(request) if mood is not None else None
        if answer is not None:
            return answer
        if self.consent_wall:
            done = str(URL(f"https://{request.host}{request.path_qs}"))
            return web.Response(
                status=302, headers={"Location": str(URL("https://consent.yahoo.com/v2/form") % {"done": done})}
            )
        if query.get("crumb", self.crumb) != self.crumb:
            return _finance_error(401, "Unauthorized", "Invalid Crumb")
        listing = self.listings.get(request.path.rpartition("/")[2])
        if listing is None:
            return _chart_error(404, "Not Found", "No data found, symbol may be delisted")
        interval = query["interval"]
        start, end = self._range(query)
        refused = self._beyond(interval, start, end)
        if refused is not None:
            return _chart_error(422, "Unprocessable Entity", refused)
        extended = query.get("includePrePost", "false") == "true"
        payload = chart(listing, ChartRequest(interval, start, end, self.now, extended))
        if self.edit is not None:
            self.edit(payload)
        return web.Response(text=json.dumps(payload), content_type="application/json")

    def _range(self, query: dict[str, str]) -> tuple[datetime, datetime]:
        if "range" in query:
            return self.now - RANGES[query["range"]], self.now
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        return epoch + timedelta(seconds=int(query["period1"])), epoch + timedelta(seconds=int(query["period2"]))

    def _beyond(self, interval: str, start: datetime, end: datetime) -> str | None:
        reach = _REACH.get(interval)
        if reach is not None and start < self.now - reach:
            return f"{interval} data not available. The requested range must be within the last {reach.days} days."
        if interval == "1m" and end - start > _MOST_MINUTES_AT_ONCE:
            return "1m data not available. Only 8 days worth of 1m granularity data are allowed per request."
        return None


_Page = Callable[[FakeYahoo, web.Request], Awaitable[web.StreamResponse]]
_PAGES: dict[str, _Page] = {
    "fc.yahoo.com/": FakeYahoo._cookie_page,
    "query1.finance.yahoo.com/v1/test/getcrumb": FakeYahoo._crumb_page,
    "query2.finance.yahoo.com/v1/test/getcrumb": FakeYahoo._crumb_page,
    "guce.yahoo.com/consent": FakeYahoo._consent_form,
    "consent.yahoo.com/v2/form": FakeYahoo._consent_form,
    "consent.yahoo.com/v2/collectConsent": FakeYahoo._collect_consent,
    "guce.yahoo.com/copyConsent": FakeYahoo._copy_consent,
    "query2.finance.yahoo.com/v8/finance/chart/": FakeYahoo._chart_page,
    "query2.finance.yahoo.com/v10/finance/quoteSummary/": FakeYahoo._quote_page,
    "query1.finance.yahoo.com/v7/finance/quote": FakeYahoo._quote_page,
    "query2.finance.yahoo.com/v1/finance/search": FakeYahoo._search_page,
}
_FORM = """<!DOCTYPE html><html><body>
<form method="post" action="https://consent.yahoo.com/v2/collectConsent?sessionId=s-1">
<input type="hidden" name="csrfToken" value="token-1"><input type="hidden" name="sessionId" value="s-1">
<input type="hidden" name="done" value="{done}"><button type="submit" name="agree" value="agree">yes</button>
</form></body></html>"""


# -- bad days ----------------------------------------------------------------------------------------------------


def says(status: int, text: str, **headers: str) -> Mood:
    """Any answer, as text; `Retry_After="7"` becomes the header Retry-After."""

    async def mood(_: web.Request) -> web.StreamResponse:
        return web.Response(
            status=status, text=text, headers={key.replace("_", "-"): of for key, of in headers.items()}
        )

    return mood


def too_many(**headers: str) -> Mood:
    return says(429, "Too Many Requests\r\n", **headers)


def chart_says(result: object) -> Mood:
    return says(200, json.dumps({"chart": {"result": result, "error": None}}))


async def mute(_: web.Request) -> web.StreamResponse | None:
    await asyncio.sleep(60)
    return None


async def hangs_up(request: web.Request) -> web.StreamResponse | None:
    assert request.transport is not None
    request.transport.abort()
    return None


async def half_a_page(request: web.Request) -> web.StreamResponse | None:
    """Announces more than it sends, and hangs up in the middle of a number."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": "5000"})
    await answer.prepare(request)
    await answer.write(b'{"chart":{"result":[{"meta":{"currency":"USD"},"timestamp":[17000')
    assert request.transport is not None
    request.transport.close()
    return answer


def _chart_error(status: int, code: str, description: str) -> web.Response:
    error = {"code": code, "description": description}
    return web.json_response({"chart": {"result": None, "error": error}}, status=status)


def _finance_error(status: int, code: str, description: str) -> web.Response:
    error = {"code": code, "description": description}
    return web.json_response({"finance": {"result": None, "error": error}}, status=status)
