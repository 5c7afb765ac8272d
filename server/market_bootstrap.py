"""The composition root's half for market data: every provider that there is, and what is kept of them."""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Final

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.cache.redis_settings import RedisSettings
from adapters.market_data import (
    alpaca_settings,
    ccxt_settings,
    polygon_settings,
    remote_settings,
    replay_settings,
    simulation_settings,
    yfinance_settings,
)
from adapters.persistence.market_store import MarketStore, open_market_store
from application.market_data.bar_catalogue import BarCatalogue
from application.market_data.instrument_book import InstrumentBook
from application.market_data.market import Market
from application.market_data.market_settings import MarketSettings
from application.market_data.providers import Offer, Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.ports.clock import Clock
from application.ports.market_data import MarketData
from application.ports.quote_cache import QuoteCache
from domain.errors import NotFound
from server.settings import Settings, SettingsError, group

_CLOSING_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class MarketParts:
    """The market of a process, and what it holds open."""

    market: Market
    store: MarketStore
    cache: QuoteCache

    async def close(self) -> None:
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self.market.board.close()
                await self.market.catalogue.close()
                await self.market.providers.close()
                await self.cache.close()
        except TimeoutError:
            pass  # a vendor that does not let go must not hold up the shutdown
        await self.store.close()


async def open_market(settings: Settings, clock: Clock, database: str) -> MarketParts:
    """Nothing of a vendor is imported or asked yet. `database` is where bars are kept; raises SettingsError."""
    general = _general(settings)
    try:
        providers = Providers(_offers(settings, clock), general.provider, general.pairs())
    except NotFound as error:
        raise SettingsError(f"market.{error.message}") from None
    cache = _cache(general.cache, clock)
    store = await _open_store(general.database or database)
    board = QuoteBoard(providers, cache, clock, group("board", BoardSettings, settings.board))
    await board.start()
    catalogue, book = BarCatalogue(store.bars, clock), InstrumentBook(store.instruments)
    return MarketParts(Market(providers, board, catalogue, book, clock), store, cache)


def _general(settings: Settings) -> MarketSettings:
    """A process that does not serve market data, and is told of a server that does, takes them from there unless
    `market.provider` says otherwise. One that serves them might be that server itself, so it has to be told.
    """
    elsewhere = settings.remote.get("address") and "marketdata" not in settings.services
    usual = {"provider": remote_settings.NAME} if elsewhere else {}
    return group("market", MarketSettings, usual | settings.market)


def _offers(settings: Settings, clock: Clock) -> list[Offer]:
    """Each opens by importing its SDK, which may take seconds: only when it is asked for the first time."""
    made = (_simulated, _replay, _yahoo, _polygon, _alpaca, _ccxt, _remote)
    return [make(settings, clock) for make in made]


def _simulated(settings: Settings, clock: Clock) -> Offer:
    own = group("simulation", simulation_settings.SimulationSettings, settings.simulation)

    def opened() -> MarketData:
        from adapters.market_data.simulated_adapter import SimulatedMarketData

        return SimulatedMarketData(clock, own)

    return Offer("simulated", "Simulated market", simulation_settings.CAPABILITIES, lambda: None, opened)


def _replay(settings: Settings, clock: Clock) -> Offer:
    own = group("replay", replay_settings.ReplaySettings, settings.replay)

    def opened() -> MarketData:
        from adapters.market_data.replay_adapter import ReplayMarketData

        return ReplayMarketData(clock, own)

    return Offer("replay", "Replay of files", replay_settings.CAPABILITIES, partial(replay_settings.lack, own), opened)


def _yahoo(settings: Settings, clock: Clock) -> Offer:
    own = group("yfinance", yfinance_settings.YFinanceSettings, settings.yfinance)

    def opened() -> MarketData:
        from adapters.market_data.yfinance_adapter import YFinanceMarketData

        return YFinanceMarketData(clock, own)

    return Offer(
        "yfinance", "Yahoo Finance", yfinance_settings.CAPABILITIES, partial(yfinance_settings.lack, own), opened
    )


def _polygon(settings: Settings, clock: Clock) -> Offer:
    own = group("polygon", polygon_settings.PolygonSettings, settings.polygon)

    def opened() -> MarketData:
        from adapters.market_data.polygon_adapter import PolygonMarketData

        return PolygonMarketData(clock, own)

    return Offer("polygon", "Polygon", polygon_settings.capabilities(own), partial(polygon_settings.lack, own), opened)


def _alpaca(settings: Settings, clock: Clock) -> Offer:
    own = group("alpaca", alpaca_settings.AlpacaSettings, settings.alpaca)

    def opened() -> MarketData:
        from adapters.market_data.alpaca_adapter import AlpacaMarketData

        return AlpacaMarketData(clock, own)

    return Offer("alpaca", "Alpaca", alpaca_settings.capabilities(own), partial(alpaca_settings.lack, own), opened)


def _ccxt(settings: Settings, clock: Clock) -> Offer:
    own = group("ccxt", ccxt_settings.CcxtSettings, settings.ccxt)

    def opened() -> MarketData:
        from adapters.market_data.ccxt_adapter import CcxtMarketData

        return CcxtMarketData(clock, own)

    return Offer(
        "ccxt", f"{own.exchange}, by ccxt", ccxt_settings.CAPABILITIES, partial(ccxt_settings.lack, own), opened
    )


def _remote(settings: Settings, clock: Clock) -> Offer:
    own = group("remote", remote_settings.RemoteSettings, settings.remote)

    def opened() -> MarketData:
        from adapters.market_data.remote_adapter import RemoteMarketData

        return RemoteMarketData(clock, own)

    return Offer(
        "remote", "Another quantmesh", remote_settings.CAPABILITIES, partial(remote_settings.lack, own), opened
    )


def _cache(url: str, clock: Clock) -> QuoteCache:
    if not url:
        return MemoryQuoteCache(clock)
    try:
        settings = RedisSettings(url)
    except ValueError as error:
        raise SettingsError(f"market.cache: {error}") from None
    try:
        from adapters.cache.redis_quote_cache import RedisQuoteCache
    except ImportError:
        raise SettingsError("market.cache: the package redis is not installed: pip install -e '.[redis]'") from None
    return RedisQuoteCache(settings)


async def _open_store(url: str) -> MarketStore:
    try:
        return await open_market_store(url)
    except ValueError as error:
        raise SettingsError(f"market.database: {error}") from None
    except Exception as error:
        # The drivers' own errors: what they say is for the operator, whose setting it is.
        said = str(error).partition("\n")[0]
        raise SettingsError(f"market.database: cannot be opened: {said or type(error).__name__}") from error
