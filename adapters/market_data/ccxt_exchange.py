"""An exchange object of ccxt, set up for reading spot markets, which does not take nonsense for an empty answer."""

import logging
from collections.abc import Mapping
from typing import Any

import ccxt.async_support
import ccxt.pro
from ccxt.async_support.base.ws.client import Client

from adapters.market_data.ccxt_failures import TooManyRequests
from adapters.market_data.ccxt_settings import CcxtSettings

_MOST_TRADES = 10_000
_MOST_CANDLES = 50
_SHORTEST_CONNECT_MS = 1_000
_PINGS_PER_SILENCE = 3
_TLS_GOODBYE_MS = 250

_log = logging.getLogger(__name__)


def make_exchange(settings: CcxtSettings) -> Any:
    """A new one, not connected; call on the event loop, and close it."""
    exchange = _class(settings.exchange)(_config(settings))
    if settings.sandbox:
        exchange.set_sandbox_mode(True)
    exchange.urls["api"] = _moved(exchange.urls["api"], settings.mirrors)
    _read_spot_only(exchange.options)
    ping_ms = int(settings.stream_silence_seconds * 1000 / _PINGS_PER_SILENCE)
    # The moment that aiohttp needs to take leave of TLS.
    exchange.timeout_on_exit = _TLS_GOODBYE_MS if _uses_tls(settings.mirrors) else 0
    # Some exchanges hang up on who pings less often than ccxt does by default.
    exchange.streaming["keepAlive"] = min(ping_ms, exchange.streaming.get("keepAlive") or ping_ms)
    return exchange


def _config(settings: CcxtSettings) -> dict[str, Any]:
    timeout_ms = int(settings.timeout_seconds * 1000)
    return {
        "apiKey": settings.api_key,
        "secret": settings.secret,
        "password": settings.password,
        "enableRateLimit": True,
        "timeout": timeout_ms,
        "options": {
            "defaultType": "spot",
            "fetchCurrencies": False,
            "fetchMargins": False,
            "tradesLimit": _MOST_TRADES,
            "OHLCVLimit": _MOST_CANDLES,
            "watchOrderBook": {"maxRetries": 1},
        },
        # Not below a second: ccxt waits for whole ones.
        "streaming": {"connectionTimeout": max(timeout_ms, _SHORTEST_CONNECT_MS), "maxPingPongMisses": 2.0},
    }


class _PlainClient(Client):  # type: ignore[misc]  # ccxt has no types
    """A socket that is read by aiohttp's own means. ccxt's takes messages out of the buffer inside aiohttp, which from
    3.14 on counts more than ccxt gives back: after some thousand messages in bursts it stops to read.
    """

    buffer = None


def _class(name: str) -> Any:
    base = getattr(ccxt.pro, name, None) or getattr(ccxt.async_support, name)
    return type(name, (_checked(base),), {})


def _read_spot_only(options: dict[str, Any]) -> None:
    wanted = options.get("fetchMarkets")
    if isinstance(wanted, dict) and "spot" in wanted.get("types", ()):
        wanted["types"] = ["spot"]


def _moved(urls: Any, mirrors: Mapping[str, str]) -> Any:
    if isinstance(urls, dict):
        return {name: _moved(url, mirrors) for name, url in urls.items()}
    if isinstance(urls, str):
        for place, other in mirrors.items():
            if urls.startswith(place):
                return other + urls.removeprefix(place)
    return urls


def _uses_tls(mirrors: Mapping[str, str]) -> bool:
    return not mirrors or any(other.startswith(("https:", "wss:")) for other in mirrors.values())


def _checked(base: Any) -> Any:
    """ccxt takes an answer that is no JSON, or no list, for one without entries, and leaves out rows without a
    time; and it stops to read from a socket after a message that it does not understand. These are the methods that
    its exchanges override to read what comes; here they also look.
    """

    reads_books = base.parse_order_book is not ccxt.Exchange.parse_order_book
    """A few exchanges have books of another form, and read them themselves."""

    class Checked(base):  # type: ignore[misc]  # ccxt has no types
        def on_rest_response(self, code: int, reason: str, url: str, method: str, headers: Any, *rest: Any) -> Any:
            if code in (418, 429):
                raise TooManyRequests(headers)
            self.last_was_refused = code >= 400
            return super().on_rest_response(code, reason, url, method, headers, *rest)

        def parse_json(self, http_response: str) -> Any:
            parsed = super().parse_json(http_response)
            if parsed is None and not self.last_was_refused:
                raise ccxt.BadResponse("no JSON")
            return parsed

        def parse_ohlcvs(self, ohlcvs: Any, *args: Any, **more: Any) -> Any:
            if not isinstance(ohlcvs, list):
                raise ccxt.BadResponse("no list of candles")
            return super().parse_ohlcvs(ohlcvs, *args, **more)

        def parse_ohlcv(self, ohlcv: Any, market: Any = None) -> Any:
            row = super().parse_ohlcv(ohlcv, market)
            if not (isinstance(ohlcv, list | dict) and isinstance(row[0], int)):
                raise ccxt.BadResponse("a candle without a time")
            return row

        def parse_order_book(
            self, orderbook: Any, symbol: Any, timestamp: Any = None, bids: Any = "bids", asks: Any = "asks", *rest: Any
        ) -> Any:
            if not (reads_books or (isinstance(orderbook, dict) and (bids in orderbook or asks in orderbook))):
                raise ccxt.BadResponse("no order book")
            return super().parse_order_book(orderbook, symbol, timestamp, bids, asks, *rest)

        def client(self, url: str) -> Any:
            client = super().client(url)
            client.__class__ = _PlainClient
            return client

        def handle_message(self, client: Any, message: Any) -> None:
            try:
                super().handle_message(client, message)
            except Exception as error:
                _log.warning("ccxt: a message of %s makes no sense: %r", self.id, error)

    return Checked
