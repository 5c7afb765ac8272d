"""A market that needs no network: realistic, deterministic, and readable at any moment past or present.

Every price is a pure function of seed, symbol and time. Nothing runs in the background and nothing is
stored, so a restart, another process or a faster clock sees the very same market.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Literal, get_args

from adapters.market_data.simulation_bars import BarQuery, SimulatedBars
from adapters.market_data.simulation_catalogue import LISTINGS, Listing
from adapters.market_data.simulation_path import PathTerms, PricePath, crossed
from adapters.market_data.simulation_random import key
from adapters.market_data.simulation_sessions import SessionCalendar
from adapters.market_data.simulation_tape import EPOCH, SimulatedTape
from application.ports.clock import Clock
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.price_window import PriceWindow
from domain.market_data.quote import OrderBook, Quote, Trade
from domain.market_data.trading_hours import ALWAYS_OPEN
from domain.span import span

Sessions = Literal["always_open", "exchange"]

_INSTANT = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
_LONGEST_TICK = 60.0
_WINDOW_POINTS = 120


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """`seed` chooses the market, `tick_interval` (seconds, up to 60) how often its quotes change.

    `sessions`: with "always_open" every instrument trades around the clock, so that a server is of use on a
    Sunday; with "exchange" it keeps its venue's hours, weekends and holidays.
    """

    seed: int = 1
    tick_interval: float = 0.25
    sessions: Sessions = "always_open"

    def __post_init__(self) -> None:
        if not 0.001 <= self.tick_interval <= _LONGEST_TICK:
            raise ValueError(f"tick_interval: must be 0.001 to {_LONGEST_TICK} seconds, not {self.tick_interval}")
        if self.sessions not in get_args(Sessions):
            raise ValueError(f"sessions: must be one of {', '.join(get_args(Sessions))}, not {self.sessions!r}")


class SimulatedMarketData:
    """The simulated provider: both the MarketData and the LatestQuotes port."""

    name = "simulated"

    def __init__(self, clock: Clock, settings: SimulationSettings) -> None:
        self._clock = clock
        self._tick = timedelta(seconds=settings.tick_interval)
        self._tick_start = self._tick_end = EPOCH
        self._quotes: dict[str, Quote | None] = {}
        self._instruments: dict[str, Instrument] = {}
        self._tapes: dict[str, SimulatedTape] = {}
        self._bars: dict[str, SimulatedBars] = {}
        self._windows: dict[tuple[str, Decimal], PriceWindow] = {}
        calendar_of = cache(SessionCalendar)
        paths: dict[str, PricePath] = {}
        for symbol, listing in LISTINGS.items():
            instrument = listing.instrument
            if settings.sessions == "always_open":
                instrument = replace(instrument, hours=ALWAYS_OPEN)
            calendar = calendar_of(instrument.hours)
            symbol_key = key(settings.seed, symbol)
            path = paths[symbol] = _path(listing, instrument, symbol_key, paths)
            self._instruments[symbol] = instrument
            self._tapes[symbol] = SimulatedTape(listing, symbol_key, self._tick, path, calendar)
            self._bars[symbol] = SimulatedBars(instrument, path, calendar)

    # -- LatestQuotes --------------------------------------------------------------------------------

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

    async def ensure(self, symbols: Collection[str]) -> None:
        """Nothing to do: `latest` is always fresh."""

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

    # -- MarketData ----------------------------------------------------------------------------------

    async def instruments(self) -> Sequence[Instrument]:
        return sorted(self._instruments.values(), key=lambda instrument: instrument.symbol)

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        quote = self.latest(symbol)
        return None if quote is None else self._tapes[symbol].order_book(quote, depth)

    async def bars(
        self, symbol: str, interval: BarInterval, start: datetime, end: datetime, limit: int
    ) -> Sequence[Bar]:
        series = self._bars.get(symbol)
        if series is None:
            return ()
        # On a thread: a thousand long bars take some ten milliseconds, which no other caller should wait for.
        return await asyncio.to_thread(series.bars, BarQuery(interval, start, end, limit, self._clock.now()))

    async def quotes(self, symbols: Collection[str]) -> AsyncGenerator[Quote, None]:
        known = self._known(symbols)
        sent: dict[str, datetime] = {}
        while known:
            for symbol in known:
                quote = self.latest(symbol)
                if quote is not None and quote.quote_time != sent.get(symbol):
                    sent[symbol] = quote.quote_time
                    yield quote
            await self._clock.sleep(self._until_next_tick())

    async def trades(self, symbols: Collection[str]) -> AsyncGenerator[Trade, None]:
        known = self._known(symbols)
        after = self._clock.now()
        while known:
            now = self._clock.now()
            until = min(now, after + _MINUTE)
            prints = [trade for symbol in known for trade in self._tapes[symbol].trades(after, until)]
            for trade in sorted(prints, key=lambda trade: trade.trade_time):
                yield trade
            after = until
            await self._clock.sleep(0 if until < now else self._until_next_tick())

    async def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncGenerator[Bar, None]:
        started = self._clock.now()
        spans = {symbol: self._bars[symbol].next_span(interval, started) for symbol in self._known(symbols)}
        while spans:
            symbol, (opens, closes) = min(spans.items(), key=lambda item: item[1][1])
            await self._clock.sleep(max(0.0, (closes - self._clock.now()).total_seconds()))
            for bar in self._bars[symbol].bars(BarQuery(interval, opens, opens + _INSTANT, 1, closes)):
                yield bar
            spans[symbol] = self._bars[symbol].next_span(interval, closes)

    def _known(self, symbols: Collection[str]) -> list[str]:
        return sorted(self._instruments.keys() & set(symbols))

    def _until_next_tick(self) -> float:
        return (self._tick - (self._clock.now() - EPOCH) % self._tick).total_seconds()


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
