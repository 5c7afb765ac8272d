"""The resting orders of one instrument by price."""

from dataclasses import dataclass

from application.market_data.market import Market, no_market_data
from application.ports.market_data import DataKind
from domain.market_data.quote import OrderBook

DEFAULT_DEPTH = 10


@dataclass(frozen=True, slots=True)
class BookFound:
    book: OrderBook
    provider: str


@dataclass(frozen=True, slots=True)
class GetOrderBook:
    """Up to `depth` levels a side; 0 means 10.

    Raises as Market.source does; NotFound: MARKET_DATA_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CAPABLE.
    """

    symbol: str
    depth: int = 0
    provider: str = ""

    async def answer(self, market: Market) -> BookFound:
        source = await market.source(self.symbol, self.provider)
        source.require(DataKind.ORDER_BOOKS)
        book = await source.provider.order_book(self.symbol, self.depth or DEFAULT_DEPTH)
        if book is None:
            raise no_market_data("order book", self.symbol)
        return BookFound(book, source.provider.name)
