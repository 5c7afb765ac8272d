"""The catalogue: what Alpaca lists as active, and what it knows of a symbol that is not in the list."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from alpaca.trading.enums import AssetClass as VendorClass
from alpaca.trading.enums import AssetStatus
from alpaca.trading.requests import GetAssetsRequest

from adapters.market_data.alpaca_rest import AlpacaRest, Nonsense, Refused
from adapters.market_data.alpaca_settings import AlpacaSettings
from adapters.market_data.conventions import crypto_pair, us_equity
from adapters.market_data.raw_rows import price_of
from application.ports.clock import Clock
from domain.errors import Throttled, Unavailable
from domain.market_data.instrument import AssetClass, Instrument, InstrumentStatus

_UNKNOWN_SECONDS = 60
_MOST_OTHERS = 10_000
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._/:-]{0,31}")
_FUND = re.compile(r"\b(ETFS?|ETNS?|Exchange[- ]Traded)\b", re.IGNORECASE)
_FUND_EXCHANGES = frozenset({"ARCA", "NYSEARCA", "BATS"})
_VENUES: Mapping[str, str] = {
    "AMEX": "XASE",
    "ARCA": "ARCX",
    "BATS": "BATS",
    "NASDAQ": "XNAS",
    "NYSE": "XNYS",
    "NYSEARCA": "ARCX",
    "OTC": "OTCM",
    "CRYPTO": "Alpaca",
}


class _Found(NamedTuple):
    instrument: Instrument | None
    until: datetime


@dataclass(frozen=True, slots=True)
class _Catalogue:
    by_symbol: Mapping[str, Instrument]
    read: datetime


class AlpacaInstruments:
    """Read as a whole at first use, and again when it is old; an old one serves while no newer one can be had."""

    def __init__(self, clock: Clock, settings: AlpacaSettings, rest: AlpacaRest) -> None:
        self._clock = clock
        self._rest = rest
        self._lasts = timedelta(seconds=settings.catalogue_seconds)
        self._catalogue: _Catalogue | None = None
        self._others: dict[str, _Found] = {}
        self._reading = asyncio.Lock()

    async def all(self) -> Sequence[Instrument]:
        """By symbol; raises as the MarketData port says."""
        return list((await self._listed()).values())

    async def one(self, symbol: str) -> Instrument | None:
        """Also of what is listed no more."""
        listed = (await self._listed()).get(symbol)
        if listed is not None or not _SYMBOL.fullmatch(symbol):
            return listed
        found, now = self._others.get(symbol), self._clock.now()
        if found is None or found.until <= now:
            instrument = await self._rest.call(lambda rest: _asked(rest, symbol))
            lasts = timedelta(seconds=_UNKNOWN_SECONDS) if instrument is None else self._lasts
            if len(self._others) >= _MOST_OTHERS:
                self._others.clear()
            found = self._others[symbol] = _Found(instrument, now + lasts)
        return found.instrument

    async def _listed(self) -> Mapping[str, Instrument]:
        if self._catalogue is None or self._clock.now() - self._catalogue.read >= self._lasts:
            async with self._reading:
                await self._read()
        return {} if self._catalogue is None else self._catalogue.by_symbol

    async def _read(self) -> None:
        known, now = self._catalogue, self._clock.now()
        if known is not None and now - known.read < self._lasts:
            return
        try:
            self._catalogue = _Catalogue(await self._rest.call(_all_listed), now)
        except (Unavailable, Throttled):
            if known is None:
                raise
            again = now - self._lasts + timedelta(seconds=_UNKNOWN_SECONDS)
            self._catalogue = replace(known, read=again)


def _all_listed(rest: AlpacaRest) -> Mapping[str, Instrument]:
    found: dict[str, Instrument] = {}
    for vendor_class in (VendorClass.US_EQUITY, VendorClass.CRYPTO):
        wanted = GetAssetsRequest(status=AssetStatus.ACTIVE, asset_class=vendor_class)
        rows: object = rest.trading.get_all_assets(wanted)
        if not isinstance(rows, list):
            raise Nonsense("its assets are no list")
        found.update((one.symbol, one) for one in _instruments(rows))
    return dict(sorted(found.items()))


def _asked(rest: AlpacaRest, symbol: str) -> Instrument | None:
    try:
        row: object = rest.trading.get_asset(quote(symbol, safe=""))
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return None
        raise
    found = instrument_of(row)
    if found is None:
        raise Nonsense("its asset is none")
    return found if found.symbol == symbol else None


def _instruments(rows: Iterable[object]) -> Iterable[Instrument]:
    return (found for row in rows if (found := instrument_of(row)) is not None)


def instrument_of(row: object) -> Instrument | None:
    """None for what is neither a stock nor a pair, or has no symbol that callers could write."""
    if not isinstance(row, dict):
        return None
    symbol, name, exchange = row.get("symbol"), row.get("name"), row.get("exchange")
    if not isinstance(symbol, str) or not _SYMBOL.fullmatch(symbol) or not isinstance(exchange, str):
        return None
    name = name if isinstance(name, str) else ""
    venue = _VENUES.get(exchange, exchange)
    made = None
    if row.get("class") == "us_equity" and "/" not in symbol:
        made = us_equity(symbol, name, venue, asset_class=_class_of(name, exchange))
    elif row.get("class") == "crypto" and all(symbol.partition("/")):
        made = _pair(row, symbol, name, venue)
    return None if made is None else replace(made, shortable=row.get("shortable") is True, status=_status_of(row))


def _pair(row: Mapping[str, object], symbol: str, name: str, venue: str) -> Instrument:
    pair = crypto_pair(symbol, name, venue)
    lot = price_of(row.get("min_trade_increment")) or pair.lot_size
    lots, rest = divmod(price_of(row.get("min_order_size")) or lot, lot)
    return replace(
        pair,
        tick_size=price_of(row.get("price_increment")) or pair.tick_size,
        lot_size=lot,
        min_quantity=(lots + 1 if rest else lots) * lot,
    )


def _class_of(name: str, exchange: str) -> AssetClass:
    return AssetClass.ETF if exchange in _FUND_EXCHANGES or _FUND.search(name) else AssetClass.EQUITY


def _status_of(row: Mapping[str, object]) -> InstrumentStatus:
    if row.get("status") != "active":
        return InstrumentStatus.DELISTED
    return InstrumentStatus.ACTIVE if row.get("tradable") is True else InstrumentStatus.NOT_TRADABLE
