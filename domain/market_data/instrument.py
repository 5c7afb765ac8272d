"""What can be traded, and on what grid."""

from dataclasses import dataclass
from decimal import Decimal

from domain.market_data.trading_hours import TradingHours
from domain.terms import Term


class AssetClass(Term):
    EQUITY = "EQUITY"
    ETF = "ETF"
    CURRENCY = "CURRENCY"
    CRYPTO = "CRYPTO"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol.

    `currency` is what prices and profit are counted in; `base_currency` is what one unit buys, for
    currency pairs and crypto, else None. Prices lie on `tick_size`, quantities on `lot_size`.
    """

    symbol: str
    name: str
    asset_class: AssetClass
    currency: str
    venue: str
    tick_size: Decimal
    lot_size: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    hours: TradingHours
    base_currency: str | None = None
    sector: str | None = None
