"""The provider "polygon" before the small Polygon, and rows for it to serve."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.clock import ManualClock
from adapters.market_data.polygon_adapter import PolygonMarketData
from adapters.market_data.polygon_settings import PolygonSettings
from tests.support.vendors.polygon import KEY, FakePolygon, Row, fake_polygon

# Wednesday, 12:00 in New York.
NOW = datetime(2026, 3, 11, 16, tzinfo=UTC)
OPEN = datetime(2026, 3, 11, 13, 30, tzinfo=UTC)

APPLE: Row = {
    "ticker": "AAPL",
    "name": "Apple Inc.",
    "market": "stocks",
    "locale": "us",
    "primary_exchange": "XNAS",
    "type": "CS",
    "active": True,
    "currency_name": "usd",
    "sic_description": "ELECTRONIC COMPUTERS",
}


@asynccontextmanager
async def polygon_market(**settings: Any) -> AsyncIterator[tuple[FakePolygon, PolygonMarketData, ManualClock]]:
    """The server, the provider that talks to it, and the provider's clock, which stands at NOW."""
    async with fake_polygon() as polygon:
        clock = ManualClock(NOW)
        own = {"api_key": KEY, "url": polygon.url, "stream_url": polygon.stream_url, "timeout_seconds": 2.0}
        provider = PolygonMarketData(clock, PolygonSettings(**{**own, **settings}))
        try:
            yield polygon, provider, clock
        finally:
            await provider.close()


def milliseconds(at: datetime) -> int:
    return int(at.timestamp()) * 1_000 + at.microsecond // 1_000


def row(at: datetime, price: int = 100, **other: object) -> Row:
    """One aggregate: opens at `price`, two up, one down, closes one up."""
    fields = {"o": price, "h": price + 2, "l": price - 1, "c": price + 1, "v": 10, "vw": price + 0.5, "n": 3}
    return {**fields, "t": milliseconds(at), **other}


def rows(start: datetime, step: timedelta, count: int, price: Callable[[int], int] = lambda n: 100 + n) -> list[Row]:
    return [row(start + n * step, price(n)) for n in range(count)]
