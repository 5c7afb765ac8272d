"""What a chart says of itself, narrowed from yfinance's dictionary of anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.market_data.raw_rows import utc_of_seconds

_MOST_DECIMALS = 8
_USUAL_DECIMALS = 2
_WITH_PERIODS = ("1m", "5m", "15m", "1h", "60m")


@dataclass(frozen=True, slots=True)
class Period:
    """A session as it was or will be on one day, in the venue's time; `pre_opens` and `post_closes` None without."""

    opens: datetime
    closes: datetime
    pre_opens: time | None = None
    post_closes: time | None = None


@dataclass(frozen=True, slots=True)
class Meta:
    """`periods` are of the days that the chart covers, of the current day where it does not say.

    `granularity` is the interval that the chart really has. Between `first_trade` and `last_trade` there was
    trading; None where that is not said. Texts that are missing are empty.
    """

    symbol: str
    kind: str
    exchange: str
    exchange_name: str
    currency: str
    zone: str
    name: str
    decimals: int
    granularity: str
    first_trade: datetime | None
    last_trade: datetime | None
    periods: tuple[Period, ...]


def meta_of(raw: Mapping[str, object]) -> Meta | None:
    """None when it lacks what every chart has."""
    symbol, kind, zone = _text(raw, "symbol"), _text(raw, "instrumentType"), _text(raw, "exchangeTimezoneName")
    if not symbol or not kind or not _is_zone(zone):
        return None
    decimals = _item(raw, "priceHint")
    return Meta(
        symbol=symbol,
        kind=kind,
        exchange=_text(raw, "exchangeName"),
        exchange_name=_text(raw, "fullExchangeName"),
        currency=_text(raw, "currency"),
        zone=zone,
        name=_text(raw, "longName") or _text(raw, "shortName"),
        decimals=decimals if isinstance(decimals, int) and 0 <= decimals <= _MOST_DECIMALS else _USUAL_DECIMALS,
        granularity=_text(raw, "dataGranularity"),
        first_trade=_moment(_item(raw, "firstTradeDate")),
        last_trade=_moment(_item(raw, "regularMarketTime")),
        periods=tuple(_periods(raw)),
    )


def _periods(raw: Mapping[str, object]) -> Iterator[Period]:
    # Asking yfinance for what the chart did not have would make it send another request.
    table = _item(raw, "tradingPeriods") if _text(raw, "dataGranularity") in _WITH_PERIODS else None
    columns = {name: _column(table, name) for name in ("start", "end", "pre_start", "post_end")}
    if not columns["start"]:
        yield from _current(raw)
        return
    nothing = [None] * len(columns["start"])
    pre, post = columns["pre_start"] or nothing, columns["post_end"] or nothing
    for opens, closes, pre_opens, post_closes in zip(columns["start"], columns["end"], pre, post, strict=True):
        if isinstance(opens, datetime) and isinstance(closes, datetime):
            yield _period(opens, closes, pre_opens, post_closes)


def _current(raw: Mapping[str, object]) -> Iterator[Period]:
    current = _item(raw, "currentTradingPeriod")
    if not isinstance(current, Mapping):
        return
    spans = {kind: current.get(kind) for kind in ("pre", "regular", "post")}
    edges = {kind: (span.get("start"), span.get("end")) for kind, span in spans.items() if isinstance(span, Mapping)}
    opens, closes = edges.get("regular", (None, None))
    if isinstance(opens, datetime) and isinstance(closes, datetime):
        yield _period(opens, closes, edges.get("pre", (None, None))[0], edges.get("post", (None, None))[1])


def _period(opens: datetime, closes: datetime, pre_opens: object, post_closes: object) -> Period:
    return Period(
        opens,
        closes,
        pre_opens.time() if isinstance(pre_opens, datetime) and pre_opens < opens else None,
        post_closes.time() if isinstance(post_closes, datetime) and post_closes > closes else None,
    )


def _item(raw: Mapping[str, object], name: str) -> object:
    try:
        return raw[name]
    except KeyError:
        return None


def _text(raw: Mapping[str, object], name: str) -> str:
    value = _item(raw, name)
    return value.strip() if isinstance(value, str) else ""


def _column(table: object, name: str) -> list[object]:
    """Of a DataFrame; empty for anything else and where it has no such column."""
    columns = getattr(table, "columns", ())
    return list(table[name]) if name in columns else []  # type: ignore[index]  # pandas is untyped


def _moment(value: object) -> datetime | None:
    """yfinance makes a pandas time of it, unless the chart had no rows."""
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else utc_of_seconds(value)


def _is_zone(name: str) -> bool:
    try:
        return bool(name) and ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
