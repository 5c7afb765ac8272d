"""Bars of Yahoo Finance by way of yfinance, which blocks: it has a thread of its own, and one question at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from adapters.market_data.provider_errors import not_capable, unavailable
from adapters.market_data.yfinance_bars import Wanted, bars_of, has_breaks
from adapters.market_data.yfinance_client import YahooClient
from adapters.market_data.yfinance_instruments import Listing, listing_of
from adapters.market_data.yfinance_settings import NAME, YFinanceSettings
from adapters.market_data.yfinance_symbols import yahoos
from application.ports.clock import Clock
from application.ports.market_data import BarRequest, FetchedBars
from domain.errors import PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument
from domain.market_data.quote import OrderBook, TopOfBook, Trade

T = TypeVar("T")

_LASTS = timedelta(hours=12)
_UNKNOWN_LASTS = timedelta(minutes=5)
_MOST_KNOWN = 10_000
_GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Found:
    listing: Listing | None
    until: datetime


class YFinanceMarketData:
    """The yfinance provider: bars, and the instruments that were asked for."""

    name = NAME
    revision = "1"

    def __init__(self, clock: Clock, settings: YFinanceSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._client = YahooClient(clock, settings)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=NAME)
        self._turn = asyncio.Lock()
        self._looking_up = asyncio.Lock()
        self._found: dict[str, _Found] = {}
        self._with_breaks: set[str] = set()
        self._closed = False

    async def instruments(self) -> Sequence[Instrument]:
        listings = (found.listing for found in self._found.values() if found.listing is not None)
        return sorted((listing.instrument for listing in listings), key=lambda instrument: instrument.symbol)

    async def instrument(self, symbol: str) -> Instrument | None:
        listing = await self._listing(symbol)
        return None if listing is None else listing.instrument

    async def bars(self, request: BarRequest) -> FetchedBars:
        bars: list[Bar] = []
        invalid: list[tuple[datetime, datetime]] = []
        listing = await self._listing(request.symbol)
        # One time for all chunks: they would never catch up with one that goes on while they are asked for.
        begin, now = request.start, self._clock.now()
        while listing is not None and len(bars) < request.limit:
            wanted = Wanted(request, listing, now, request.symbol in self._with_breaks)
            chunk = wanted.chunk(begin)
            if chunk is None:
                break
            found = await self._ask(self._read, wanted, *chunk)
            if found is None:
                self._with_breaks.add(request.symbol)
                continue
            bars += found.bars
            invalid += found.invalid
            begin = chunk[1]
        return _oldest(bars, invalid, request.limit)

    def _read(self, wanted: Wanted, start: datetime, end: datetime) -> FetchedBars | None:
        """On the thread. None when rows of another interval have to be read."""
        page = self._client.page(wanted.asked(start, end))
        if has_breaks(wanted, page.rows):
            return None
        is_short = wanted.request.interval.fixed_length is not None
        settle = self._settings.settle_seconds if is_short else self._settings.day_settle_seconds
        return bars_of(wanted, start, end, page, timedelta(seconds=settle))

    # -- what Yahoo does not have ------------------------------------------------------------------------------------

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[TopOfBook]:
        raise _has_no("quotes: Yahoo does not say of when its bid and offer are")

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        raise _has_no("order books")

    def quotes(self, symbols: Collection[str]) -> AsyncIterator[TopOfBook]:
        raise _has_no("quotes: Yahoo does not say of when its bid and offer are")

    def trades(self, symbols: Collection[str]) -> AsyncIterator[Trade]:
        raise _has_no("trades")

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncIterator[Bar]:
        raise _has_no("stream of bars: they are read when they should be complete")

    def order_books(self, symbol: str, depth: int) -> AsyncIterator[OrderBook]:
        raise _has_no("order books")

    # -- the thread --------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._client.stop()
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._client.close)
        self._thread.shutdown(wait=False)
        with suppress(TimeoutError):
            # What a request to a mute server still takes, the thread waits for alone.
            await asyncio.wait_for(closing, _GRACE_SECONDS)

    async def _ask(self, question: Callable[..., T], *of: object) -> T:
        async with self._turn:
            if self._closed:
                raise unavailable(NAME, "it is closed")
            answer = asyncio.get_running_loop().run_in_executor(self._thread, question, *of)
            try:
                return await asyncio.wait_for(answer, self._settings.timeout_seconds + _GRACE_SECONDS)
            except TimeoutError:
                raise unavailable(NAME, "it did not answer in time") from None
            finally:
                # Nobody listens any more, if this was cancelled: the thread is to be free for the next one.
                self._client.stop()

    async def _listing(self, symbol: str) -> Listing | None:
        name = yahoos(symbol)
        if name is None:
            return None
        async with self._looking_up:
            found = self._found.get(symbol)
            if found is None or found.until <= self._clock.now():
                found = await self._look_up(symbol, name, found)
                self._found.pop(symbol, None)
                if len(self._found) >= _MOST_KNOWN:
                    self._found.pop(next(iter(self._found)))
                self._found[symbol] = found
            return found.listing

    async def _look_up(self, symbol: str, name: str, known: _Found | None) -> _Found:
        try:
            meta = await self._ask(self._client.describe, name)
        except (Unavailable, Throttled):
            if known is None or known.listing is None:
                raise
            return _Found(known.listing, self._clock.now() + _UNKNOWN_LASTS)
        listing = None if meta is None else listing_of(meta)
        if listing is None or listing.instrument.symbol != symbol:
            return _Found(None, self._clock.now() + _UNKNOWN_LASTS)
        return _Found(listing, self._clock.now() + _LASTS)


def _oldest(bars: list[Bar], invalid: list[tuple[datetime, datetime]], limit: int) -> FetchedBars:
    if len(bars) < limit:
        return FetchedBars(bars, invalid)
    kept = bars[:limit]
    return FetchedBars(kept, [span for span in invalid if not kept or span[0] < kept[-1].close_time])


def _has_no(what: str) -> PreconditionFailed:
    return not_capable(NAME, f"has no {what}")
