"""What a chart of Yahoo's holds, made from what was traded.

Prices are kept as they were traded. What is served is what Yahoo would make of them: corrected for the splits that
came later, in single precision, with `adjclose` corrected for dividends as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from struct import pack, unpack
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

Json = dict[str, Any]

RANGES = {
    "1d": timedelta(days=1),
    "5d": timedelta(days=5),
    "1mo": timedelta(days=31),
    "3mo": timedelta(days=92),
    "6mo": timedelta(days=183),
    "1y": timedelta(days=366),
    "2y": timedelta(days=731),
    "5y": timedelta(days=1827),
    "10y": timedelta(days=3653),
    "max": timedelta(days=36500),
}
_OFFSET = -18000


class Traded(NamedTuple):
    """What was traded from `at` on, at the prices of that time."""

    at: datetime
    open: str
    high: str
    low: str
    close: str
    volume: int


@dataclass
class Listing:
    """One symbol of Yahoo's. `candles` by interval ("1m", "5m", "15m", "1h", "1d"), those of a day stamped by the open.

    `splits`: the first day at the new price, new shares, old shares. `dividends`: the ex-day, and the share of the
    price that is left without it. `periods`: the days and local times of the regular session.
    """

    symbol: str
    kind: str
    exchange: str
    currency: str
    zone: str
    name: str
    opens: time
    closes: time
    weekdays: frozenset[int] = frozenset(range(5))
    pre_opens: time | None = None
    post_closes: time | None = None
    early_closes: dict[date, time] = field(default_factory=dict)
    price_hint: int = 2
    first_trade: datetime = datetime(1990, 1, 2, 14, 30, tzinfo=UTC)
    last_trade: datetime | None = None
    candles: dict[str, Sequence[Traded]] = field(default_factory=dict)
    splits: list[tuple[date, int, int]] = field(default_factory=list)
    dividends: list[tuple[date, Decimal]] = field(default_factory=list)

    def day(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()

    def at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(frozen=True)
class ChartRequest:
    """Rows of `interval` that open in [start, end) and not after `now`."""

    interval: str
    start: datetime
    end: datetime
    now: datetime
    extended: bool


def chart(listing: Listing, of: ChartRequest) -> Json:
    rows = [row for row in listing.candles.get(of.interval, ()) if _is_asked(listing, of, row)]
    result: Json = {"meta": _meta(listing, of)}
    if rows:
        result["timestamp"] = [int(row.at.timestamp()) for row in rows]
    events = _events(listing, of)
    if events:
        result["events"] = events
    result["indicators"] = {"quote": [_columns(listing, rows)]}
    if of.interval == "1d":
        result["indicators"]["adjclose"] = [{"adjclose": [_adjusted(listing, row) for row in rows]} if rows else {}]
    return {"chart": {"result": [result], "error": None}}


def single(value: Decimal) -> float:
    """As a number that was once of single precision is written in JSON: 187.1 becomes 187.10000610351562."""
    return float(unpack("f", pack("f", float(value)))[0])


def later_splits(listing: Listing, at: datetime) -> Decimal:
    """How many of today's shares one of then is."""
    ratio = Decimal(1)
    for day, new, old in listing.splits:
        if listing.day(at) < day:
            ratio = ratio * new / old
    return ratio


def _columns(listing: Listing, rows: Sequence[Traded]) -> Json:
    if not rows:
        return {}
    ratios = [later_splits(listing, row.at) for row in rows]
    columns: Json = {
        name: [single(Decimal(getattr(row, name)) / ratio) for row, ratio in zip(rows, ratios, strict=True)]
        for name in ("open", "high", "low", "close")
    }
    columns["volume"] = [round(row.volume * ratio) for row, ratio in zip(rows, ratios, strict=True)]
    return columns


def _adjusted(listing: Listing, row: Traded) -> float:
    price = Decimal(row.close) / later_splits(listing, row.at)
    for day, left in listing.dividends:
        if listing.day(row.at) < day:
            price *= left
    return single(price)


def _regular(listing: Listing, at: datetime) -> bool:
    day = listing.day(at)
    closes = listing.early_closes.get(day, listing.closes)
    end = listing.at(day if closes > listing.opens else day + timedelta(days=1), closes)
    return listing.at(day, listing.opens) <= at < end


def _period(listing: Listing, day: date, opens: time, closes: time) -> Json:
    """Of a session around the clock Yahoo says that it ends at 23:59."""
    closes = time(23, 59) if opens == closes == time(0) else closes
    return {
        "timezone": "XXX",
        "start": int(listing.at(day, opens).timestamp()),
        "end": int(listing.at(day, closes).timestamp()),
        "gmtoffset": _OFFSET,
    }


def _periods_of(listing: Listing, day: date) -> dict[str, Json]:
    closes = listing.early_closes.get(day, listing.closes)
    return {
        "pre": _period(listing, day, listing.pre_opens or listing.opens, listing.opens),
        "regular": _period(listing, day, listing.opens, closes),
        "post": _period(listing, day, closes, listing.post_closes or closes),
    }


def _current_periods(listing: Listing, day: date) -> Json:
    while day.weekday() not in listing.weekdays:
        day += timedelta(days=1)
    return _periods_of(listing, day)


def _periods(listing: Listing, first: date, last: date, extended: bool) -> Any:
    days = [
        first + timedelta(days=n)
        for n in range((last - first).days + 1)
        if (first + timedelta(days=n)).weekday() in listing.weekdays
    ]
    of_days = [_periods_of(listing, day) for day in days]
    if extended:
        return {kind: [[periods[kind]] for periods in of_days] for kind in ("pre", "regular", "post")}
    return [[periods["regular"]] for periods in of_days]


def _is_asked(listing: Listing, of: ChartRequest, row: Traded) -> bool:
    shown = of.extended or of.interval == "1d" or _regular(listing, row.at)
    return of.start <= row.at < of.end and row.at <= of.now and shown


def _meta(listing: Listing, of: ChartRequest) -> Json:
    meta: Json = {
        "currency": listing.currency,
        "symbol": listing.symbol,
        "exchangeName": listing.exchange,
        "fullExchangeName": f"Exchange {listing.exchange}",
        "instrumentType": listing.kind,
        "firstTradeDate": int(listing.first_trade.timestamp()),
        "regularMarketTime": int((listing.last_trade or of.now).timestamp()),
        "hasPrePostMarketData": listing.pre_opens is not None,
        "gmtoffset": _OFFSET,
        "timezone": "XXX",
        "exchangeTimezoneName": listing.zone,
        "regularMarketPrice": 1.5,
        "longName": listing.name,
        "shortName": listing.name,
        "priceHint": listing.price_hint,
        "currentTradingPeriod": _current_periods(listing, listing.day(of.now)),
        "dataGranularity": of.interval,
        "range": "",
        "validRanges": list(RANGES),
    }
    if of.interval != "1d":
        first = listing.day(max(of.start, listing.first_trade))
        meta["tradingPeriods"] = _periods(listing, first, listing.day(of.end), of.extended)
    return meta


def _events(listing: Listing, of: ChartRequest) -> Json:
    events: Json = {}
    for day, new, old in listing.splits:
        at = listing.at(day, listing.opens)
        if of.start <= at < of.end and at <= of.now:
            stamp = int(at.timestamp())
            events.setdefault("splits", {})[str(stamp)] = {
                "date": stamp,
                "numerator": float(new),
                "denominator": float(old),
                "splitRatio": f"{new}:{old}",
            }
    for day, _ in listing.dividends:
        at = listing.at(day, listing.opens)
        if of.start <= at < of.end and at <= of.now:
            stamp = int(at.timestamp())
            events.setdefault("dividends", {})[str(stamp)] = {"amount": 0.25, "date": stamp}
    return events
