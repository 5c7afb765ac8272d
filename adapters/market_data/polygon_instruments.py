"""Polygon's tickers as instruments: one by one when they are asked for, all of them when the catalogue is."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from adapters.market_data.conventions import US_EQUITY_HOURS, crypto_pair, currency_pair, us_equity
from adapters.market_data.polygon_rest import NAME, PolygonRest
from adapters.market_data.polygon_symbols import PolygonName, pair_symbol, polygon_name, single_symbol
from adapters.market_data.provider_errors import unavailable
from application.ports.clock import Clock
from domain.errors import DomainError
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument, InstrumentStatus

_KEPT = timedelta(days=1)
_KEPT_ABSENT = timedelta(minutes=1)
_MOST_KEPT = 50_000

_FUNDS = ("ETF", "ETN", "ETV", "ETS")


class PolygonInstruments:
    """What was read is kept for a day, also where Polygon does not answer when it is to be read again."""

    def __init__(self, rest: PolygonRest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._known: dict[str, tuple[datetime, Instrument | None]] = {}
        self._reading: dict[str, asyncio.Task[Instrument | None]] = {}
        self._catalogue = _Catalogue(rest)
        self._catalogue_time: datetime | None = None
        self._catalogue_reading: asyncio.Task[None] | None = None

    async def all(self) -> Sequence[Instrument]:
        """By symbol. Raises what the port says; what was read until then is not read again."""
        now = self._clock.now()
        if self._catalogue_time is None or now - self._catalogue_time >= _KEPT:
            if self._catalogue_reading is None or self._catalogue_reading.done():
                self._catalogue_reading = asyncio.create_task(self._read_catalogue(now), name="polygon catalogue")
            await asyncio.shield(self._catalogue_reading)
        return tuple(self._catalogue.instruments.values())

    async def one(self, symbol: str) -> Instrument | None:
        kept = self._kept(symbol)
        if kept is not None and self._clock.now() - kept[0] < (_KEPT if kept[1] is not None else _KEPT_ABSENT):
            return kept[1]
        name = polygon_name(symbol)
        if name is None:
            return None
        try:
            return await self._read_once(symbol, name)
        except DomainError:
            if kept is not None and kept[1] is not None:
                return kept[1]
            raise

    async def close(self) -> None:
        """Forget what is being read."""
        tasks = [*self._reading.values(), *filter(None, [self._catalogue_reading])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _kept(self, symbol: str) -> tuple[datetime, Instrument | None] | None:
        if symbol in self._known or self._catalogue_time is None or symbol not in self._catalogue.instruments:
            return self._known.get(symbol)
        return self._catalogue_time, self._catalogue.instruments[symbol]

    async def _read_once(self, symbol: str, name: PolygonName) -> Instrument | None:
        """One request however many ask, and however many of them are cancelled."""
        task = self._reading.get(symbol)
        if task is None:
            task = self._reading[symbol] = asyncio.create_task(self._read(symbol, name), name=f"polygon {symbol}")
            task.add_done_callback(lambda done: _forget(self._reading, symbol, done))
        return await asyncio.shield(task)

    async def _read(self, symbol: str, name: PolygonName) -> Instrument | None:
        details = await self._rest.ticker(name.ticker)
        if details is not None and details.ticker != name.ticker:
            raise unavailable(NAME, f"its details of {name.ticker} are of something else")
        found = None if details is None else instrument_of(details, symbol)
        if len(self._known) >= _MOST_KEPT:
            self._known.clear()
        self._known[symbol] = (self._clock.now(), found)
        return found

    async def _read_catalogue(self, now: datetime) -> None:
        await self._catalogue.read()
        self._catalogue_time = now


class _Catalogue:
    """All tickers, page by page: where one cannot be had, the next attempt goes on from there."""

    def __init__(self, rest: PolygonRest) -> None:
        self._rest = rest
        self._found: dict[str, Instrument] = {}
        self._after: str | None = None
        self.instruments: Mapping[str, Instrument] = {}

    async def read(self) -> None:
        more = True
        while more:
            page, more = await self._rest.tickers(self._after)
            for ticker in page:
                symbol = symbol_of(ticker)
                found = None if symbol is None else instrument_of(ticker, symbol)
                if found is not None:
                    self._found[found.symbol] = found
            if more:
                self._after = _later(page[-1].ticker, self._after)
        self.instruments = dict(sorted(self._found.items()))
        self._found, self._after = {}, None


def symbol_of(ticker: Any) -> str | None:
    """Our symbol of the SDK's Ticker; None where it has none that would lead back to the ticker."""
    if not isinstance(ticker.ticker, str) or ticker.market not in tuple(_MAKERS):
        return None
    if ticker.market in _PAIRS:
        symbol = pair_symbol(_text(ticker.base_currency_symbol), _text(ticker.currency_symbol))
    else:
        symbol = single_symbol(ticker.ticker)
    name = None if symbol is None else polygon_name(symbol)
    return symbol if name is not None and name.ticker == ticker.ticker else None


def instrument_of(ticker: Any, symbol: str) -> Instrument | None:
    """Of the SDK's Ticker or TickerDetails; None for a market that is none of ours."""
    make = _MAKERS.get(_text(ticker.market))
    if make is None:
        return None
    found = make(ticker, symbol)
    return replace(found, status=InstrumentStatus.DELISTED) if ticker.active is False else found


def _stock(ticker: Any, symbol: str) -> Instrument:
    return us_equity(
        symbol,
        _text(ticker.name),
        _text(ticker.primary_exchange) or ("OTC" if ticker.market == "otc" else ""),
        asset_class=AssetClass.ETF if ticker.type in _FUNDS else AssetClass.EQUITY,
        sector=_text(getattr(ticker, "sic_description", None)).capitalize() or None,
        provider_symbol=ticker.ticker,
    )


def _currency(ticker: Any, symbol: str) -> Instrument:
    return currency_pair(symbol, _text(ticker.name), "FX", provider_symbol=ticker.ticker)


def _crypto(ticker: Any, symbol: str) -> Instrument:
    return crypto_pair(symbol, _text(ticker.name), "CRYPTO", provider_symbol=ticker.ticker)


def _index(ticker: Any, symbol: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        name=_text(ticker.name) or symbol,
        asset_class=AssetClass.INDEX,
        currency="USD",
        venue=_text(getattr(ticker, "source_feed", None)) or "INDEX",
        tick_size=Decimal("0.01"),
        lot_size=Decimal(1),
        min_quantity=Decimal(1),
        max_quantity=NO_MAXIMUM,
        hours=US_EQUITY_HOURS,
        provider_symbol=ticker.ticker,
        status=InstrumentStatus.NOT_TRADABLE,
    )


_MAKERS = {"stocks": _stock, "otc": _stock, "fx": _currency, "crypto": _crypto, "indices": _index}
_PAIRS = ("fx", "crypto")


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _later(last: object, before: str | None) -> str:
    """The ticker that the next page begins after."""
    if not isinstance(last, str) or (before is not None and last <= before):
        raise unavailable(NAME, "its list of tickers is out of order")
    return last


def _forget(
    reading: dict[str, asyncio.Task[Instrument | None]], symbol: str, done: asyncio.Task[Instrument | None]
) -> None:
    reading.pop(symbol, None)
    if not done.cancelled():
        done.exception()  # all who asked may be gone: then nobody else looks at it
