"""Order books of crypto, kept up from the changes that the stream sends."""

from dataclasses import dataclass, field
from decimal import Decimal

from adapters.market_data.alpaca_rows import levels_of, sorted_book, time_of
from adapters.market_data.alpaca_settings import NAME
from adapters.market_data.provider_errors import unavailable
from domain.market_data.quote import OrderBook


@dataclass(slots=True)
class _Sides:
    bids: dict[Decimal, Decimal] = field(default_factory=dict)
    asks: dict[Decimal, Decimal] = field(default_factory=dict)


class AlpacaBooks:
    """A message is a whole book, marked as such, or the levels that changed, with a size of 0 for one that is gone.

    Until the whole book has come, nothing is known of it.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._books: dict[str, _Sides] = {}

    def take(self, symbol: str, message: dict[str, object]) -> OrderBook | None:
        """The book after `message`, or None where it is not known or crosses for a moment.

        Raises Unavailable when the message makes no sense: what comes after it cannot be trusted.
        """
        at, bids, asks = time_of(message.get("t")), levels_of(message.get("b")), levels_of(message.get("a"))
        if at is None or bids is None or asks is None:
            raise unavailable(NAME, f"its changes of the book of {symbol} make no sense")
        if message.get("r") is True:
            self._books[symbol] = _Sides()
        book = self._books.get(symbol)
        if book is None:
            return None
        _change(book.bids, bids)
        _change(book.asks, asks)
        return sorted_book(symbol, book.bids, book.asks, at, self._depth)

    def forget(self, symbol: str) -> None:
        self._books.pop(symbol, None)


def _change(side: dict[Decimal, Decimal], levels: list[tuple[Decimal, Decimal]]) -> None:
    for price, size in levels:
        if size:
            side[price] = size
        else:
            side.pop(price, None)
