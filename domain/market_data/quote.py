"""What the market shows: best prices, depth, prints and bars. Sizes and prices are Decimal, times UTC."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Quote:
    """The best bid and ask of one symbol, as of `quote_time`."""

    symbol: str
    bid_price: Decimal
    bid_size: Decimal
    ask_price: Decimal
    ask_size: Decimal
    quote_time: datetime

    @property
    def mid(self) -> Decimal:
        return (self.bid_price + self.ask_price) / 2


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
    """One print: `trade_id` is unique within its symbol."""

    symbol: str
    trade_id: str
    price: Decimal
    size: Decimal
    trade_time: datetime
