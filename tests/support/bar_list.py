"""A provider that has the bars it is given, and nothing else, and a market of it alone."""

from bisect import bisect_left
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from adapters.persistence.memory_bar_store import MemoryBarStore
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from application.market_data.bar_catalogue import BarCatalogue
from application.market_data.board_settings import BoardSettings
from application.market_data.instrument_book import InstrumentBook
from application.market_data.market import Market
from application.market_data.providers import Offer, Providers
from application.market_data.quote_board import QuoteBoard
from application.ports.market_data import BarRequest, Capabilities, DataKind, FetchedBars
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument
from domain.market_data.quote import OrderBook, Quote, TopOfBook, Trade
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

SYMBOL = "BTC/USDT"
START = datetime(2024, 1, 1, tzinfo=UTC)
NINE_TO_FIVE = TradingHours("America/New_York", time(9), time(17), frozenset(range(5)))


class BarList:
    """Counts the requests it gets in `requests`."""

    name = "list"
    revision = "1"

    def __init__(self, bars: Sequence[Bar], hours: TradingHours = ALWAYS_OPEN) -> None:
        self.given = list(bars)
        self.requests: list[BarRequest] = []
        self._instrument = Instrument(
            symbol=SYMBOL,
            name="Bitcoin",
            asset_class=AssetClass.CRYPTO,
            currency="USDT",
            venue="LIST",
            tick_size=Decimal("0.01"),
            lot_size=Decimal("0.0001"),
            min_quantity=Decimal("0.0001"),
            max_quantity=NO_MAXIMUM,
            hours=hours,
        )

    async def instruments(self) -> Sequence[Instrument]:
        return [self._instrument]

    async def instrument(self, symbol: str) -> Instrument | None:
        return self._instrument if symbol == SYMBOL else None

    async def bars(self, request: BarRequest) -> FetchedBars:
        self.requests.append(request)
        first, end = (bisect_left(self.given, at, key=lambda bar: bar.open_time) for at in (request.start, request.end))
        return FetchedBars(self.given[first : min(end, first + request.limit)])

    async def latest_quotes(self, symbols: Collection[str]) -> Sequence[Quote]:
        return []

    async def order_book(self, symbol: str, depth: int) -> OrderBook | None:
        return None

    def quotes(self, symbols: Collection[str]) -> AsyncIterator[TopOfBook]:
        return _nothing()

    def trades(self, symbols: Collection[str]) -> AsyncIterator[Trade]:
        return _nothing()

    def live_bars(self, symbols: Collection[str], interval: BarInterval) -> AsyncIterator[Bar]:
        return _nothing()

    def order_books(self, symbol: str, depth: int) -> AsyncIterator[OrderBook]:
        return _nothing()

    async def close(self) -> None:
        return None


async def _nothing() -> AsyncIterator[Any]:
    return
    yield


def market_of(provider: BarList, now: datetime | None = None, *, local: bool = True) -> Market:
    """At the close of the provider's last bar, unless `now` says otherwise."""
    clock = ManualClock(now or provider.given[-1].close_time)
    capabilities = Capabilities(
        asset_classes=(AssetClass.CRYPTO,),
        requests=frozenset({DataKind.BARS}),
        streams=frozenset(),
        bars={BarInterval.HOUR_1: None, BarInterval.DAY_1: None},
        local=local,
    )
    providers = Providers([Offer(provider.name, "List", capabilities, lambda: None, lambda: provider)], provider.name)
    board = QuoteBoard(providers, MemoryQuoteCache(clock), clock, BoardSettings())
    return Market(
        providers, board, BarCatalogue(MemoryBarStore(), clock), InstrumentBook(MemoryInstrumentStore()), clock
    )


def hourly_bars(count: int, chance: Random, *, missing: float = 0.0, silence: timedelta = timedelta(0)) -> list[Bar]:
    """A random walk of complete bars. Some hours have none; in the middle there is a silence."""
    bars: list[Bar] = []
    at, price = START, 100.0
    while len(bars) < count:
        if len(bars) == count // 2:
            at, silence = at + silence, timedelta(0)
        if chance.random() >= missing:
            opened, price = price, price * (1 + chance.gauss(0, 0.01))
            high, low = (
                max(opened, price) * (1 + chance.random() / 100),
                min(opened, price) * (1 - chance.random() / 100),
            )
            bars.append(_bar(at, (opened, high, low, price), chance.randint(0, 5_000)))
        at += timedelta(hours=1)
    return bars


def _bar(at: datetime, prices: Sequence[float], volume: int) -> Bar:
    opened, high, low, close = (Decimal(f"{price:.2f}") for price in prices)
    return Bar(
        symbol=SYMBOL,
        interval=BarInterval.HOUR_1,
        open_time=at,
        close_time=at + timedelta(hours=1),
        open=opened,
        high=max(high, opened, close),
        low=min(low, opened, close),
        close=close,
        volume=Decimal(volume),
        trade_count=None,
    )


def still_running(bar: Bar) -> Bar:
    return replace(bar, partial=True)
