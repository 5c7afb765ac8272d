"""Another quantmesh that serves market data on a real socket, the remote provider that asks it, and a line between
them that can fall silent.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from adapters.clock import ManualClock
from adapters.ids import UlidGenerator
from adapters.indicators.installed import InstalledIndicators
from adapters.market_data.remote_adapter import RemoteMarketData
from adapters.market_data.remote_settings import RemoteSettings
from adapters.persistence.memory_backfill_store import MemoryBackfillStore
from application.market_data.backfill_runner import BackfillRunner
from application.market_data.market import Market
from quantmesh.marketdata.v1 import market_data_service_pb2
from server.health import HealthService
from server.interceptors.tracking import Lifecycle
from server.services.market_data_service import MarketDataService
from server.transport import Transport
from tests.support.market import FRIDAY_NOON, market_of
from tests.support.provider import SpokenMarketData

T = TypeVar("T")

SERVICE = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
_SECONDS = 5.0


class FarServer:
    """Serves `market`, or whatever `servicer` answers, at an address that outlives its turns."""

    def __init__(self, clock: ManualClock, market: Market | None = None, servicer: object = None) -> None:
        self.clock = clock
        self.address = "127.0.0.1:0"
        self._market = market
        self._servicer = servicer
        self._lifecycle: Lifecycle
        self._transport: Transport

    async def start(self) -> None:
        self._lifecycle = Lifecycle()
        servicer = self._servicer if self._market is None else self._of(self._market)
        host, _, port = self.address.rpartition(":")
        health = HealthService([SERVICE.full_name])
        self._transport = Transport((host, int(port)), {SERVICE: servicer}, self._lifecycle, health, None)
        self.address = self._transport.address
        await self._transport.start()

    async def stop(self) -> None:
        """As a shutdown goes: with a goodbye."""
        self._lifecycle.stop()
        await self._lifecycle.drained(_SECONDS)
        await self._transport.stop(0)

    async def vanish(self) -> None:
        """Its streams are cut without a word."""
        await self._transport.stop(0)
        self._lifecycle.stop()
        await self._lifecycle.drained(_SECONDS)

    def _of(self, market: Market) -> MarketDataService:
        ids = UlidGenerator(self.clock, os.urandom)
        backfills = BackfillRunner(market, MemoryBackfillStore(), self.clock, ids)
        return MarketDataService(market, InstalledIndicators(), backfills, self._lifecycle)


@asynccontextmanager
async def far_server(
    clock: ManualClock, market: Market | None = None, servicer: object = None
) -> AsyncIterator[FarServer]:
    server = FarServer(clock, market, servicer)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def remote(server: FarServer, address: str = "", **settings: Any) -> AsyncIterator[RemoteMarketData]:
    """The provider that asks `server`, or what listens at `address` in front of it."""
    provider = RemoteMarketData(server.clock, RemoteSettings(address or server.address, **settings))
    try:
        yield provider
    finally:
        await provider.close()


class Relay:
    """A line to `target` that can go mute: it stays open and carries nothing any more."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def mute(self) -> None:
        self._open.clear()

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._host, self._port)
        for task in self._pumps((reader, far_writer), (far_reader, writer)):
            self._tasks.add(task)

    def _pumps(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> Iterator[asyncio.Task[None]]:
        for reader, writer in ways:
            yield asyncio.create_task(self._pump(reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass  # the other side is told by the close
        finally:
            writer.close()


@asynccontextmanager
async def spoken(*symbols: str, **settings: Any) -> AsyncIterator[tuple[SpokenMarketData, RemoteMarketData]]:
    """A provider that does what a test says, and the remote one that asks the server of it."""
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock)
    provider.list(*symbols)
    async with far_server(clock, market_of(clock, provider.offer())) as server, remote(server, **settings) as near:
        yield provider, near
