"""The Yahoo provider at a fake Yahoo that lists some instruments, on a clock that stands still."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yfinance.base
import yfinance.cache
import yfinance.data

from adapters.clock import ManualClock
from adapters.market_data.conventions import US_EQUITY_HOURS
from adapters.market_data.yfinance_adapter import YFinanceMarketData
from adapters.market_data.yfinance_settings import YFinanceSettings
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from tests.support.vendors.yahoo import FakeYahoo
from tests.support.vendors.yahoo_chart import Listing, Traded

NOW = datetime(2024, 6, 14, 18, 0, 30, tzinfo=UTC)
"""A Friday, 14:00:30 in New York."""
SPLIT = date(2024, 3, 4)
EX_DIVIDEND = date(2024, 5, 10)
LEFT = Decimal("0.9975")

INPLACE = "ignore:The inplace keyword"
"""yfinance 1.7 calls pandas 3.1 in ways that pandas will drop."""

_LENGTHS = {"1m": 1, "5m": 5, "15m": 15, "1h": 60}


@dataclass
class YahooMarket:
    yahoo: FakeYahoo
    provider: YFinanceMarketData
    clock: ManualClock

    async def bars(
        self,
        symbol: str,
        interval: BarInterval,
        start: datetime,
        end: datetime = NOW,
        limit: int = 100_000,
        adjustment: PriceAdjustment = PriceAdjustment.RAW,
        *,
        extended_hours: bool = False,
    ) -> FetchedBars:
        return await self.provider.bars(
            BarRequest(symbol, interval, start, end, limit, adjustment, extended_hours=extended_hours)
        )


@asynccontextmanager
async def yahoo_market(folder: Path, now: datetime = NOW, **settings: Any) -> AsyncIterator[YahooMarket]:
    clock = ManualClock(now)
    async with FakeYahoo(folder, now) as yahoo:
        yahoo.list(apple())
        provider = YFinanceMarketData(clock, YFinanceSettings(proxy=yahoo.proxy, ca_file=yahoo.ca_file, **settings))
        _as_in_a_new_process()
        try:
            yield YahooMarket(yahoo, provider, clock)
        finally:
            await provider.close()


def _as_in_a_new_process() -> None:
    """yfinance keeps its cookie, its crumb and time zones for the process: no test is to see another's."""
    yfinance.data.SingletonMeta._instances.clear()
    yfinance.base._tz_info_fetch_ctr = 0
    yfinance.cache.get_cookie_cache().store("curlCffi", None)
    for symbol in _LISTED:
        yfinance.cache.get_tz_cache().store(symbol, None)


def apple(**changes: Any) -> Listing:
    """Four for one on SPLIT, a dividend on EX_DIVIDEND; days since 2022, and the rest as far as Yahoo has it."""
    hours = US_EQUITY_HOURS
    listing = Listing(
        "AAPL",
        "EQUITY",
        "NMS",
        "USD",
        hours.time_zone,
        "Apple Inc.",
        hours.opens,
        hours.closes,
        pre_opens=hours.pre_market_opens,
        post_closes=hours.post_market_closes,
        first_trade=utc(2022, 1, 3, 14, 30),
        splits=[(SPLIT, 4, 1)],
        dividends=[(EX_DIVIDEND, LEFT)],
    )
    extended = hours.extended()
    listing.candles = {
        "1d": days(hours, utc(2022, 1, 1)),
        "1h": steps(hours, NOW - timedelta(days=730), "1h"),
        "15m": steps(extended, NOW - timedelta(days=60), "15m"),
        "5m": steps(extended, NOW - timedelta(days=60), "5m"),
        "1m": steps(hours, NOW - timedelta(days=30), "1m"),
    }
    return _changed(listing, changes)


def sap(**changes: Any) -> Listing:
    listing = Listing("SAP.DE", "EQUITY", "GER", "EUR", "Europe/Berlin", "SAP SE", time(9), time(17, 30))
    listing.candles = {"15m": steps(hours_of(listing), NOW - timedelta(days=5), "15m")}
    listing.candles["1d"] = days(hours_of(listing), NOW - timedelta(days=100))
    return _changed(listing, changes)


def vodafone(**changes: Any) -> Listing:
    listing = Listing("VOD.L", "EQUITY", "LSE", "GBp", "Europe/London", "Vodafone", time(8), time(16, 30))
    listing.candles = {"1d": days(hours_of(listing), NOW - timedelta(days=100), "70.12")}
    return _changed(listing, changes)


def toyota(**changes: Any) -> Listing:
    """Pauses from 11:30 to 12:30, from where Yahoo's hours are counted anew."""
    listing = Listing("7203.T", "EQUITY", "JPX", "JPY", "Asia/Tokyo", "Toyota", time(9), time(15), price_hint=0)
    hours = hours_of(listing)
    listing.candles = {
        "1d": days(hours, NOW - timedelta(days=40), "3200"),
        "15m": [row for row in steps(hours, NOW - timedelta(days=9), "15m", "3200") if not _at_noon(listing, row)],
        "1h": [
            Traded(listing.at(day, time(*at)), "3200", "3210", "3190", "3205", 1000)
            for day in (date(2024, 6, 12), date(2024, 6, 13))
            for at in ((9, 0), (10, 0), (11, 0), (12, 30), (13, 30), (14, 30))
        ],
    }
    return _changed(listing, changes)


def euro(**changes: Any) -> Listing:
    listing = Listing("EURUSD=X", "CURRENCY", "CCY", "USD", "Europe/London", "EUR/USD", time(0), time(0), price_hint=4)
    listing.candles = {"1d": days(hours_of(listing), NOW - timedelta(days=100), "1.08", volume=0)}
    return _changed(listing, changes)


def bitcoin(**changes: Any) -> Listing:
    listing = Listing(
        "BTC-USD", "CRYPTOCURRENCY", "CCC", "USD", "UTC", "Bitcoin USD", time(0), time(0), weekdays=frozenset(range(7))
    )
    listing.candles = {"1d": days(ALWAYS_OPEN, NOW - timedelta(days=30), "67234.56", volume=31_000_000_000)}
    return _changed(listing, changes)


def index(**changes: Any) -> Listing:
    hours = US_EQUITY_HOURS
    listing = Listing("^GSPC", "INDEX", "SNP", "USD", hours.time_zone, "S&P 500", hours.opens, hours.closes)
    listing.candles = {"1d": days(hours, NOW - timedelta(days=30), "5300.25")}
    return _changed(listing, changes)


def fund(**changes: Any) -> Listing:
    """Has days only."""
    listing = Listing("VFIAX", "MUTUALFUND", "NAS", "USD", "America/New_York", "Vanguard 500", time(8), time(20))
    listing.candles = {"1d": days(hours_of(listing), NOW - timedelta(days=30), "501.25", volume=0)}
    return _changed(listing, changes)


_LISTED = ("AAPL", "SAP.DE", "VOD.L", "7203.T", "EURUSD=X", "BTC-USD", "^GSPC", "VFIAX", "BRK-B", "ES-F", "NOPE")


def utc(*at: int) -> datetime:
    return datetime(*at, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year to minute, of how many there are


def hours_of(listing: Listing) -> TradingHours:
    return TradingHours(listing.zone, listing.opens, listing.closes, listing.weekdays)


@cache
def days(hours: TradingHours, since: datetime, start: str = "187.1", volume: int = 4_000) -> tuple[Traded, ...]:
    opens = (session.open for session in hours.sessions(since))
    return tuple(_traded(_until_now(opens), start, volume))


@cache
def steps(hours: TradingHours, since: datetime, interval: str, start: str = "187.1") -> tuple[Traded, ...]:
    """Rows from the open of each session on."""
    length = timedelta(minutes=_LENGTHS[interval])
    opens = (
        session.open + n * length
        for session in hours.sessions(since)
        for n in range(-((session.open - session.close) // length))
    )
    return tuple(_traded(_until_now(opens), start, 400))


def _until_now(opens: Iterator[datetime]) -> Iterator[datetime]:
    for at in opens:
        if at > NOW:
            return
        yield at


def _traded(opens: Iterator[datetime], start: str, volume: int) -> Iterator[Traded]:
    """Prices that differ from row to row, as they have as many decimals as `start`."""
    step = Decimal(1).scaleb(Decimal(start).as_tuple().exponent)  # type: ignore[arg-type]  # of a finite number an int
    for n, at in enumerate(opens):
        opened = Decimal(start) + (n * 7 % 23) * step
        high, low, close = opened + 5 * step, opened - 3 * step, opened + 2 * step
        yield Traded(at, str(opened), str(high), str(low), str(close), volume and volume + 4 * n)


def _at_noon(listing: Listing, row: Traded) -> bool:
    day = listing.day(row.at)
    return listing.at(day, time(11, 30)) <= row.at < listing.at(day, time(12, 30))


def _changed(listing: Listing, changes: dict[str, Any]) -> Listing:
    for name, value in changes.items():
        setattr(listing, name, value)
    return listing
