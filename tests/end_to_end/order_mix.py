"""Orders of every kind, as a busy desk sends them: priced around the market, a few of them wrong."""

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from quantmesh.marketdata.v1.market_data_query_pb2 import BatchGetQuotesRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import BracketGroup, OcoGroup, OtoGroup
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL, Side
from quantmesh.type.v1.time_in_force_pb2 import (
    TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTC,
    TIME_IN_FORCE_IOC,
    TimeInForce,
)
from tests.support.server import Client

_MOST_LOTS: Final = 400
# Three currencies, and the several tick and lot sizes of stocks, coins and currency pairs.
_SIZES: Final = {
    "AAPL": ("1", "0.01"),
    "TSLA": ("1", "0.01"),
    "SAP": ("1", "0.01"),
    "BTC/USD": ("0.00001", "0.01"),
    "EUR/USD": ("1000", "0.00001"),
}


class Market(NamedTuple):
    symbol: str
    lot: Decimal
    tick: Decimal
    bid: Decimal

    def price(self, percent: float) -> str:
        """The bid and so many percent, on the tick."""
        return f"{self.bid * (1 + Decimal(str(percent)) / 100) // self.tick * self.tick:f}"


async def markets(client: Client) -> list[Market]:
    quotes = (await client.market.BatchGetQuotes(BatchGetQuotesRequest(symbols=_SIZES))).quotes
    listed = ((quote, *_SIZES[quote.symbol]) for quote in quotes)
    return [Market(quote.symbol, Decimal(lot), Decimal(tick), Decimal(quote.bid_price)) for quote, lot, tick in listed]


class OrderMix:
    """Draws orders with client ids that are used once. The same seed and `listed` draw the same ones."""

    def __init__(self, seed: int, listed: Sequence[Market] = ()) -> None:
        self.listed = listed
        self._random = random.Random(seed)
        self._drawn = 0

    def order(self) -> NewOrder:
        kinds = (self.at_market, self.at_once, self.resting, self.stop, self.trailing, self.off_tick)
        return self._random.choice(kinds)()

    def group(self) -> dict[str, Any]:
        """The group of a PlaceOrderGroupRequest."""
        return self._random.choice((self._bracket, self._oco, self._oto))()

    def at_market(self) -> NewOrder:
        return self._new(
            self._market(), market={}, time_in_force=self._random.choice((TIME_IN_FORCE_DAY, TIME_IN_FORCE_IOC))
        )

    def at_once(self) -> NewOrder:
        """A limit that the market is within of, mostly."""
        market, side = self._market(), self._side()
        price = market.price(0.1 if side == SIDE_BUY else -0.1)
        return self._new(market, side, limit={"price": price}, time_in_force=self._time_in_force())

    def resting(self) -> NewOrder:
        market, side = self._market(), self._side()
        return self._new(market, side, limit={"price": market.price(-0.03 if side == SIDE_BUY else 0.03)})

    def stop(self) -> NewOrder:
        market, side = self._market(), self._side()
        away = 0.02 if side == SIDE_BUY else -0.02
        if self._random.random() < 0.5:
            return self._new(market, side, stop={"stop_price": market.price(away)})
        return self._new(market, side, stop_limit={"stop_price": market.price(away), "price": market.price(5 * away)})

    def trailing(self) -> NewOrder:
        return self._new(self._market(), trailing_stop={"percent": "0.02"})

    def off_tick(self) -> NewOrder:
        """One that is refused, and whose id is used up all the same."""
        return self._new(self._market(), limit={"price": "100.0000001"})

    def _bracket(self) -> dict[str, Any]:
        market, lots = self._market(), self._lots()
        entry = self._new(market, SIDE_BUY, lots, market={})
        profit = self._new(market, SIDE_SELL, lots, limit={"price": market.price(0.05)})
        loss = self._new(market, SIDE_SELL, lots, stop={"stop_price": market.price(-0.05)})
        return {"bracket": BracketGroup(entry=entry, take_profit=profit, stop_loss=loss)}

    def _oco(self) -> dict[str, Any]:
        market, lots = self._market(), self._lots()
        above = self._new(market, SIDE_SELL, lots, limit={"price": market.price(0.05)})
        below = self._new(market, SIDE_SELL, lots, stop={"stop_price": market.price(-0.05)})
        return {"oco": OcoGroup(orders=[above, below])}

    def _oto(self) -> dict[str, Any]:
        market, lots = self._market(), self._lots()
        parent = self._new(market, SIDE_BUY, lots, limit={"price": market.price(0.1)})
        child = self._new(market, SIDE_SELL, lots, limit={"price": market.price(0.05)})
        return {"oto": OtoGroup(parent=parent, children=[child])}

    def _new(
        self,
        at: Market,
        side: Side.ValueType | None = None,
        lots: int = 0,
        time_in_force: TimeInForce.ValueType = TIME_IN_FORCE_GTC,
        **type: Any,
    ) -> NewOrder:
        self._drawn += 1
        return NewOrder(
            client_order_id=f"c-{self._drawn}",
            symbol=at.symbol,
            side=side or self._side(),
            quantity=f"{at.lot * (lots or self._lots()):f}",
            time_in_force=time_in_force,
            **type,
        )

    def _market(self) -> Market:
        return self._random.choice(self.listed)

    def _side(self) -> Side.ValueType:
        return self._random.choice((SIDE_BUY, SIDE_SELL))

    def _lots(self) -> int:
        return self._random.randint(1, _MOST_LOTS)

    def _time_in_force(self) -> TimeInForce.ValueType:
        return self._random.choice((TIME_IN_FORCE_GTC, TIME_IN_FORCE_IOC, TIME_IN_FORCE_FOK))
