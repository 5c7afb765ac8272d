"""The composition root: the one place that knows every adapter and puts them together."""

import asyncio
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import ServiceDescriptor

from adapters.brokers.paper_adapter import PaperBroker
from adapters.brokers.paper_settings import PaperSettings
from adapters.clock import AcceleratedClock, SystemClock
from adapters.ids import UlidGenerator
from adapters.indicators.installed import InstalledIndicators
from adapters.persistence.store import Store, open_store
from application.market_data.backfill_runner import BackfillRunner
from application.market_data.market import Market
from application.ports.clock import Clock
from application.ports.journal import JournalUnavailable
from application.risk.risk_desk import RiskDesk
from application.risk.supervisor import Supervisor
from application.trading.commands.create_account_command import CreateAccountHandler
from application.trading.request_watch import WatchSettings
from application.trading.trading_engine import TradingEngine
from domain.errors import NotFound
from quantmesh.marketdata.v1 import market_data_service_pb2
from quantmesh.risk.v1 import risk_service_pb2
from quantmesh.strategy.v1 import strategy_service_pb2
from quantmesh.trading.v1 import account_service_pb2, order_service_pb2
from server.crash_points import crash_points
from server.health import SERVING, HealthService
from server.interceptors.audit import Audit
from server.interceptors.tracking import Lifecycle
from server.market_bootstrap import MarketParts, open_market
from server.services.account_service import AccountService
from server.services.market_data_service import MarketDataService
from server.services.order_service import OrderService
from server.services.risk_service import RiskService
from server.settings import Settings, SettingsError, group
from server.transport import Transport

_DATABASE_FILE: Final = "quantmesh.db"
_MARKET_FILE: Final = "marketdata.db"
_REFUSING_SECONDS: Final = 0.25
_SENDING_SECONDS: Final = 0.5
_ABORTING_SECONDS: Final = 1.0
_FLUSHING_SECONDS: Final = 2.0

_ORDERS: Final = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]
_ACCOUNTS: Final = account_service_pb2.DESCRIPTOR.services_by_name["AccountService"]
_RISK: Final = risk_service_pb2.DESCRIPTOR.services_by_name["RiskService"]
_MARKET_DATA: Final = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
_STRATEGIES: Final = strategy_service_pb2.DESCRIPTOR.services_by_name["StrategyService"]

_log = logging.getLogger(__name__)

Services = dict[ServiceDescriptor, object]


class Application:
    """All parts of one process. `on_fenced` is called once another server has taken over the database."""

    def __init__(self, settings: Settings, on_fenced: Callable[[], None]) -> None:
        self._settings = settings
        self._on_fenced = on_fenced
        self._lifecycle = Lifecycle(settings.max_streams)
        self._clock = _clock(settings)
        self._ids = UlidGenerator(self._clock, os.urandom)
        self._market: MarketParts | None = None
        self._paper: PaperBroker | None = None
        self._backfills: BackfillRunner | None = None
        self._store: Store | None = None
        self._engine: TradingEngine | None = None
        self._desk: RiskDesk | None = None
        self._supervisor: Supervisor | None = None
        self._audit: Audit | None = None
        self._engine_runs = False
        self._transport: Transport | None = None
        self._health: HealthService | None = None

    @property
    def address(self) -> str:
        """HOST:PORT as it is listened on."""
        return self._transport.address if self._transport else ""

    async def start(self) -> None:
        """Serve, once everything is ready; raises SettingsError for what an operator can put right."""
        try:
            services = await self._services()
            self._health = HealthService([descriptor.full_name for descriptor in services])
            # Before the database is taken over: a second server that finds the port in use must not fence the first.
            self._transport = Transport(
                self._settings.address,
                services,
                self._lifecycle,
                self._health,
                self._settings.reflection,
                self._audit,
            )
            if self._engine is not None:
                await self._start_engine(self._engine)
            await self._transport.start()
            if self._backfills is not None:
                self._backfills.start()
        except BaseException:
            await self._close()
            raise
        self._health.set(SERVING)

    async def stop(self) -> None:
        """Let what is under way end, tell the streams goodbye, and let go of everything."""
        if self._health is not None:
            self._health.stop()
        self._lifecycle.stop()
        if self._engine is not None:
            self._engine.wake_streams()
        if not await self._lifecycle.drained(self._settings.shutdown_seconds):
            _log.warning("%d calls are cut off by the shutdown", self._lifecycle.under_way)
        # Callers that are busy meet a clear refusal; one that meets a closing transport sees CANCELLED.
        await asyncio.sleep(_REFUSING_SECONDS)
        await self._close()

    async def _close(self) -> None:
        if self._transport is not None:
            await self._transport.stop(_SENDING_SECONDS)
            # The transport does not wait for the handlers of calls that it has cut.
            await self._lifecycle.drained(_ABORTING_SECONDS)
        if self._supervisor is not None:
            await self._supervisor.stop()
        if self._engine is not None and self._engine_runs:
            try:
                await asyncio.wait_for(self._engine.stop(), _FLUSHING_SECONDS)
            except TimeoutError:
                _log.warning("the last transaction is given up: the database does not answer")
        if self._backfills is not None:
            await self._backfills.stop()
        if self._store is not None:
            await self._store.close()
        if self._market is not None:
            await self._market.close()

    # -- the parts ---------------------------------------------------------------------------------------

    async def _services(self) -> Services:
        services: Services = {}
        if {"trading", "marketdata"} & set(self._settings.services):
            self._market = await open_market(self._settings, self._clock, _market_database(self._settings))
            market = self._market.market
            if "trading" in self._settings.services:
                services |= await self._trading(market)
            if "marketdata" in self._settings.services:
                self._backfills = BackfillRunner(market, self._market.store.backfills, self._clock, self._ids)
                services[_MARKET_DATA] = MarketDataService(
                    market, InstalledIndicators(), self._backfills, self._lifecycle
                )
        if "strategy" in self._settings.services:
            services[_STRATEGIES] = object()  # nothing of it is built yet
        return services

    async def _trading(self, market: Market) -> Services:
        reached = _crash_points(self._settings)
        self._paper = PaperBroker(self._clock, market.board, group("paper", PaperSettings, self._settings.paper))
        self._store = await _open_store(self._settings, reached)
        self._engine = TradingEngine(
            self._store.journal,
            self._store.orders,
            {self._paper.name: self._paper},
            market.board,
            self._clock,
            self._ids,
            group("watch", WatchSettings, self._settings.watch),
            self._on_fenced,
            reached,
        )
        self._audit = Audit(self._engine.committer.write, self._clock, self._ids)
        self._desk = RiskDesk(self._engine, self._store.controls, self._engine.controls, self._clock, self._ids)
        self._supervisor = Supervisor(self._desk, self._clock)
        create_account = CreateAccountHandler(self._engine, self._clock)
        return {
            _ORDERS: OrderService(self._engine, self._ids, self._lifecycle, self._audit),
            _ACCOUNTS: AccountService(self._engine, create_account, self._lifecycle),
            _RISK: RiskService(self._engine, self._desk, market, self._store.audit, self._lifecycle),
        }

    def _hand_over_positions(self, engine: TradingEngine) -> None:
        """The paper venue's memory is our own."""
        if self._paper is None:
            return
        for writer in engine.writers(self._paper.name):
            held = writer.book.portfolio.positions
            quantities = {symbol: position.quantity for symbol, position in held.items()}
            self._paper.adopt_positions(writer.account_id, quantities)

    async def _start_engine(self, engine: TradingEngine) -> None:
        try:
            await engine.load()
        except JournalUnavailable as error:
            raise SettingsError(f"database: cannot be taken over: {error}") from error
        except NotFound as error:
            raise SettingsError(f"database: it has accounts of a broker that is gone: {error}") from error
        self._engine_runs = True
        self._hand_over_positions(engine)
        if self._desk is not None:
            await self._desk.start()
        await engine.connect()
        if self._supervisor is not None:
            self._supervisor.start()


def _market_database(settings: Settings) -> str:
    """Where bars are kept unless it is said: beside the orders on PostgreSQL, else in a file of their own."""
    if settings.database.startswith(("memory:", "postgresql:")):
        return settings.database
    return _embedded(settings.data_dir, _MARKET_FILE)


def _clock(settings: Settings) -> Clock:
    if settings.clock_speed == 1 and settings.clock_start is None:
        return SystemClock()
    return AcceleratedClock(settings.clock_speed, settings.clock_start or datetime.now(UTC))


def _crash_points(settings: Settings) -> Callable[[str], None]:
    try:
        return crash_points(settings.crash_at)
    except ValueError:
        raise SettingsError(f"crash_at: must be POINT or POINT:N, not {settings.crash_at!r}") from None


async def _open_store(settings: Settings, reached: Callable[[str], None]) -> Store:
    url = settings.database or _embedded(settings.data_dir, _DATABASE_FILE)
    try:
        return await open_store(url, reached)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    except Exception as error:
        # The drivers' own errors: what they say is for the operator, whose setting it is.
        said = str(error).partition("\n")[0]
        raise SettingsError(f"database: cannot be opened: {said or type(error).__name__}") from error


def _embedded(folder: Path, file: str) -> str:
    """The URL of the SQLite `file` in `folder`, which is made when missing, and never gets into a repository."""
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"data_dir: {folder} cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SettingsError(f"data_dir: {folder} cannot be written to")
    return f"sqlite:///{folder.absolute() / file}"
