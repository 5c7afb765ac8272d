"""The newest quotes of the simulated market, computed when they are asked for."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

from adapters.market_data.simulation_bars import SimulatedBars
from adapters.market_data.simulation_catalogue import LISTINGS, Listing
from adapters.market_data.simulation_path import PathTerms, PricePath, crossed
from adapters.market_data.simulation_random import key
from adapters.market_data.simulation_sessions import SessionCalendar
from adapters.market_data.simulation_settings import SimulationSettings
from adapters.market_data.simulation_tape import EPOCH, SimulatedTape
from application.ports.clock import Clock
from domain.market_data.instrument import Instrument
from domain.market_data.price_window import PriceWindow
from domain.market_data.quote import Quote
from domain.market_data.trading_hours import ALWAYS_OPEN
from domain.span import span

_WINDOW_POINTS = 120


@dataclass(frozen=True, slots=True)
class SimulatedListing:
    """One instrument of the market, and what its prices are made from."""

    instrument: Instrument
    tape: SimulatedTape
    bars: SimulatedBars


def simulated_listings(settings: SimulationSettings) -> dict[str, SimulatedListing]:
    """All of them by symbol."""
    calendar_of = cache(SessionCalendar)
    tick = timedelta(seconds=settings.tick_interval)
    paths: dict[str, PricePath] = {}
    listings: dict[str, SimulatedListing] = {}
    for symbol, listing in LISTINGS.items():
        instrument = listing.instrument
        if settings.sessions == "always_open":
            instrument = replace(instrument, hours=ALWAYS_OPEN)
        calendar = calendar_of(instrument.hours)
        symbol_key = key(settings.seed, symbol)
        path = paths[symbol] = _path(listing, instrument, symbol_key, paths)
        listings[symbol] = SimulatedListing(
            instrument,
            SimulatedTape(listing, symbol_key, tick, path, calendar),
            SimulatedBars(instrument, path, calendar),
        )
    return listings


def _path(listing: Listing, instrument: Instrument, key: int, paths: dict[str, PricePath]) -> PricePath:
    """The path of a listing; a cross rate follows its legs, which the catalogue lists before it."""
    terms = PathTerms(
        key=key,
        reference_price=listing.reference_price,
        volatility=listing.volatility,
        prints_per_minute=listing.prints_per_minute,
        print_lots=listing.print_lots,
        hours=instrument.hours,
    )
    legs = [(sign, paths[symbol].levels) for sign, symbol in listing.legs]
    return PricePath(terms, crossed(legs) if legs else None)


class SimulatedQuotes:
    """The LatestQuotes port: every quote is as fresh as can be."""

    def __init__(self, clock: Clock, tick: timedelta, listings: dict[str, SimulatedListing]) -> None:
        self._clock = clock
        self._tick = tick
        self._tick_start = self._tick_end = EPOCH
        self._quotes: dict[str, Quote | None] = {}
        self._instruments = {symbol: listing.instrument for symbol, listing in listings.items()}
        self._tapes = {symbol: listing.tape for symbol, listing in listings.items()}
        self._windows: dict[tuple[str, Decimal], PriceWindow] = {}

    def instrument(self, symbol: str) -> Instrument | None:
        return self._instruments.get(symbol)

    def latest(self, symbol: str) -> Quote | None:
        now = self._clock.now()
        if not self._tick_start <= now < self._tick_end:
            self._begin_tick(now)
        try:
            return self._quotes[symbol]
        except KeyError:
            return self._make_quote(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        """Of quotes at most a 120th of the window apart: each is computed, so a finer look would be work."""
        if symbol not in self._tapes:
            return None
        window = self._windows.get((symbol, seconds))
        if window is None:
            window = self._windows[symbol, seconds] = PriceWindow(seconds)
        now, length = self._clock.now(), span(seconds)
        step = max(self._tick, length / _WINDOW_POINTS)
        if window.last is None or now >= window.last + step:
            self._fill(window, symbol, max(now - length, window.last or EPOCH), now, step)
        return window.range(now)

    def _fill(self, window: PriceWindow, symbol: str, after: datetime, now: datetime, step: timedelta) -> None:
        at = EPOCH + ((after - EPOCH) // step + 1) * step
        while at <= now:
            quote = self._tapes[symbol].quote(EPOCH + (at - EPOCH) // self._tick * self._tick)
            if quote is not None:
                window.add(at, quote.mid)
            window.last = at
            at += step

    def wants(self, symbol: str) -> bool:
        """Never: `latest` is always fresh."""
        return False

    async def ensure(self, symbols: Collection[str]) -> None:
        """Nothing to do."""

    def _begin_tick(self, now: datetime) -> None:
        self._tick_start = EPOCH + (now - EPOCH) // self._tick * self._tick
        self._tick_end = self._tick_start + self._tick
        self._quotes.clear()

    def _make_quote(self, symbol: str) -> Quote | None:
        tape = self._tapes.get(symbol)
        if tape is None:
            return None
        quote = self._quotes[symbol] = tape.quote(self._tick_start)
        return quote
