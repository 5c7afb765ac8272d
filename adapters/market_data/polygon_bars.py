"""Polygon's aggregates, made into the bars that the contract describes."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from adapters.market_data.conventions import CRYPTO_HOURS, FOREX_HOURS, US_EQUITY_HOURS
from adapters.market_data.polygon_rest import PolygonRest
from adapters.market_data.polygon_symbols import Cluster, PolygonName
from adapters.market_data.raw_rows import price_of, size_of, utc_of_ms
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, shape, source_interval
from domain.market_data.trading_hours import TradingHours

HOURS: Mapping[Cluster, TradingHours] = {
    Cluster.STOCKS: US_EQUITY_HOURS,
    Cluster.INDICES: US_EQUITY_HOURS,
    Cluster.FOREX: FOREX_HOURS,
    Cluster.CRYPTO: CRYPTO_HOURS,
}

# Longer ones of less than a day are made of these: where Polygon's begin, it does not say.
_INTRADAY = {
    BarInterval.SECOND_1: (1, "second"),
    BarInterval.MINUTE_1: (1, "minute"),
    BarInterval.MINUTE_5: (5, "minute"),
    BarInterval.MINUTE_15: (15, "minute"),
    BarInterval.MINUTE_30: (30, "minute"),
    BarInterval.HOUR_1: (1, "hour"),
}
_SPANS = {**_INTRADAY, BarInterval.DAY_1: (1, "day")}

# Polygon's days of currency pairs are those of UTC, the market's are not: they are made of hours.
_OFFERED = {cluster: _INTRADAY if cluster is Cluster.FOREX else _SPANS for cluster in Cluster}

_WITHOUT_VOLUME = frozenset({Cluster.FOREX, Cluster.INDICES})
_LENGTHS = {
    BarInterval.DAY_1: timedelta(days=1),
    BarInterval.WEEK_1: timedelta(days=7),
    BarInterval.MONTH_1: timedelta(days=31),
}
_MOST_AT_ONCE = 100_000
_TIME_FOR_A_BAR = 5  # a session is a fifth of the week
_ZERO = Decimal(0)

# What one page holds in any case, so that a request for a few bars needs no second one to get over a weekend.
_LEAST_AT_ONCE = {BarInterval.SECOND_1: timedelta(hours=12), BarInterval.DAY_1: timedelta(days=1_000)}
_LEAST_OF_MINUTES = timedelta(days=5)


class PolygonBars:
    """`delay`: how old the newest data of the plan is."""

    def __init__(self, rest: PolygonRest, delay: timedelta) -> None:
        self._rest = rest
        self._delay = delay

    async def fetch(self, name: PolygonName, request: BarRequest, now: datetime) -> FetchedBars:
        """Reads on until `limit` bars are whole, or there are no more: a long range costs what is taken of it."""
        wanted = _shape(name, request, now - self._delay)
        covered, end = rows_needed(wanted)
        end = min(end, now)
        ahead = _ahead(wanted, request.limit)
        rows: list[RawBar | datetime | None] = []
        bars: list[Bar] = []
        invalid: list[tuple[datetime, datetime]] = []
        while covered < end and len(bars) < request.limit:
            until = end if end - covered <= ahead else covered + ahead
            rows += await self._rows(name, wanted, covered, until)
            covered, ahead = until, ahead * 4
            found, invalid = shape(rows, wanted)
            bars = found if covered == end else [bar for bar in found if bar.close_time <= covered]
        if covered < end or len(bars) > request.limit:
            bars = bars[: request.limit]
            invalid = [span for span in invalid if span[0] < bars[-1].close_time]
        return FetchedBars(bars, invalid)

    async def _rows(
        self, name: PolygonName, wanted: Shape, start: datetime, end: datetime
    ) -> list[RawBar | datetime | None]:
        multiplier, timespan = _SPANS[wanted.source_interval]
        adjusted = wanted.adjustment is PriceAdjustment.SPLITS
        found = await self._rest.aggregates(name.ticker, multiplier, timespan, start, end, adjusted)
        return [
            _raw_bar(
                name.cluster,
                row.timestamp,
                (row.open, row.high, row.low, row.close),
                row.volume,
                row.vwap,
                row.transactions,
            )
            for row in found
        ]


def live_bar(
    cluster: Cluster, interval: BarInterval, symbol: str, event: Mapping[str, Any], now: datetime
) -> Bar | None:
    """The bar that an event tells the end of; None for a broken one and for one outside the session."""
    prices = (event.get("o"), event.get("h"), event.get("l"), event.get("c"))
    row = _raw_bar(cluster, event.get("s"), prices, event.get("v"), event.get("vw"), None)
    length = interval.fixed_length
    if not isinstance(row, RawBar) or length is None:
        return None
    closes = row.open_time + length
    # Polygon sends what is over: where our clock is behind, it is over all the same.
    as_of = max(now, closes)
    hours = HOURS[cluster]
    bars, _ = shape([row], Shape(symbol, interval, interval, hours, row.open_time, closes, as_of, PriceAdjustment.RAW))
    return bars[0] if bars else None


def _raw_bar(
    cluster: Cluster, opens: object, prices: tuple[object, ...], volume: object, vwap: object, trades: object
) -> RawBar | datetime | None:
    open_time = utc_of_ms(opens)
    if open_time is None:
        return None
    counted = cluster not in _WITHOUT_VOLUME
    quantity = size_of(volume) if counted else _ZERO
    opened, high, low, close = map(price_of, prices)
    if quantity is None or opened is None or high is None or low is None or close is None:
        return open_time
    row = RawBar(open_time, opened, high, low, close, quantity)
    return row._replace(vwap=price_of(vwap), trade_count=_count(trades)) if counted else row


def _count(value: object) -> int | None:
    number = size_of(value)
    return int(number) if number is not None else None


def _shape(name: PolygonName, request: BarRequest, now: datetime) -> Shape:
    hours = HOURS[name.cluster]
    wanted = Shape(
        request.symbol,
        request.interval,
        request.interval,
        hours,
        request.start,
        request.end,
        now,
        request.adjustment,
        request.extended_hours,
    )
    return replace(
        wanted, source_interval=source_interval(request.interval, _OFFERED[name.cluster], wanted.trading_hours)
    )


def _ahead(wanted: Shape, limit: int) -> timedelta:
    """A span that should hold `limit` bars."""
    length = wanted.interval.fixed_length or _LENGTHS[wanted.interval]
    needed = _TIME_FOR_A_BAR * min(limit, _MOST_AT_ONCE) * length
    return max(needed, _LEAST_AT_ONCE.get(wanted.source_interval, _LEAST_OF_MINUTES))
