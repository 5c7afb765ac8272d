"""What the market shows: best prices, depth, prints and bars. Sizes and prices are Decimal, times UTC."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.trading.value_objects.order_type import Side


@dataclass(frozen=True, slots=True)
class TopOfBook:
    """The best bid and ask of one symbol, as of `quote_time`, as far as there are any.

    A side that nobody quotes is None, price and size; a size is None also where the source gives prices only.
    """

    symbol: str
    bid_price: Decimal | None
    bid_size: Decimal | None
    ask_price: Decimal | None
    ask_size: Decimal | None
    quote_time: datetime


@dataclass(frozen=True, slots=True)
class Quote(TopOfBook):
    """Both sides with their sizes: what a decision about an order may stand on."""

    bid_price: Decimal
    bid_size: Decimal
    ask_price: Decimal
    ask_size: Decimal

    @property
    def mid(self) -> Decimal:
        return (self.bid_price + self.ask_price) / 2


def top_of_book(
    symbol: str,
    bid_price: Decimal | None,
    bid_size: Decimal | None,
    ask_price: Decimal | None,
    ask_size: Decimal | None,
    quote_time: datetime,
) -> TopOfBook:
    """A Quote where both sides are whole, else what there is of them."""
    if bid_price is None or bid_size is None or ask_price is None or ask_size is None:
        return TopOfBook(symbol, bid_price, bid_size, ask_price, ask_size, quote_time)
    return Quote(symbol, bid_price, bid_size, ask_price, ask_size, quote_time)


@dataclass(frozen=True, slots=True)
class PriceLevel:
    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Bids from the highest price down, asks from the lowest up; the first of each is the quote."""

    symbol: str
    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]
    book_time: datetime


@dataclass(frozen=True, slots=True)
class Trade:
    """One print: `trade_id` is unique within its symbol, empty where the source gives none.

    `conditions` are the venue's codes, as it writes them. `aggressor` is the side that took the liquidity, None where
    it is not known.
    """

    symbol: str
    trade_id: str
    price: Decimal
    size: Decimal
    trade_time: datetime
    conditions: tuple[str, ...] = ()
    aggressor: Side | None = None
