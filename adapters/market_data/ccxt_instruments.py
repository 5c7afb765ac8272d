"""A market as ccxt describes it, made into an instrument."""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from typing import Any

from ccxt import DECIMAL_PLACES, TICK_SIZE

from adapters.market_data.conventions import crypto_pair
from adapters.market_data.raw_rows import decimal_of, price_of
from domain.decimals import round_down
from domain.market_data.instrument import NO_MAXIMUM, Instrument, InstrumentStatus

_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._/-]{0,31}")
_CURRENCY = re.compile(r"[A-Z0-9]{1,12}")
_FINEST = Decimal("0.00000001")


def instrument_of(market: Mapping[str, Any], precision_mode: int, venue: str) -> Instrument | None:
    """None for what is no spot market, and for names that the contract has no letters for."""
    symbol, currency = market.get("symbol"), market.get("quote")
    if market.get("spot") is not True or not isinstance(symbol, str) or not isinstance(currency, str):
        return None
    if not (
        _SYMBOL.fullmatch(symbol) and _CURRENCY.fullmatch(currency) and symbol == f"{market.get('base')}/{currency}"
    ):
        return None
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    lot = _step(precision.get("amount"), precision_mode)
    least, most = (price_of((limits.get("amount") or {}).get(end)) for end in ("min", "max"))
    pair = crypto_pair(
        symbol,
        venue=venue,
        tick_size=_step(precision.get("price"), precision_mode),
        lot_size=lot,
        provider_symbol=str(market.get("id")),
    )
    return replace(
        pair,
        min_quantity=lot if least is None else _round_up(least, lot),
        max_quantity=NO_MAXIMUM if most is None or most < lot else round_down(most, lot),
        min_notional=price_of((limits.get("cost") or {}).get("min")),
        status=InstrumentStatus.HALTED if market.get("active") is False else InstrumentStatus.ACTIVE,
    )


def _step(precision: object, mode: int) -> Decimal:
    """The grid of prices or quantities. An exchange that counts significant digits has none: then the finest."""
    value = decimal_of(precision)
    if value is None:
        return _FINEST
    if mode == DECIMAL_PLACES:
        return Decimal(1).scaleb(-int(value))
    return value if mode == TICK_SIZE and value > 0 else _FINEST


def _round_up(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_CEILING) * step
