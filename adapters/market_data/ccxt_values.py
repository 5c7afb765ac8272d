"""Quotes, books, trades and live candles as ccxt gives them, made into this system's. What is broken is left out."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from adapters.market_data.raw_rows import price_of, size_of, utc_of_ms
from domain.market_data.quote import OrderBook, PriceLevel, TopOfBook, Trade, top_of_book
from domain.trading.value_objects.order_type import Side

BookSide = tuple[Decimal | None, Decimal | None]
RawLevel = tuple[object, object]

_TAKERS: Mapping[object, Side] = {"buy": Side.BUY, "sell": Side.SELL}


class RawBook(NamedTuple):
    """The best levels of a book at a moment, not read yet: most books are passed over by a slow reader."""

    bids: tuple[RawLevel, ...]
    asks: tuple[RawLevel, ...]
    book_time: datetime


def event_time(timestamp: object, received: datetime) -> datetime:
    """When the exchange says it was, but not after it was received, whatever its clock says; without, then."""
    at = utc_of_ms(timestamp)
    return received if at is None else min(at, received)


def quote_of(symbol: str, ticker: Mapping[str, Any], quote_time: datetime) -> TopOfBook | None:
    """None when nobody quotes, or a price is none."""
    bid = _side(ticker.get("bid"), ticker.get("bidVolume"))
    ask = _side(ticker.get("ask"), ticker.get("askVolume"))
    if bid is None or ask is None or bid[0] is ask[0] is None or _crossed(bid[0], ask[0]):
        return None
    return top_of_book(symbol, *bid, *ask, quote_time)


def top_of(book: OrderBook) -> TopOfBook:
    bid: BookSide = (book.bids[0].price, book.bids[0].size) if book.bids else (None, None)
    ask: BookSide = (book.asks[0].price, book.asks[0].size) if book.asks else (None, None)
    return top_of_book(book.symbol, *bid, *ask, book.book_time)


def raw_book(book: Mapping[str, Any], depth: int, received: datetime) -> RawBook:
    """A copy: ccxt goes on changing the levels of its own."""
    bids, asks = (tuple((level[0], level[1]) for level in book[side][:depth]) for side in ("bids", "asks"))
    return RawBook(bids, asks, event_time(book.get("timestamp"), received))


def book_of(symbol: str, raw: RawBook, depth: int) -> OrderBook | None:
    """None when there is no market, or a level is none."""
    bids, asks = _levels(raw.bids[:depth]), _levels(raw.asks[:depth])
    if bids is None or asks is None or not (bids or asks) or (bids and asks and bids[0].price > asks[0].price):
        return None
    return OrderBook(symbol, bids, asks, raw.book_time)


def trade_of(symbol: str, trade: Mapping[str, Any], received: datetime) -> Trade | None:
    price, size = price_of(trade.get("price")), price_of(trade.get("amount"))
    if price is None or size is None:
        return None
    at = utc_of_ms(trade.get("timestamp")) or received
    return Trade(symbol, str(trade.get("id") or ""), price, size, at, aggressor=_TAKERS.get(trade.get("side")))


def is_news(trade: Trade, received: datetime) -> bool:
    """Whether a trade of the first message is not one of those that some exchanges begin with, to show the past."""
    return trade.trade_time >= received - _RECENT


_RECENT = timedelta(seconds=10)


def _side(price: object, size: object) -> BookSide | None:
    """Price and size of a side; nothing of either when nobody quotes it, None when the price is none."""
    if price is None or price == 0:
        return None, None
    good = price_of(price)
    if good is None:
        return None
    quantity = size_of(size)
    return (None, None) if quantity == 0 else (good, quantity)


def _crossed(bid: Decimal | None, ask: Decimal | None) -> bool:
    return bid is not None and ask is not None and bid > ask


def _levels(raw: Sequence[RawLevel]) -> tuple[PriceLevel, ...] | None:
    levels = [(price_of(price), size_of(size)) for price, size in raw]
    if any(price is None or size is None for price, size in levels):
        return None
    return tuple(PriceLevel(price, size) for price, size in levels if price and size)
