"""Binance spot as it speaks on the wire: REST pages and combined WebSocket streams, and their bad days."""

import asyncio
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import WSMsgType, web

from tests.support.vendors.binance_data import LENGTHS, Candle, Market, candle, milliseconds

EXCHANGE_INFO = "/api/v3/exchangeInfo"
KLINES = "/api/v3/klines"
DEPTH = "/api/v3/depth"
BOOK_TICKER = "/api/v3/ticker/bookTicker"
TICKER = "/api/v3/ticker/24hr"
TRADES = "/api/v3/trades"
TIME = "/api/v3/time"

MOST_KLINES = 1_000
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Change = Callable[[Any], Any]


@dataclass
class Binance:
    """The state of the exchange, which a test turns; `now` is its clock."""

    now: Callable[[], datetime]
    markets: dict[str, Market] = field(default_factory=dict)
    books: dict[str, dict[str, Any]] = field(default_factory=dict)
    quiet: set[int] = field(default_factory=set)
    missing: set[int] = field(default_factory=set)
    requests: Counter[str] = field(default_factory=Counter)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    subscribed: Counter[str] = field(default_factory=Counter)
    mute: asyncio.Event = field(default_factory=asyncio.Event)
    pages_are_spans: bool = False
    """As other exchanges do it: a page covers the span of its limit, and is empty when nothing was traded in it."""
    refuses_sockets: bool = False
    url: str = ""

    def __post_init__(self) -> None:
        self._answers: defaultdict[str, deque[Answer]] = defaultdict(deque)
        self._changes: defaultdict[str, deque[Change]] = defaultdict(deque)
        self._sockets: dict[web.WebSocketResponse, tuple[web.Request, set[str]]] = {}
        self._changed = asyncio.Event()
        for market in (
            Market("BTC", "USDT"),
            Market("ETH", "USDT"),
            Market("ETH", "BTC", tick="0.00001000", lot="0.00010000"),
            Market("OLD", "USDT", status="BREAK"),
            Market("NEW", "USDT", since=datetime(2026, 11, 1, tzinfo=UTC)),
        ):
            self.markets[market.id] = market
            self.books[market.id] = {
                "lastUpdateId": 100,
                "bids": [[f"{150 - level / 10:.8f}", f"{level + 1}.00000000"] for level in range(30)],
                "asks": [[f"{150.5 + level / 10:.8f}", f"{level + 2}.00000000"] for level in range(30)],
            }

    # -- bad days ------------------------------------------------------------------------------------

    def answer(self, path: str, status: int, body: str = "", times: int = 1, **headers: str) -> None:
        """The next `times` requests of the path get this instead; `Retry_After` becomes Retry-After."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=status, text=body, headers=names, content_type="application/json")

        self._answers[path].extend([answer] * times)

    def break_off(self, path: str) -> None:
        """The next answer of the path ends in the middle."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "1000", "Content-Type": "application/json"})
            await response.prepare(request)
            await response.write(b'[[1591478520000,"0.025')
            _abort(request)
            return response

        self._answers[path].append(answer)

    def hang(self, path: str, seconds: float) -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            await asyncio.sleep(seconds)
            return web.json_response([])

        self._answers[path].append(answer)

    def change(self, path: str, change: Change) -> None:
        """The next answer of the path goes through `change`, which may also be of another type."""
        self._changes[path].append(change)

    # -- REST ----------------------------------------------------------------------------------------

    async def _rest(self, request: web.Request, answer: Callable[[Mapping[str, str]], Any]) -> web.StreamResponse:
        path = request.path
        self.requests[path] += 1
        self.asked.append((path, dict(request.query)))
        if self._answers[path]:
            return await self._answers[path].popleft()(request)
        try:
            body = answer(request.query)
        except KeyError:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        if self._changes[path]:
            body = self._changes[path].popleft()(body)
        return web.json_response(body)

    def _exchange_info(self, _: Mapping[str, str]) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": milliseconds(self.now()),
            "rateLimits": [],
            "symbols": [market.listing() for market in self.markets.values()],
        }

    def _klines(self, query: Mapping[str, str]) -> Any:
        market, interval = self.markets[query["symbol"]], query["interval"]
        return [one.row() for one in self.candles(market.id, interval, int(query["startTime"]), int(query["limit"]))]

    def candles(self, market_id: str, interval: str, start_ms: int, limit: int = MOST_KLINES) -> list[Candle]:
        """From `start_ms` on; the last one is the running one."""
        length = LENGTHS[interval] * 1000
        start = max(start_ms, milliseconds(self.markets[market_id].since))
        first = -(-start // length) * length
        opens = range(first, milliseconds(self.now()) + 1, length)
        found = (candle(market_id, interval, one) for one in opens if one not in self.missing)
        rows = (
            one._replace(open=one.close, high=one.close, low=one.close, volume="0.00000000", trades=0)
            if one.open_ms in self.quiet
            else one
            for one in found
        )
        size = min(limit, MOST_KLINES)
        page = list(itertools.islice(rows, size))
        return [one for one in page if not self.pages_are_spans or one.open_ms < start_ms + size * length]

    def _depth(self, query: Mapping[str, str]) -> Any:
        book = self.books[query["symbol"]]
        limit = int(query.get("limit", "100"))
        return {**book, "bids": book["bids"][:limit], "asks": book["asks"][:limit]}

    def _book_ticker(self, query: Mapping[str, str]) -> Any:
        return [self.book_ticker(one) for one in self._asked_for(query)]

    def book_ticker(self, market_id: str) -> dict[str, Any]:
        book = self.books[market_id]
        (bid, bid_size), (ask, ask_size) = (
            (book[side] or [["0.00000000", "0.00000000"]])[0] for side in ("bids", "asks")
        )
        return {"symbol": market_id, "bidPrice": bid, "bidQty": bid_size, "askPrice": ask, "askQty": ask_size}

    def _ticker(self, query: Mapping[str, str]) -> Any:
        now = milliseconds(self.now())
        return [{**self.book_ticker(one), "lastPrice": "150.1", "closeTime": now} for one in self._asked_for(query)]

    def _asked_for(self, query: Mapping[str, str]) -> Iterable[str]:
        if "symbol" in query:
            return [self.markets[query["symbol"]].id]
        return [self.markets[one].id for one in json.loads(query["symbols"])] if "symbols" in query else self.markets

    def _trades(self, query: Mapping[str, str]) -> Any:
        time = milliseconds(self.now())
        return [{"id": 1, "price": "150.1", "qty": "1", "time": time, "isBuyerMaker": True, "s": query["symbol"]}]

    def _time(self, _: Mapping[str, str]) -> Any:
        return {"serverTime": milliseconds(self.now())}

    # -- WebSocket -----------------------------------------------------------------------------------

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_sockets:
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        streams: set[str] = set()
        self._sockets[socket] = (request, streams)
        try:
            async for message in socket:
                if self.mute.is_set():
                    continue
                if message.type is WSMsgType.PING:
                    await socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    await self._command(socket, streams, json.loads(message.data))
        finally:
            del self._sockets[socket]
            self._note(())
        return socket

    async def _command(self, socket: web.WebSocketResponse, streams: set[str], command: Mapping[str, Any]) -> None:
        names = list(command["params"])
        if command["method"] == "SUBSCRIBE":
            streams.update(names)
        else:
            streams.difference_update(names)
        self._note(names if command["method"] == "SUBSCRIBE" else ())
        await socket.send_json({"result": None, "id": command["id"]})

    def _note(self, names: Iterable[str]) -> None:
        self.subscribed.update(names)
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def sockets(self) -> int:
        return len(self._sockets)

    def streams(self) -> list[str]:
        """What is subscribed to on any socket at the moment."""
        return sorted(itertools.chain.from_iterable(streams for _, streams in self._sockets.values()))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a subscription makes it true."""
        while not condition():
            await self._changed.wait()

    async def push(self, stream: str, message: object) -> None:
        """To every socket that subscribes to the stream; a str goes out as it is, also when it is no JSON."""
        text = message if isinstance(message, str) else json.dumps(message)
        for socket, (_, streams) in list(self._sockets.items()):
            if stream in streams:
                await socket.send_str(text)

    async def push_quote(self, market_id: str, bid: str, bid_size: str, ask: str, ask_size: str) -> None:
        quote = {"u": 1, "s": market_id, "b": bid, "B": bid_size, "a": ask, "A": ask_size}
        await self.push(f"{market_id.lower()}@bookTicker", quote)

    async def push_trade(self, market_id: str, trade_id: int, price: Any, size: Any, at: datetime) -> None:
        time = milliseconds(at)
        trade = {"e": "trade", "E": time, "s": market_id, "t": trade_id, "p": price, "q": size, "T": time, "m": True}
        await self.push(f"{market_id.lower()}@trade", trade)

    async def push_kline(self, market_id: str, interval: str, of: Candle, closed: bool = False) -> None:
        kline = {"t": of.open_ms, "T": of.close_ms, "s": market_id, "i": interval, "f": 1, "L": 2, "n": of.trades}
        kline |= {"o": of.open, "c": of.close, "h": of.high, "l": of.low, "v": of.volume, "x": closed}
        event = {"e": "kline", "E": milliseconds(self.now()), "s": market_id, "k": kline}
        await self.push(f"{market_id.lower()}@kline_{interval}", event)

    async def push_depth(
        self,
        market_id: str,
        bids: Iterable[tuple[str, str]] = (),
        asks: Iterable[tuple[str, str]] = (),
        skipped: int = 0,
    ) -> None:
        """A change of the book; with `skipped` updates before it that never come."""
        book = self.books[market_id]
        first = book["lastUpdateId"] + 1 + skipped
        book["lastUpdateId"] = first
        changes = {"b": [list(level) for level in bids], "a": [list(level) for level in asks]}
        event = {"e": "depthUpdate", "E": milliseconds(self.now()), "s": market_id, "U": first, "u": first, **changes}
        await self.push(f"{market_id.lower()}@depth@100ms", event)

    def drop(self) -> None:
        """Cut every socket without a word."""
        for request, _ in list(self._sockets.values()):
            _abort(request)

    async def bid_farewell(self) -> None:
        """Close every socket properly, as before maintenance."""
        for socket in list(self._sockets):
            await socket.close(code=1001)

    # -- the server ----------------------------------------------------------------------------------

    @property
    def mirrors(self) -> dict[str, str]:
        """Where this server stands in for the exchange's own addresses."""
        return {
            "https://api.binance.com": self.url,
            "wss://stream.binance.com:9443": self.url.replace("http", "ws") + "/stream",
        }

    def application(self) -> web.Application:
        routes: dict[str, Callable[[Mapping[str, str]], Any]] = {
            EXCHANGE_INFO: self._exchange_info,
            KLINES: self._klines,
            DEPTH: self._depth,
            BOOK_TICKER: self._book_ticker,
            TICKER: self._ticker,
            TRADES: self._trades,
            TIME: self._time,
        }
        application = web.Application()
        for path, answer in routes.items():
            application.router.add_get(path, _bound(self._rest, answer))
        application.router.add_get("/stream/ws/{index}", self._stream)

        async def dated(_: web.Request, response: web.StreamResponse) -> None:
            response.headers["Date"] = format_datetime(self.now(), usegmt=True)

        application.on_response_prepare.append(dated)
        return application


def _bound(
    rest: Callable[[web.Request, Callable[[Mapping[str, str]], Any]], Awaitable[web.StreamResponse]],
    answer: Callable[[Mapping[str, str]], Any],
) -> Answer:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await rest(request, answer)

    return handler


def _abort(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        transport.abort()


@asynccontextmanager
async def serve(exchange: Binance) -> AsyncIterator[Binance]:
    """Let it listen on a port of its own while the block runs."""
    runner = web.AppRunner(exchange.application(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    exchange.url = site.name if not site.name.endswith(":0") else f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield exchange
    finally:
        await runner.cleanup()
