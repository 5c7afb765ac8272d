"""As much of Kraken's REST as shows that another exchange than Binance is read the same way."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiohttp import web

MOST_CANDLES = 720


class Kraken:
    """One pair, XXBTZUSD. It gives the newest 720 candles, however far back they are asked for."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.error = ""
        self.url = ""
        self.asked: list[dict[str, str]] = []

    def candle(self, minutes: int, opens: int) -> list[Any]:
        turn = opens // 60 % 50
        return [
            opens,
            f"{200 + turn}.1",
            f"{202 + turn}.0",
            f"{199 + turn}.0",
            f"{201 + turn}.5",
            "200.1",
            "1.25000000",
            3,
        ]

    async def _pairs(self, _: web.Request) -> web.Response:
        pair = {
            "altname": "XBTUSD",
            "wsname": "XBT/USD",
            "base": "XXBT",
            "quote": "ZUSD",
            "pair_decimals": 1,
            "lot_decimals": 8,
            "ordermin": "0.00005",
            "costmin": "0.5",
            "status": "online",
        }
        return web.json_response({"error": [], "result": {"XXBTZUSD": pair}})

    async def _candles(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        if self.error:
            return web.json_response({"error": [self.error]})
        minutes = int(request.query["interval"])
        step, now = minutes * 60, int(self._now().timestamp())
        first = max(int(request.query["since"]) // step + 1, now // step - MOST_CANDLES + 1)
        rows = [self.candle(minutes, number * step) for number in range(first, now // step + 1)]
        return web.json_response({"error": [], "result": {"XXBTZUSD": rows, "last": now}})

    async def _tickers(self, _: web.Request) -> web.Response:
        ticker = {
            "a": ["205.1", "1", "1.500"],
            "b": ["205.0", "2", "2.500"],
            "c": ["205.0", "0.1"],
            "v": ["1", "2"],
            "p": ["1", "2"],
            "t": [1, 2],
            "l": ["1", "2"],
            "h": ["3", "4"],
            "o": "2",
        }
        return web.json_response({"error": [], "result": {"XXBTZUSD": ticker}})

    async def _depth(self, _: web.Request) -> web.Response:
        book = {"bids": [["205.0", "2.5", 1]], "asks": [["205.1", "1.5", 1], ["205.2", "3", 1]]}
        return web.json_response({"error": [], "result": {"XXBTZUSD": book}})

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Kraken"]:
        application = web.Application()
        for name, handler in (
            ("AssetPairs", self._pairs),
            ("OHLC", self._candles),
            ("Ticker", self._tickers),
            ("Depth", self._depth),
        ):
            application.router.add_get(f"/0/public/{name}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()
