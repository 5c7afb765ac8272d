"""What Binance has: its list of pairs, and candles that are a pure function of symbol, interval and time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

LENGTHS = {
    "1s": 1,
    "1m": 60,
    "3m": 180,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "4h": 14400,
    "1d": 86400,
}


@dataclass(frozen=True, slots=True)
class Market:
    """One pair of the exchange's list; `since` is when its first candle opens."""

    base: str
    quote: str
    tick: str = "0.01000000"
    lot: str = "0.00001000"
    status: str = "TRADING"
    since: datetime = datetime(2017, 8, 17, 4, tzinfo=UTC)

    @property
    def id(self) -> str:
        return self.base + self.quote

    def listing(self) -> dict[str, Any]:
        """The entry of exchangeInfo."""
        return {
            "symbol": self.id,
            "status": self.status,
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": self.tick, "maxPrice": "1000000.0", "tickSize": self.tick},
                {"filterType": "LOT_SIZE", "minQty": self.lot, "maxQty": "9000.00000000", "stepSize": self.lot},
                {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True},
            ],
        }


class Candle(NamedTuple):
    """As Binance writes it, but without the fields that nobody reads."""

    open_ms: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    close_ms: int
    trades: int

    def row(self) -> list[Any]:
        quote = f"{float(self.volume) * float(self.close):.8f}"
        return [*self[:6], self.close_ms, quote, self.trades, "0.5", "50.0", "0"]


def candle(market_id: str, interval: str, open_ms: int) -> Candle:
    """The one candle of the interval that opens then; its prices lie between 100 and 200."""
    length = LENGTHS[interval] * 1000
    turn = (open_ms // length + len(market_id)) % 97
    low, close = 100 + turn / 2, 101 + turn / 2
    return Candle(
        open_ms,
        f"{low + 0.5:.8f}",
        f"{close + 0.25:.8f}",
        f"{low:.8f}",
        f"{close:.8f}",
        f"{1 + turn}.50000000",
        open_ms + length - 1,
        10 + turn,
    )


def milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
