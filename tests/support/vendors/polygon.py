"""A small Polygon on 127.0.0.1: its REST interface and its streams as they are on the wire, bad days included.

It serves what its tables hold: rows of aggregates by (ticker, multiplier, timespan), tickers, and snapshots.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

KEY = "a-key"

Row = dict[str, Any]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PAGE = "page"


@dataclass
class FakePolygon:
    """`bad_days`: what the next requests are answered with, None for the ordinary answer.

    `page_size` is the most rows on a page. `requests` are the paths with their queries, in order. `subscribed` are the
    subscriptions of each cluster's newest connection, and `connections` how many each has had.
    """

    aggregates: dict[tuple[str, int, str], list[Row]] = field(default_factory=dict)
    tickers: list[Row] = field(default_factory=list)
    snapshots: dict[str, Row] = field(default_factory=dict)
    bad_days: deque[Answer | None] = field(default_factory=deque)
    page_size: int = 50_000
    requests: list[str] = field(default_factory=list)

    greeting: list[Row] = field(default_factory=lambda: [_status("connected", "Connected Successfully")])
    key_answer: list[Row] | None = None
    refused_events: set[str] = field(default_factory=set)
    lost_subscriptions: int = 0
    mute: bool = False
    silent_handshake: bool = False
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    subscribed: dict[str, set[str]] = field(default_factory=dict)
    connections: Counter[str] = field(default_factory=Counter)
    port: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    # -- REST ----------------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request.path_qs)
        bad = self.bad_days.popleft() if self.bad_days else None
        if bad is not None:
            return await bad(request)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"status": "ERROR", "error": "Unknown API Key"}, status=401)
        return web.json_response(self._find(request), dumps=json.dumps)

    def _find(self, request: web.Request) -> Row:
        match request.path.strip("/").split("/"):
            case ["v2", "aggs", "ticker", ticker, "range", multiplier, timespan, start, end]:
                rows = self.aggregates.get((ticker, int(multiplier), timespan), [])
                inside = [
                    row for row in rows if not isinstance(row.get("t"), int) or int(start) <= row["t"] <= int(end)
                ]
                return self._page(request, inside)
            case ["v3", "reference", "tickers"]:
                after, limit = request.query.get("ticker.gt", ""), int(request.query["limit"])
                return self._page(request, [row for row in self.tickers if row["ticker"] > after], limit)
            case ["v3", "reference", "tickers", ticker]:
                for row in self.tickers:
                    if row["ticker"] == ticker:
                        return {"status": "OK", "results": row}
                raise web.HTTPNotFound(text=json.dumps({"status": "NOT_FOUND", "message": "Ticker not found."}))
            case ["v3", "snapshot"]:
                asked = request.query["ticker.any_of"].split(",")
                return self._page(request, [self.snapshots.get(ticker) or _unknown(ticker) for ticker in asked])
        raise web.HTTPNotFound(text="404 page not found")

    def _page(self, request: web.Request, rows: Sequence[Row], limit: int = 50_000) -> Row:
        size, first = min(self.page_size, limit), int(request.query.get(_PAGE, "0"))
        answer: Row = {"status": "OK", "request_id": "r"}
        if rows:
            answer |= {"results": rows[first : first + size]}
        if first + size < len(rows):
            # The vendor's own host, as it writes it: a client that went there would leave this machine.
            query = {**request.query, _PAGE: str(first + size)}
            answer["next_url"] = str(request.url.with_host("api.polygon.io").with_query(query))
        return answer

    # -- streams -------------------------------------------------------------------------------------

    async def stream(self, request: web.Request) -> web.StreamResponse:
        cluster = request.match_info["cluster"]
        if self.silent_handshake:
            await asyncio.sleep(60)
        socket = web.WebSocketResponse(autoping=not self.mute)
        await socket.prepare(request)
        self.connections[cluster] += 1
        self.sockets[cluster] = socket
        self.subscribed[cluster] = set()
        await socket.send_json(self.greeting)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._act(cluster, socket, json.loads(message.data))
                self._changed.set()
        if self.sockets.get(cluster) is socket:
            del self.sockets[cluster]
        self._changed.set()
        return socket

    async def _act(self, cluster: str, socket: web.WebSocketResponse, message: Mapping[str, str]) -> None:
        params = message["params"]
        if message["action"] == "auth":
            accepted = params == KEY
            own = [_status("auth_success" if accepted else "auth_failed", "authenticated" if accepted else "no")]
            await socket.send_json(own if self.key_answer is None else self.key_answer)
            return
        if message["action"] == "subscribe" and self.lost_subscriptions:
            self.lost_subscriptions -= 1
            return
        answers = [self._subscribe(cluster, message["action"], one) for one in params.split(",")]
        await socket.send_json(answers)

    def _subscribe(self, cluster: str, action: str, subscription: str) -> Row:
        if subscription.partition(".")[0] in self.refused_events:
            return _status("error", "not authorized")
        change = self.subscribed[cluster].add if action == "subscribe" else self.subscribed[cluster].discard
        change(subscription)
        return _status("success", f"{action}d to: {subscription}")

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it is true of what clients did."""
        async with asyncio.timeout(5):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_subscribed(self, cluster: str, *subscriptions: str) -> None:
        await self.until(lambda: self.subscribed.get(cluster) == set(subscriptions))

    async def send(self, cluster: str, *events: Row) -> None:
        await self.sockets[cluster].send_str(json.dumps(events))

    async def send_text(self, cluster: str, text: str) -> None:
        await self.sockets[cluster].send_str(text)

    async def end(self, cluster: str) -> None:
        """A clean close."""
        await self.sockets[cluster].close()

    def drop(self, cluster: str) -> None:
        """As when a cable is cut."""
        transport = self.sockets[cluster]._req.transport  # type: ignore[union-attr]  # there is no public way to it
        assert transport is not None
        transport.abort()


def refusal(status: int, body: object, **headers: str) -> Answer:
    """An answer with `body` as JSON; header names with `_` for `-`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=named)

    return answer


def text(body: str) -> Answer:
    """A good answer whose body is whatever one likes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    return answer


def half_a_page(body: str) -> Answer:
    """The connection breaks in the middle of the body."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Length": str(2 * len(body)), "Content-Type": "application/json"}
        )
        await response.prepare(request)
        await response.write(body.encode())
        assert request.transport is not None
        request.transport.close()
        return response

    return answer


async def never(request: web.Request) -> web.StreamResponse:
    """No answer for longer than anybody waits."""
    await asyncio.sleep(60)
    return web.Response()


@asynccontextmanager
async def fake_polygon() -> AsyncIterator[FakePolygon]:
    polygon = FakePolygon()
    application = web.Application()
    application.router.add_get("/{cluster:stocks|forex|crypto|indices}", polygon.stream)
    application.router.add_get("/{path:.*}", polygon.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    polygon.port = runner.addresses[0][1]
    try:
        yield polygon
    finally:
        await runner.cleanup()


def _status(status: str, message: str) -> Row:
    return {"ev": "status", "status": status, "message": message}


def _unknown(ticker: str) -> Row:
    return {"ticker": ticker, "error": "NOT_FOUND", "message": "Ticker not found."}
