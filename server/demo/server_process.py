"""The server that the demo talks to: a child process on a free port, with a data folder that goes with it."""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from server.demo.failures import DemoFailed
from server.demo.waiting import wait_until

SERVICES: Final = (
    "quantmesh.trading.v1.OrderService",
    "quantmesh.trading.v1.AccountService",
    "quantmesh.risk.v1.RiskService",
    "quantmesh.marketdata.v1.MarketDataService",
)
# Below the range from which systems take ports for outgoing connections, so that none is taken meanwhile.
_PORTS: Final = range(20_000, 32_000)
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LAST_GASP_SECONDS = 1.0
_LAST_WORDS = 15
# A first call that comes before the server listens must not cost a second of waiting.
_RECONNECT: Final = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 500))


class ServerProcess:
    """`address` is HOST:PORT."""

    def __init__(self, process: asyncio.subprocess.Process, address: str, log: Path) -> None:
        self.address = address
        self._process = process
        self._log = log

    @classmethod
    async def start(cls, folder: Path) -> "ServerProcess":
        """On the embedded default, whatever the environment or a settings file says: both are left behind."""
        address = f"127.0.0.1:{_free_port()}"
        log = folder / "server.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "server", "serve", "--listen", address, "--data-dir", str(folder / "data")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=output,
                cwd=folder,
                env={name: value for name, value in os.environ.items() if not name.startswith("QUANTMESH_")},
                # Ctrl-C is for the demo, which still has orders to cancel before the server goes.
                process_group=0,
            )
        return cls(process, address, log)

    async def ready(self, channel: grpc.aio.Channel) -> None:
        """Returns once each service says SERVING."""
        await wait_until(lambda: self._serving(channel), _START_SECONDS, "the server was not ready")

    async def _serving(self, channel: grpc.aio.Channel) -> bool:
        if self._process.returncode is not None:
            raise self.died()
        stub: Any = HealthStub(channel)
        try:
            answers = [await stub.Check(HealthCheckRequest(service=service)) for service in SERVICES]
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND):
                return False
            raise
        return all(answer.status == HealthCheckResponse.SERVING for answer in answers)

    async def watch(self) -> None:
        """Raises DemoFailed as soon as the process ends."""
        await self._process.wait()
        raise self.died()

    async def has_died(self) -> bool:
        """Whether it has ended or is just about to: broken calls are seen before their cause is."""
        try:
            await asyncio.wait_for(self._process.wait(), _LAST_GASP_SECONDS)
        except TimeoutError:
            return False
        return True

    def died(self) -> DemoFailed:
        return DemoFailed(f"the server has ended by itself, with exit status {self._process.returncode}")

    async def stop(self) -> int:
        """Ask it to end as an operator would, and answer its exit status."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LAST_WORDS:])


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[ServerProcess, grpc.aio.Channel]]:
    """A server that is ready, and a channel to it; however the body ends, the server is stopped."""
    with TemporaryDirectory(prefix="quantmesh-demo-") as folder:
        server = await ServerProcess.start(Path(folder))
        try:
            async with grpc.aio.insecure_channel(server.address, options=_RECONNECT) as channel:
                await server.ready(channel)
                yield server, channel
        except BaseException as failure:
            broken = isinstance(failure, grpc.aio.AioRpcError) and await server.has_died()
            await server.stop()
            failure = server.died() if broken else failure
            if server.last_words():
                failure.add_note(f"The end of the server's log:\n{server.last_words()}")
            raise failure
        status = await server.stop()
        if status:
            raise DemoFailed(f"the server ended with exit status {status} when it was asked to stop")


def _free_port() -> int:
    while True:
        port = random.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
