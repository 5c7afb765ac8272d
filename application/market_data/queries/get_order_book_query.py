"""The resting orders of one instrument by price."""

from dataclasses import dataclass

from application.market_data.market import Market, no_market_data
from domain.market_data.quote import OrderBook

DEFAULT_DEPTH = 10


@dataclass(frozen=True, slots=True)
class GetOrderBook:
    """Up to `depth` levels a side; 0 means 10.

    Raises NotFound: INSTRUMENT_NOT_FOUND, MARKET_DATA_NOT_FOUND, PROVIDER_NOT_FOUND.
    """

    symbol: str
    depth: int = 0
    provider: str = ""

    async def answer(self, market: Market) -> OrderBook:
        market.require_provider(self.provider)
        market.instrument(self.symbol)
        book = await market.data.order_book(self.symbol, self.depth or DEFAULT_DEPTH)
        if book is None:
            raise no_market_data("order book", self.symbol)
        return book
