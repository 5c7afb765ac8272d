"""What Alpaca sends, on request and on its streams, made into the domain's values. What makes no sense is None."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from msgpack import Timestamp

from adapters.market_data.raw_rows import decimal_of, price_of, size_of, utc_of_ns, utc_of_text
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, shape
from domain.market_data.quote import OrderBook, PriceLevel, TopOfBook, Trade, top_of_book
from domain.market_data.trading_hours import TradingHours
from domain.trading.value_objects.order_type import Side

BookSide = tuple[Decimal | None, Decimal | None]

_ONE = Decimal(1)
_NOBODY: BookSide = (None, None)
_TAKERS = {"B": Side.BUY, "S": Side.SELL}


def is_crypto(symbol: str) -> bool:
    """Pairs are written with a slash, stocks never are."""
    return "/" in symbol


def time_of(value: object) -> datetime | None:
    """Streams carry times as MessagePack timestamps, answers as text."""
    return utc_of_ns(value.to_unix_nano()) if isinstance(value, Timestamp) else utc_of_text(value)


def raw_bar(row: object) -> RawBar | datetime | None:
    """As `shape` takes it: the bar, or its time alone, or not even that."""
    if not isinstance(row, dict) or (at := time_of(row.get("t"))) is None:
        return None
    prices = [price_of(row.get(name)) for name in ("o", "h", "l", "c")]
    volume, count = size_of(row.get("v")), size_of(row.get("n", 0))
    opens, high, low, close = prices
    if opens is None or high is None or low is None or close is None or volume is None or count is None:
        return at
    return RawBar(at, opens, high, low, close, volume, price_of(row.get("vw")), int(count) if "n" in row else None)


def live_bar(symbol: str, hours: TradingHours, row: object, now: datetime) -> Bar | None:
    """A minute that is over, of the regular session; None for others and for one without a trade."""
    raw = raw_bar(row)
    if not isinstance(raw, RawBar):
        return None
    # That it was sent says that it is over, whatever the clock here thinks.
    over = max(now, raw.open_time + _MINUTE)
    wanted = Shape(symbol, _MINUTE_1, _MINUTE_1, hours, raw.open_time, over, over, PriceAdjustment.RAW)
    bars, _ = shape((raw,), wanted)
    return bars[0] if bars else None


_MINUTE_1 = BarInterval.MINUTE_1
_MINUTE = timedelta(minutes=1)


def quote_of(symbol: str, row: object, shares_per_lot: int) -> TopOfBook | None:
    """None where nobody quotes, where the sides cross, and where any of it makes no sense."""
    if not isinstance(row, dict) or (at := time_of(row.get("t"))) is None:
        return None
    unit = _ONE if is_crypto(symbol) else Decimal(shares_per_lot)
    bid, ask = _side(row.get("bp"), row.get("bs"), unit), _side(row.get("ap"), row.get("as"), unit)
    if bid is None or ask is None or bid == ask == _NOBODY:
        return None
    if bid[0] is not None and ask[0] is not None and bid[0] > ask[0]:
        return None
    return top_of_book(symbol, *bid, *ask, at)


def _side(price: object, size: object, unit: Decimal) -> BookSide | None:
    """A price of 0 is the vendor's word for nobody; None for what is neither that nor a price."""
    if decimal_of(price) == 0:
        return _NOBODY
    at, units = price_of(price), size_of(size)
    if at is None or units is None:
        return None
    return at, units * unit or None


def trade_of(symbol: str, row: object) -> Trade | None:
    if not isinstance(row, dict) or (at := time_of(row.get("t"))) is None:
        return None
    price, size = price_of(row.get("p")), price_of(row.get("s"))
    if price is None or size is None:
        return None
    return Trade(
        symbol, _trade_id(row, at), price, size, at, _conditions(row.get("c")), _TAKERS.get(str(row.get("tks")))
    )


def _trade_id(row: Mapping[str, object], at: datetime) -> str:
    """Ids of stocks are an exchange's own, and begin anew each day; those of crypto are the vendor's."""
    number, exchange = row.get("i"), row.get("x")
    if not isinstance(number, int) or isinstance(number, bool):
        return ""
    return f"{at:%Y%m%d}-{exchange}-{number}" if isinstance(exchange, str) else str(number)


def _conditions(codes: object) -> tuple[str, ...]:
    """A blank is the code of a regular sale: it says nothing."""
    return tuple(code for code in codes if isinstance(code, str) and code.strip()) if isinstance(codes, list) else ()


def book_of(symbol: str, row: object, depth: int) -> OrderBook | None:
    """A whole book; None for one of no sense, for one that crosses, and where nobody quotes."""
    if not isinstance(row, dict) or (at := time_of(row.get("t"))) is None:
        return None
    bids, asks = levels_of(row.get("b")), levels_of(row.get("a"))
    return None if bids is None or asks is None else sorted_book(symbol, dict(bids), dict(asks), at, depth)


def levels_of(rows: object) -> list[tuple[Decimal, Decimal]] | None:
    """Prices with their sizes, 0 for one that is gone; None when any of it makes no sense."""
    if rows is None:
        return []
    if not isinstance(rows, list):
        return None
    levels = list(_levels(rows))
    return None if any(level is None for level in levels) else [level for level in levels if level is not None]


def _levels(rows: Iterable[object]) -> Iterator[tuple[Decimal, Decimal] | None]:
    for row in rows:
        price, size = (price_of(row.get("p")), size_of(row.get("s"))) if isinstance(row, dict) else (None, None)
        yield None if price is None or size is None else (price, size)


def sorted_book(
    symbol: str, bids: Mapping[Decimal, Decimal], asks: Mapping[Decimal, Decimal], at: datetime, depth: int
) -> OrderBook | None:
    best_bids = tuple(PriceLevel(*level) for level in sorted(bids.items(), reverse=True) if level[1])[:depth]
    best_asks = tuple(PriceLevel(*level) for level in sorted(asks.items()) if level[1])[:depth]
    if not (best_bids or best_asks) or (best_bids and best_asks and best_bids[0].price > best_asks[0].price):
        return None
    return OrderBook(symbol, best_bids, best_asks, at)
