"""What is usual in the markets that most sources serve, for what a source does not say itself."""

from datetime import time
from decimal import Decimal

from adapters.market_data.exchange_holidays import (
    UNITED_STATES,
    UNITED_STATES_EARLY_CLOSES,
    UNITED_STATES_UNSCHEDULED,
)
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

US_EQUITY_HOURS = TradingHours(
    "America/New_York",
    time(9, 30),
    time(16),
    frozenset(range(5)),
    UNITED_STATES | UNITED_STATES_UNSCHEDULED,
    UNITED_STATES_EARLY_CLOSES,
    pre_market_opens=time(4),
    post_market_closes=time(20),
)
"""The exchanges of New York, with trading from 4:00 to 20:00 around the session."""

FOREX_HOURS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))
"""The currency week: from Sunday to Friday, 17:00 in New York; a day ends and the next begins at that hour."""

CRYPTO_HOURS = ALWAYS_OPEN

_CENT = Decimal("0.01")
_SMALLEST_COIN = Decimal("0.00000001")
_PIPETTE = Decimal("0.00001")
_WHOLE_CURRENCIES = frozenset({"JPY", "HUF", "KRW", "INR", "THB", "RUB", "CLP", "IDR", "ISK", "VND", "PHP", "TWD"})
"""Those quoted in hundredths, so that the tenth of a pip is a thousandth."""
_CURRENCY_LOT = Decimal(1000)


def us_equity(
    symbol: str,
    name: str = "",
    venue: str = "",
    *,
    asset_class: AssetClass = AssetClass.EQUITY,
    lot_size: Decimal = Decimal(1),
    sector: str | None = None,
    provider_symbol: str = "",
    shortable: bool = False,
) -> Instrument:
    """A share or fund of an exchange in the United States, in cents of USD; whole shares where nothing else is said."""
    return Instrument(
        symbol=symbol,
        name=name or symbol,
        asset_class=asset_class,
        currency="USD",
        venue=venue,
        tick_size=_CENT,
        lot_size=lot_size,
        min_quantity=lot_size,
        max_quantity=NO_MAXIMUM,
        hours=US_EQUITY_HOURS,
        sector=sector,
        provider_symbol=provider_symbol,
        shortable=shortable,
    )


def currency_pair(symbol: str, name: str = "", venue: str = "", *, provider_symbol: str = "") -> Instrument:
    """A pair of state currencies such as "EUR/USD": tenths of a pip, lots of a thousand."""
    tick = _PIPETTE * 100 if symbol.partition("/")[2] in _WHOLE_CURRENCIES else _PIPETTE
    return _pair(symbol, name, venue, AssetClass.CURRENCY, tick, _CURRENCY_LOT, FOREX_HOURS, provider_symbol)


def crypto_pair(
    symbol: str,
    name: str = "",
    venue: str = "",
    *,
    tick_size: Decimal = _SMALLEST_COIN,
    lot_size: Decimal = _SMALLEST_COIN,
    provider_symbol: str = "",
) -> Instrument:
    """A coin against a currency such as "BTC/USDT", down to the eighth decimal where nothing else is said."""
    return _pair(symbol, name, venue, AssetClass.CRYPTO, tick_size, lot_size, CRYPTO_HOURS, provider_symbol)


def _pair(
    symbol: str,
    name: str,
    venue: str,
    asset_class: AssetClass,
    tick_size: Decimal,
    lot_size: Decimal,
    hours: TradingHours,
    provider_symbol: str,
) -> Instrument:
    base, slash, currency = symbol.partition("/")
    if not (base and slash and currency):
        raise ValueError(f"symbol: a pair is written as BASE/QUOTE, not {symbol!r}")
    return Instrument(
        symbol=symbol,
        name=name or symbol,
        asset_class=asset_class,
        currency=currency,
        venue=venue,
        tick_size=tick_size,
        lot_size=lot_size,
        min_quantity=lot_size,
        max_quantity=NO_MAXIMUM,
        hours=hours,
        base_currency=base,
        provider_symbol=provider_symbol,
        shortable=asset_class is AssetClass.CURRENCY,
    )


CURRENCIES = frozenset(
    (
        *("AED", "ARS", "AUD", "BGN", "BHD", "BRL", "CAD", "CHF", "CLP", "CNH", "CNY", "COP", "CZK", "DKK", "EGP"),
        *("EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KRW", "KWD", "MAD", "MXN", "MYR", "NGN"),
        *("NOK", "NZD", "OMR", "PEN", "PHP", "PKR", "PLN", "QAR", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY"),
        *("TWD", "UAH", "USD", "VND", "XAG", "XAU", "XPD", "XPT", "ZAR"),
    )
)
"""State currencies that are traded abroad, and the metals that are traded like them (ISO 4217)."""


def usual_instrument(symbol: str) -> Instrument:
    """What a symbol most likely is, by its form alone: a pair of currencies, of a coin, or a share in New York."""
    base, slash, currency = symbol.partition("/")
    if not slash:
        return us_equity(symbol)
    return currency_pair(symbol) if {base, currency} <= CURRENCIES else crypto_pair(symbol)
