"""What the rows of a recording mean: their columns by the usual names, their times, and what they become."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from math import isnan
from typing import Generic, TypeVar

from adapters.market_data.raw_rows import decimal_of
from domain.decimals import ZERO
from domain.market_data.bar_shaping import RawBar
from domain.market_data.quote import TopOfBook, Trade, top_of_book

T = TypeVar("T")

Cells = Sequence[object]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_NOTHING = frozenset({"", "nan", "null", "none", "na", "n/a", "nat"})
_TIME = "time"
_TIME_RULE = "must be a time by ISO 8601 or a count since 1970"
_MOST_CONDITIONS = 32


class BadFile(Exception):
    """A file that cannot be used: its name in the folder, the line or row, and the rule that it breaks."""

    def __init__(self, name: str, rule: str, place: str = "") -> None:
        super().__init__(f"{name}{', ' if place else ''}{place}: {rule}")


class Replaced(BadFile):
    """Another file has taken its place, or it was cut: positions in it mean nothing any more."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "was replaced while it was read")


class BadCell(Exception):
    """The rule that a row breaks; whoever reads the row knows where it is."""


@dataclass(frozen=True)
class Recording(Generic[T]):
    """Rows of one kind. `columns` has the names that each may go by, the likeliest first, beside those that are
    `required`; `item` makes of a row's time and cells what it means, None where that is nothing.
    """

    columns: Mapping[str, Sequence[str]]
    required: frozenset[str]
    item: Callable[[datetime, Cells], T | None]

    def positions(self, header: Sequence[str]) -> list[int | None]:
        """Where the time and then each of `columns` is; raises BadCell for a header that does not say."""
        names = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in header]
        found = [_position(names, usual) for usual in (_TIMES, *self.columns.values())]
        for name, position in zip((_TIME, *self.columns), found, strict=True):
            if position is None and (name == _TIME or name in self.required):
                raise BadCell(f"there is no column {name}; there are {', '.join(header)}")
        return found


def _position(names: Sequence[str], usual: Sequence[str]) -> int | None:
    for name in usual:
        if names.count(name) > 1:
            raise BadCell(f"there are two columns {name}")
        if name in names:
            return names.index(name)
    return None


_TIMES = (
    *("time", "timestamp", "datetime", "opentime", "quotetime", "tradetime", "siptimestamp", "participanttimestamp"),
    *("tsevent", "windowstart", "date", "day", "ts", "t", "unix", "epoch"),
)
_BAR_COLUMNS = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "basevolume"),
    "vwap": ("vwap", "vw", "wap", "average"),
    "trade_count": ("tradecount", "numberoftrades", "transactions", "trades", "count", "n"),
}
_QUOTE_COLUMNS = {
    "bid_price": ("bidprice", "bid", "bp", "bidpx"),
    "bid_size": ("bidsize", "bidqty", "bidquantity", "bidvolume", "bidamount", "bs", "bidsz"),
    "ask_price": ("askprice", "ask", "ap", "askpx", "offer", "offerprice"),
    "ask_size": ("asksize", "askqty", "askquantity", "askvolume", "askamount", "as", "asksz", "offersize"),
}
_TRADE_COLUMNS = {
    "price": ("price", "p", "px", "last", "lastprice"),
    "size": ("size", "quantity", "qty", "amount", "volume", "s", "sz"),
    "trade_id": ("tradeid", "id", "tid", "i"),
    "conditions": ("conditions", "condition", "cond", "c"),
}


# -- cells --------------------------------------------------------------------------------------------------


def time_of(value: object) -> datetime | None:
    """UTC; a text without a zone counts as such. Numbers count from 1970, in the unit that their size tells."""
    if isinstance(value, datetime):
        return _within(value)
    if isinstance(value, date):
        return _within(datetime.combine(value, time(0)))
    if not isinstance(value, str):
        return _counted(value)
    text = value.strip()
    digits = text.removeprefix("-").replace(".", "", 1)
    if digits.isdecimal() and (len(text) != len("YYYYMMDD") or "." in text):
        return _counted(text)
    try:
        return _within(datetime.fromisoformat(text.upper()))
    except ValueError:
        return None


def _within(at: datetime) -> datetime | None:
    try:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None
    return at if _EARLIEST <= at < _LATEST else None


def _counted(value: object) -> datetime | None:
    number = decimal_of(value)
    if number is None:
        return None
    size = abs(number)
    unit = next((unit for most, unit in _UNITS if size < most), None)
    try:
        return None if unit is None else _within(_EPOCH + int(number * unit // 1) * _MICROSECOND)
    except OverflowError:
        return None


_UNITS = (
    (Decimal(10) ** 11, Decimal(10) ** 6),
    (Decimal(10) ** 14, Decimal(10) ** 3),
    (Decimal(10) ** 17, Decimal(1)),
    (Decimal(10) ** 20, Decimal(10) ** -3),
)
"""Below the first it counts in units of the second, in microseconds."""


def required_time(value: object) -> datetime:
    at = time_of(value)
    if at is None:
        raise BadCell(f"{_TIME}: {_TIME_RULE}, not {_shown(value)}")
    return at


def number_in(value: object, column: str) -> Decimal | None:
    """None for an empty cell and NaN; raises BadCell for what is no number."""
    if value is None:
        return None
    number = decimal_of(value)
    if number is None:
        if isinstance(value, float) and isnan(value):
            return None
        if isinstance(value, str) and value.strip().lower() in _NOTHING:
            return None
        raise BadCell(f"{column}: must be a number, not {_shown(value)}")
    return number


def _positive(value: object, column: str) -> Decimal | None:
    number = number_in(value, column)
    return number if number is not None and number > 0 else None


def _shown(value: object) -> str:
    return repr(value if not isinstance(value, str) or len(value) <= 40 else f"{value[:40]}...")


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()


# -- what rows become ---------------------------------------------------------------------------------------


def _bar(at: datetime, cells: Cells) -> RawBar | datetime:
    open_, high, low, close, volume, vwap, count = map(number_in, cells, _BAR_COLUMNS)
    if open_ is None or high is None or low is None or close is None:
        return at
    trades = None if count is None else int(count)
    return RawBar(at, open_, high, low, close, ZERO if volume is None else volume, vwap, trades)


BARS: Recording[RawBar | datetime] = Recording(_BAR_COLUMNS, frozenset({"open", "high", "low", "close"}), _bar)
"""A bar without a price in it is only its time."""


def quotes(symbol: str) -> Recording[TopOfBook]:
    """A side without a price above zero is none; a row without a side, and one that is crossed, are left out."""

    def item(at: datetime, cells: Cells) -> TopOfBook | None:
        bid, ask = _positive(cells[0], "bid_price"), _positive(cells[2], "ask_price")
        if (bid is None and ask is None) or (bid is not None and ask is not None and bid > ask):
            return None
        bid_size = _size(cells[1], "bid_size") if bid is not None else None
        ask_size = _size(cells[3], "ask_size") if ask is not None else None
        return top_of_book(symbol, bid, bid_size, ask, ask_size, at)

    return Recording(_QUOTE_COLUMNS, frozenset({"bid_price", "ask_price"}), item)


def _size(value: object, column: str) -> Decimal | None:
    number = number_in(value, column)
    return number if number is not None and number >= 0 else None


def trades(symbol: str) -> Recording[Trade]:
    """A row without a price or a size above zero is left out."""

    def item(at: datetime, cells: Cells) -> Trade | None:
        price, size = _positive(cells[0], "price"), _positive(cells[1], "size")
        if price is None or size is None:
            return None
        return Trade(symbol, _text(cells[2]), price, size, at, _conditions(cells[3]))

    return Recording(_TRADE_COLUMNS, frozenset({"price", "size"}), item)


def _conditions(value: object) -> tuple[str, ...]:
    codes = value if isinstance(value, list | tuple) else re.split(r"[\s,;|\[\]]+", _text(value))
    return tuple(code for code in map(_text, codes) if code)[:_MOST_CONDITIONS]
