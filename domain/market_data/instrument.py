"""What can be traded, and on what grid."""

from dataclasses import dataclass
from decimal import Decimal

from domain.market_data.trading_hours import TradingHours
from domain.terms import Term

NO_MAXIMUM = Decimal(10) ** 18
"""The `max_quantity` of an instrument whose venue sets none."""


class AssetClass(Term):
    EQUITY = "EQUITY"
    ETF = "ETF"
    CURRENCY = "CURRENCY"
    CRYPTO = "CRYPTO"
    INDEX = "INDEX"
    FUND = "FUND"


class InstrumentStatus(Term):
    """Whether orders are taken at all, whatever the clock says."""

    ACTIVE = "ACTIVE"
    HALTED = "HALTED"
    NOT_TRADABLE = "NOT_TRADABLE"
    DELISTED = "DELISTED"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable symbol.

    `currency` is what prices and profit are counted in; `base_currency` is what one unit buys, for
    currency pairs and crypto, else None. Prices lie on `tick_size`, quantities on `lot_size`.
    `provider_symbol` is what its provider calls it, empty where that is the same. `shortable` is False also
    where it is not known. `min_notional` is in `currency`, None where the venue sets none.
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
    provider_symbol: str = ""
    min_notional: Decimal | None = None
    shortable: bool = False
    status: InstrumentStatus = InstrumentStatus.ACTIVE
