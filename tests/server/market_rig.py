"""MarketDataService on a real socket: the simulated provider behind it, on a clock that the test moves."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import grpc

from adapters.ids import UlidGenerator
from adapters.indicators.installed import InstalledIndicators
from adapters.market_data.simulation_settings import Sessions
from adapters.persistence.memory_backfill_store import MemoryBackfillStore
from application.market_data.backfill_runner import BackfillRunner
from quantmesh.marketdata.v1 import market_data_service_pb2
from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from quantmesh.marketdata.v1.market_data_stream_pb2 import STREAM_STATE_LIVE
from server.health import HealthService
from server.interceptors.tracking import Lifecycle
from server.services.market_data_service import MarketDataService
from server.transport import Transport
from tests.server.rig import rest, take
from tests.support.market import FRIDAY_NOON, TICK, simulated

SERVICE = market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"]
_SECONDS = 5.0
_LOOKS = 1_000
# A reader that reads nothing holds 64 KiB, not what a fast line would suggest.
_NARROW = (("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0))


class MarketRig:
    def __init__(self, now: datetime, sessions: Sessions, hidden: Collection[str]) -> None:
        self.clock, self.provider, self.market = simulated(now, sessions, hidden)
        self.lifecycle = Lifecycle()
        ids = UlidGenerator(self.clock, os.urandom)
        self.backfills = BackfillRunner(self.market, MemoryBackfillStore(), self.clock, ids)
        service = MarketDataService(self.market, InstalledIndicators(), self.backfills, self.lifecycle)
        self._health = HealthService([SERVICE.full_name])
        self.transport = Transport(("127.0.0.1", 0), {SERVICE: service}, self.lifecycle, self._health, None)
        self.stub: Any

    @asynccontextmanager
    async def narrow(self) -> AsyncIterator[Any]:
        """A stub on a connection of its own, for a reader that will stall."""
        async with grpc.aio.insecure_channel(self.transport.address, options=_NARROW) as channel:
            yield MarketDataServiceStub(channel)

    async def stop(self) -> None:
        """As a shutdown goes."""
        self.lifecycle.stop()
        assert await self.lifecycle.drained(_SECONDS)

    async def tick(self, count: int = 1) -> None:
        """Let the market's quotes change `count` times, and the server send what it can."""
        for _ in range(count):
            self.clock.advance(TICK)
            await asyncio.sleep(0.002)

    async def until(self, reached: Callable[[], bool]) -> None:
        for _ in range(_LOOKS):
            if reached():
                return
            await asyncio.sleep(_SECONDS / _LOOKS)
        raise AssertionError(f"it was not so within {_SECONDS} seconds")


@asynccontextmanager
async def market(
    now: datetime = FRIDAY_NOON, sessions: Sessions = "exchange", hidden: Collection[str] = ()
) -> AsyncIterator[MarketRig]:
    """`hidden` symbols are in the catalogue and have no market."""
    rig = MarketRig(now, sessions, hidden)
    await rig.transport.start()
    async with grpc.aio.insecure_channel(rig.transport.address) as channel:
        rig.stub = MarketDataServiceStub(channel)
        try:
            yield rig
        finally:
            await rig.stop()
            await rig.transport.stop(0)


async def data(stream: Any, count: int) -> list[Any]:
    """The next `count` messages. That an upstream is live is passed over: it may come before an item or after it."""
    messages: list[Any] = []
    while len(messages) < count:
        messages += filter(_is_data, await take(stream, 1))
    return messages


async def rest_of_data(stream: Any) -> list[Any]:
    """Every message until the stream's end, with the same left out."""
    return list(filter(_is_data, await rest(stream)))


def _is_data(message: Any) -> bool:
    return bool(message.status.state != STREAM_STATE_LIVE)
