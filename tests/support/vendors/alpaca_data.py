"""A small Alpaca on 127.0.0.1: its data API, the assets of its trading API, and its two streams.

Speaks what the vendor documents: JSON pages with `next_page_token`, MessagePack frames with timestamps of
MessagePack, control messages in arrays of one. What it serves comes from plain tables of minutes, quotes and books.
"""

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgpack
from aiohttp import WSMsgType, web

KEY_ID, SECRET_KEY = "PKTEST", "a secret of no worth"

Row = dict[str, Any]
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_NEW_YORK = ZoneInfo("America/New_York")
_MINUTE = timedelta(minutes=1)
_DELAY = timedelta(minutes=15)
_CLOCK_FRAMES = {"Min": 1, "Hour": 60}
_STOCK_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
_CRYPTO_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "orderbooks")
_CHANNEL_OF = {"t": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars", "o": "orderbooks"}


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def frame_time(at: datetime) -> msgpack.Timestamp:
    return msgpack.Timestamp.from_datetime(at)


def minute_row(at: datetime, number: int = 0, volume: float = 100) -> Row:
    """The bar of one minute: `number` alone decides its prices."""
    opens = 100 + number % 50 / 100
    return {
        "t": stamp(at),
        "o": opens,
        "h": round(opens + 0.05, 2),
        "l": round(opens - 0.03, 2),
        "c": round(opens + 0.01, 2),
        "v": volume,
        "n": 5,
        "vw": round(opens + 0.005, 3),
    }


def minutes(start: datetime, count: int) -> list[Row]:
    return [minute_row(start + timedelta(minutes=number), number) for number in range(count)]


def asset(symbol: str, *, vendor_class: str = "us_equity", exchange: str = "NASDAQ", **more: object) -> Row:
    return {
        "id": f"00000000-0000-0000-0000-{int.from_bytes(symbol.encode()) % 10**12:012d}",
        "class": vendor_class,
        "exchange": exchange,
        "symbol": symbol,
        "name": f"{symbol} Inc.",
        "status": "active",
        "tradable": True,
        "marginable": True,
        "shortable": True,
        "easy_to_borrow": True,
        "fractionable": True,
        **more,
    }


class AlpacaServer:
    """The tables, and the switches of its bad days.

    `answers`: what is given instead of the next answers of the REST API, one after the other; None is a usual one.
    `mangle` has the last word about the rows of each page of bars.
    """

    def __init__(self) -> None:
        self.minutes: dict[str, list[Row]] = {}
        self.quotes: dict[str, Any] = {}
        self.books: dict[str, Any] = {}
        self.assets: list[Row] = []
        self.splits: dict[str, tuple[datetime, int]] = {}
        self.dividends: dict[str, tuple[datetime, float]] = {}
        self.now = datetime(2024, 1, 1, tzinfo=UTC)
        self.paid = True
        self.page_size = 10_000
        self.answers: deque[Answer | None] = deque()
        self.mangle: Callable[[list[Any]], list[Any] | None] = lambda rows: rows
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.sessions: dict[str, list[StreamSession]] = {"stocks": [], "crypto": []}
        self.connections = 0
        self.auth_error: tuple[int, str] | None = None
        self.handshake_status: int | None = None
        self.says_hello = True
        self.symbol_limit: int | None = None
        self.url = ""

    @property
    def stream_url(self) -> str:
        return self.url.replace("http://", "ws://")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["AlpacaServer"]:
        app = web.Application(middlewares=[self._bad_days])
        app.router.add_get("/v2/stocks/bars", self._bars)
        app.router.add_get("/v2/stocks/quotes/latest", self._stock_quotes)
        app.router.add_get("/v1beta3/crypto/us/bars", self._bars)
        app.router.add_get("/v1beta3/crypto/us/latest/quotes", self._crypto_quotes)
        app.router.add_get("/v1beta3/crypto/us/latest/orderbooks", self._order_books)
        app.router.add_get("/v2/assets", self._assets)
        app.router.add_get("/v2/assets/{symbol}", self._asset)
        app.router.add_get("/v2/{feed:iex|sip|delayed_sip}", self._stock_stream)
        app.router.add_get("/v1beta3/crypto/us", self._crypto_stream)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            for session in (*self.sessions["stocks"], *self.sessions["crypto"]):
                session.drop()
            await runner.cleanup()

    # -- REST ----------------------------------------------------------------------------------------

    @web.middleware
    async def _bad_days(self, request: web.Request, handler: Answer) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await handler(request)
        self.requests.append((request.path, dict(request.query)))
        if request.headers.get("APCA-API-KEY-ID") != KEY_ID or request.headers.get("APCA-API-SECRET-KEY") != SECRET_KEY:
            return web.json_response({"code": 40110000, "message": "request is not authorized"}, status=401)
        answer = self.answers.popleft() if self.answers else None
        return await (answer or handler)(request)

    async def _bars(self, request: web.Request) -> web.Response:
        query = request.query
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        crypto = "crypto" in request.path
        if not crypto and query.get("feed") == "sip" and not self.paid and end > self.now - _DELAY:
            message = "subscription does not permit querying recent SIP data"
            return web.json_response({"message": message}, status=403)
        symbol = query["symbols"]
        every = self._aggregated(symbol, query["timeframe"], query.get("adjustment", "raw"), crypto)
        rows = [row for row in every if start <= datetime.fromisoformat(row["t"]) <= end]
        first = int(base64.b64decode(query["page_token"])) if "page_token" in query else 0
        last = first + min(int(query.get("limit", 1_000)), self.page_size)
        token = base64.b64encode(str(last).encode()).decode() if last < len(rows) else None
        page = self.mangle(rows[first:last])
        return _json({"bars": {symbol: page} if rows else {}, "next_page_token": token})

    def _aggregated(self, symbol: str, frame: str, adjustment: str, crypto: bool) -> list[Row]:
        groups: dict[datetime, list[Row]] = {}
        for row in self.minutes.get(symbol, []):
            at = datetime.fromisoformat(row["t"])
            if at + _MINUTE > self.now:
                break
            groups.setdefault(_floor(at, frame, crypto), []).append(self._adjusted(symbol, at, row, adjustment))
        return [together(at, rows) for at, rows in groups.items()]

    def _adjusted(self, symbol: str, at: datetime, row: Row, adjustment: str) -> Row:
        split_at, ratio = self.splits.get(symbol, (at, 1))
        paid_at, factor = self.dividends.get(symbol, (at, 1.0))
        shares = ratio if adjustment in ("split", "all") and at < split_at else 1
        times = (factor if adjustment == "all" and at < paid_at else 1.0) / shares
        return (
            row | {name: round(row[name] * times, 6) for name in ("o", "h", "l", "c", "vw")} | {"v": row["v"] * shares}
        )

    async def _stock_quotes(self, request: web.Request) -> web.Response:
        return self._latest(request, "quotes", self.quotes)

    async def _crypto_quotes(self, request: web.Request) -> web.Response:
        return self._latest(request, "quotes", self.quotes)

    async def _order_books(self, request: web.Request) -> web.Response:
        return self._latest(request, "orderbooks", self.books)

    def _latest(self, request: web.Request, name: str, table: Mapping[str, Any]) -> web.Response:
        symbols = request.query["symbols"].split(",")
        for symbol in symbols:
            if symbol.startswith("BAD"):
                return web.json_response({"message": f"invalid symbol: {symbol}"}, status=400)
        return _json({name: {symbol: table[symbol] for symbol in symbols if symbol in table}})

    async def _assets(self, request: web.Request) -> web.Response:
        wanted = request.query["asset_class"], request.query["status"]
        return _json([row for row in self.assets if (row["class"], row["status"]) == wanted])

    async def _asset(self, request: web.Request) -> web.Response:
        for row in self.assets:
            if row["symbol"] == request.match_info["symbol"]:
                return _json(row)
        return web.json_response({"code": 40410000, "message": "asset not found"}, status=404)

    # -- streams -------------------------------------------------------------------------------------

    async def _stock_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, "stocks", _STOCK_CHANNELS)

    async def _crypto_stream(self, request: web.Request) -> web.StreamResponse:
        return await self._stream(request, "crypto", _CRYPTO_CHANNELS)

    async def _stream(self, request: web.Request, kind: str, channels: Iterable[str]) -> web.StreamResponse:
        self.connections += 1
        if self.handshake_status is not None:
            return web.Response(status=self.handshake_status, headers={"Retry-After": "7"})
        socket = web.WebSocketResponse(autoping=False, timeout=0.1)
        await socket.prepare(request)
        session = StreamSession(self, request, socket, channels)
        self.sessions[kind].append(session)
        try:
            await session.serve()
        finally:
            self.sessions[kind].remove(session)
        return socket

    async def push(self, kind: str, *messages: Row) -> None:
        """One frame with `messages` to each connection that subscribes to them."""
        for session in self.sessions[kind]:
            wanted = [row for row in messages if row["S"] in session.subscribed[_CHANNEL_OF[row["T"]]]]
            if wanted:
                await session.send(*wanted)

    async def until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not fact():  # noqa: ASYNC110 - facts are many, and none of them tells
                await asyncio.sleep(0.005)

    async def until_subscribed(self, kind: str, channel: str, *symbols: str) -> None:
        """Until the newest connection subscribes to just these."""
        await self.until(lambda: any(one.subscribed[channel] == set(symbols) for one in self.sessions[kind][-1:]))


class StreamSession:
    """One connection of a stream."""

    def __init__(
        self, server: AlpacaServer, request: web.Request, socket: web.WebSocketResponse, channels: Iterable[str]
    ) -> None:
        self._server = server
        self._request = request
        self._socket = socket
        self.path = request.path
        self.mute = False
        self.subscribed: dict[str, set[str]] = {channel: set() for channel in channels}
        self.subscribe_messages = 0

    async def serve(self) -> None:
        if self._server.says_hello:
            await self.send({"T": "success", "msg": "connected"})
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                await self._take(msgpack.unpackb(message.data))
            elif message.type is WSMsgType.PING and not self.mute:
                await self._socket.pong(message.data)

    async def _take(self, message: Row) -> None:
        if self.mute:
            return
        action = message.get("action")
        if action == "auth":
            await self._authenticate(message)
        elif action in ("subscribe", "unsubscribe"):
            await self._subscribe(action, message)
        else:
            await self.send({"T": "error", "code": 400, "msg": "invalid syntax"})

    async def _authenticate(self, message: Row) -> None:
        error = self._server.auth_error
        if error is None and (message.get("key"), message.get("secret")) != (KEY_ID, SECRET_KEY):
            error = (402, "auth failed")
        if error is not None:
            await self.send({"T": "error", "code": error[0], "msg": error[1]})
        else:
            await self.send({"T": "success", "msg": "authenticated"})

    async def _subscribe(self, action: str, message: Row) -> None:
        self.subscribe_messages += 1
        new = []
        for channel in self.subscribed:
            named = set(message.get(channel, ()))
            if action == "unsubscribe":
                self.subscribed[channel] -= named
                continue
            limit = self._server.symbol_limit
            if limit is not None and len(self.subscribed[channel] | named) > limit:
                return await self.send({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
            new += [symbol for symbol in named - self.subscribed[channel] if channel == "orderbooks"]
            self.subscribed[channel] |= named
        confirmed = {channel: sorted(symbols) for channel, symbols in self.subscribed.items()}
        await self.send({"T": "subscription", **confirmed})
        for symbol in new:
            if symbol in self._server.books:
                book = self._server.books[symbol]
                at = frame_time(datetime.fromisoformat(book["t"]))
                await self.send({"T": "o", "S": symbol, **book, "t": at, "r": True})
        return None

    async def send(self, *messages: Row) -> None:
        await self._socket.send_bytes(msgpack.packb(list(messages)))

    async def send_raw(self, data: bytes) -> None:
        await self._socket.send_bytes(data)

    def drop(self) -> None:
        """As a cable that is pulled: no close frame."""
        if self._request.transport is not None:
            self._request.transport.abort()


def together(at: datetime, rows: list[Row]) -> Row:
    """One bar of many minutes."""
    volume = sum(row["v"] for row in rows)
    worth = sum(row["vw"] * row["v"] for row in rows)
    return {
        "t": stamp(at),
        "o": rows[0]["o"],
        "h": max(row["h"] for row in rows),
        "l": min(row["l"] for row in rows),
        "c": rows[-1]["c"],
        "v": volume,
        "n": sum(row["n"] for row in rows),
        "vw": round(worth / volume, 6) if volume else 0,
    }


def _floor(at: datetime, frame: str, crypto: bool) -> datetime:
    """Bars shorter than a day begin on the clock's grid, days at midnight: of New York for stocks, else of UTC."""
    if frame == "1Day":
        midnight = at.astimezone(UTC if crypto else _NEW_YORK).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight.astimezone(UTC)
    unit = frame.lstrip("0123456789")
    length = timedelta(minutes=int(frame.removesuffix(unit)) * _CLOCK_FRAMES[unit])
    return at - (at - datetime(2000, 1, 1, tzinfo=UTC)) % length


def _json(body: object) -> web.Response:
    return web.Response(text=json.dumps(body), content_type="application/json")


def status(code: int, message: str = "", headers: Mapping[str, str] | None = None) -> Answer:
    """An answer that refuses."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.json_response({"message": message}, status=code, headers=headers)

    return answer


def body(text: str, content_type: str = "application/json") -> Answer:
    """An answer of success with any text."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type=content_type)

    return answer


async def no_answer(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def cut_off(request: web.Request) -> web.StreamResponse:
    """Half a body, then a reset."""
    response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(b'{"bars": {"AAPL": [')
    if request.transport is not None:
        request.transport.abort()
    return response
