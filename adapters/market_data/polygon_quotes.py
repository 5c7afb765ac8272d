"""Quotes and trades as Polygon writes them, made into ours. What contradicts itself is dropped."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from adapters.market_data.raw_rows import decimal_of, price_of, size_of, utc_of_ms, utc_of_ns
from domain.market_data.quote import TopOfBook, Trade, top_of_book

_Side = tuple[Decimal | None, Decimal | None]

_NOBODY: _Side = (None, None)


def snapshot_quote(symbol: str, quote: Any, now: datetime) -> TopOfBook | None:
    """Of the SDK's snapshot; None where it has no side at all. Its times are in nanoseconds."""
    if quote is None:
        return None
    found = _quote(symbol, (quote.bid, quote.bid_size), (quote.ask, quote.ask_size), utc_of_ns(quote.last_updated), now)
    return None if found is None or found.bid_price is found.ask_price is None else found


def stock_quote(symbol: str, event: Mapping[str, Any], now: datetime) -> TopOfBook | None:
    """Of the events Q and XQ. Sizes are in shares, since November 2025."""
    bid, ask = (event.get("bp"), event.get("bs")), (event.get("ap"), event.get("as"))
    return _quote(symbol, bid, ask, utc_of_ms(event.get("t")), now)


def currency_quote(symbol: str, event: Mapping[str, Any], now: datetime) -> TopOfBook | None:
    """Of the event C, which has prices only."""
    return _quote(symbol, (event.get("b"), None), (event.get("a"), None), utc_of_ms(event.get("t")), now)


def trade(symbol: str, event: Mapping[str, Any], now: datetime) -> Trade | None:
    """Of the events T and XT. `i` counts within an exchange `x` and, off exchange, a reporting facility `trfi`."""
    price, size = price_of(event.get("p")), price_of(event.get("ds", event.get("s")))
    at = utc_of_ms(event.get("t"))
    if price is None or size is None or at is None:
        return None
    number = event.get("i")
    parts = [event.get("x"), event.get("trfi") or None, number] if number not in (None, "") else []
    codes = event.get("c")
    conditions = tuple(str(code) for code in codes) if isinstance(codes, list) else ()
    return Trade(
        symbol, "-".join(str(part) for part in parts if part is not None), price, size, min(at, now), conditions
    )


def _quote(
    symbol: str, bid: tuple[object, object], ask: tuple[object, object], at: datetime | None, now: datetime
) -> TopOfBook | None:
    buyers, sellers = _side(*bid), _side(*ask)
    if buyers is None or sellers is None or at is None:
        return None
    if buyers[0] is not None and sellers[0] is not None and buyers[0] > sellers[0]:
        return None
    # A clock ahead of ours would make the quote look fresh for longer than it is.
    return top_of_book(symbol, *buyers, *sellers, min(at, now))


def _side(price: object, size: object) -> _Side | None:
    """A side that nobody is on comes as 0 or not at all; None for values that are no price or no size."""
    if price is None or decimal_of(price) == 0:
        return _NOBODY
    known, quantity = price_of(price), None if size is None else size_of(size)
    if known is None or (size is not None and quantity is None):
        return None
    return _NOBODY if quantity == 0 else (known, quantity)
