"""A server whose market data comes from small vendors of the test's own, told of them by nothing but its settings."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE
from quantmesh.marketdata.v1.market_data_query_pb2 import GetQuoteRequest, ListBarsRequest, ListBarsResponse
from quantmesh.marketdata.v1.quote_pb2 import Quote
from tests.end_to_end.refusals import Refusal, read, refusal
from tests.support.server import Client, ServerProcess, Site
from tests.support.vendors.alpaca_data import KEY_ID, SECRET_KEY, AlpacaServer, stamp
from tests.support.vendors.polygon import KEY, FakePolygon, Row, fake_polygon
from tests.support.vendors.polygon_market import APPLE, NOW, OPEN

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
SIMULATED: Final = "MSFT"
"""An instrument that no vendor serves."""
_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Desk:
    """A running server; its clock begins at NOW, a Wednesday noon in New York."""

    server: ServerProcess
    client: Client

    async def now(self) -> datetime:
        """By the server's clock."""
        return utc((await quote(self.client, SIMULATED)).received_time)


@asynccontextmanager
async def serving(site: Site, **settings: object) -> AsyncIterator[Desk]:
    """It gets ready on a thread: the vendors live on this loop, and it may well ask them."""
    with_clock = {"clock_start": NOW.isoformat(), **settings}
    server = site.start(**with_clock)
    try:
        await asyncio.to_thread(server.ready)
        async with server.client() as client:
            yield Desk(server, client)
    except BaseException as error:
        error.add_note(f"The server's last words:\n{server.last_words()}")
        raise
    finally:
        server.kill()


@asynccontextmanager
async def polygon_vendor() -> AsyncIterator[FakePolygon]:
    """It lists Apple."""
    async with fake_polygon() as polygon:
        polygon.tickers = [APPLE]
        yield polygon


def polygon_settings(polygon: FakePolygon) -> dict[str, object]:
    return {
        "polygon_api_key": KEY,
        "polygon_url": polygon.url,
        "polygon_stream_url": polygon.stream_url,
        "polygon_timeout_seconds": 3,
    }


def alpaca_settings(alpaca: AlpacaServer) -> dict[str, object]:
    return {
        "alpaca_key_id": KEY_ID,
        "alpaca_secret_key": SECRET_KEY,
        "alpaca_data_url": alpaca.url,
        "alpaca_trading_url": alpaca.url,
        "alpaca_stream_url": alpaca.stream_url,
        "alpaca_timeout_seconds": 3,
    }


# -- what vendors have ------------------------------------------------------------------------------------------


def stock(ticker: str, name: str = "") -> Row:
    """Polygon's description of a share."""
    return {**APPLE, "ticker": ticker, "name": name or f"{ticker} Inc."}


def snapshot(ticker: str, bid: float, ask: float, at: datetime, size: int = 1_000) -> Row:
    """Polygon's answer about the newest quote."""
    stamped = int(at.timestamp() * 1_000) * 1_000_000
    last = {
        "bid": bid,
        "bid_size": size,
        "ask": ask,
        "ask_size": size,
        "last_updated": stamped,
        "timeframe": "REAL-TIME",
    }
    return {"ticker": ticker, "type": "stocks", "name": ticker, "last_quote": last}


def alpaca_quote(bid: float, ask: float, at: datetime) -> Row:
    """Alpaca's answer about the newest quote of a pair."""
    return {"bp": bid, "bs": 2, "ap": ask, "as": 3, "t": stamp(at)}


# -- what callers ask --------------------------------------------------------------------------------------------


async def quote(client: Client, symbol: str, provider: str = "", max_age: timedelta | None = None) -> Quote:
    request = GetQuoteRequest(symbol=symbol, provider=provider)
    if max_age is not None:
        request.max_age.CopyFrom(Duration(seconds=int(max_age.total_seconds())))
    return (await client.market.GetQuote(request)).quote


async def bars(
    client: Client,
    symbol: str,
    start: datetime = OPEN,
    end: datetime | None = None,
    interval: Any = BAR_INTERVAL_ONE_MINUTE,
    **fields: Any,
) -> ListBarsResponse:
    request = ListBarsRequest(symbol=symbol, interval=interval, start_time=timestamp(start), **fields)
    if end is not None:
        request.end_time.CopyFrom(timestamp(end))
    return await client.market.ListBars(request)


async def refused(call: Awaitable[Any]) -> Refusal:
    """How the call fails, which is checked to say nothing of the implementation."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return refusal(failure.value)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until it is so; for facts of vendors that nobody tells."""
    async with asyncio.timeout(_PATIENCE):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


async def retry_seconds(call: Awaitable[Any]) -> float:
    """After how long a throttled call says to try again."""
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    status = Status.FromString(dict(failure.value.trailing_metadata() or ())["grpc-status-details-bin"])
    assert read(status).reason == "RATE_LIMITED"
    retry = RetryInfo()
    assert any(detail.Unpack(retry) for detail in status.details)
    return retry.retry_delay.ToTimedelta().total_seconds()


def timestamp(at: datetime) -> Timestamp:
    stamped = Timestamp()
    stamped.FromDatetime(at)
    return stamped


def utc(at: Timestamp) -> datetime:
    return at.ToDatetime(UTC)


def opens(answer: ListBarsResponse) -> list[datetime]:
    return [utc(bar.open_time) for bar in answer.bars]


def prices(bar: Any) -> tuple[Decimal, ...]:
    return tuple(Decimal(getattr(bar, name)) for name in ("open", "high", "low", "close", "volume"))
