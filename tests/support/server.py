"""A real server in a process of its own, and the contract's stubs for it."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from quantmesh.marketdata.v1.market_data_service_pb2_grpc import MarketDataServiceStub
from quantmesh.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from quantmesh.trading.v1.account_service_pb2_grpc import AccountServiceStub
from quantmesh.trading.v1.order_service_pb2_grpc import OrderServiceStub

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 12.0
_LOOK_SECONDS: Final = 0.02
_MIB: Final = 1024 * 1024
# Below the range from which the system takes ports for outgoing connections, so that none is taken meanwhile.
_PORTS: Final = range(20_000, 32_000)
# A restarted server is to be found at once.
_CHANNEL: Final = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))


def command(*arguments: str) -> list[str]:
    """The command line of `quantmesh`."""
    return [sys.executable, "-m", "server", *arguments]


def environment(**settings: object) -> dict[str, str]:
    """This process's environment, with the server's `settings` and no others: `paper_seed` is QUANTMESH_PAPER_SEED."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUANTMESH_")}
    return kept | {f"QUANTMESH_{name.upper()}": str(value) for name, value in settings.items()}


def free_port() -> int:
    """Drawn at random, because several test processes look for one at the same time."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@dataclass
class Site:
    """Where a server lives: a folder, a database and a port, which outlive any one process."""

    folder: Path
    database: str = ""
    port: int = field(default_factory=free_port)
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self, **settings: object) -> "ServerProcess":
        """A new process, which may not be ready yet; `settings` come on top of those of the site."""
        database = {"database": self.database} if self.database else {}
        given = {"listen": self.address, "data_dir": self.folder / "data", **database, **self.settings, **settings}
        return ServerProcess(self.folder, self.address, environment(**given))


class ServerProcess:
    """`quantmesh serve`. As a context it is ready at the beginning and gone at the end."""

    def __init__(self, folder: Path, address: str, env: dict[str, str], *arguments: str) -> None:
        nowhere = subprocess.DEVNULL
        self.address = address
        self._log = folder / f"server-{address.rpartition(':')[2]}.log"
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(
                command("serve", *arguments), cwd=folder, env=env, stdin=nowhere, stdout=nowhere, stderr=errors
            )

    def __enter__(self) -> "ServerProcess":
        try:
            return self.ready()
        except BaseException:
            self.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        if error is not None:
            error.add_note(f"The server's last words:\n{self.last_words()}")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """What it and its predecessors at this address have written to stderr."""
        return self._log.read_text(errors="replace")

    def last_words(self) -> str:
        return "\n".join(self.log.splitlines()[-30:])

    def ready(self) -> "ServerProcess":
        """Return once it says SERVING."""
        deadline = time.monotonic() + START_SECONDS
        with grpc.insecure_channel(self.address, options=_CHANNEL) as channel:
            while not _serving(channel):
                assert self._process.poll() is None, f"it ended with {self._process.returncode}:\n{self.last_words()}"
                assert time.monotonic() < deadline, f"it was not ready in time:\n{self.last_words()}"
                time.sleep(_LOOK_SECONDS)
        return self

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()

    close = kill

    def exit_status(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for its end; negative for a signal."""
        return self._process.wait(seconds)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024 / _MIB

    @asynccontextmanager
    async def client(self) -> AsyncIterator["Client"]:
        async with grpc.aio.insecure_channel(self.address, options=_CHANNEL) as channel:
            yield Client(channel)


class Client:
    """The generated stubs over one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.orders = OrderServiceStub(channel)
        self.accounts = AccountServiceStub(channel)
        self.risk = RiskServiceStub(channel)
        self.market = MarketDataServiceStub(channel)
        self.health: Any = HealthStub(channel)


def _serving(channel: grpc.Channel) -> bool:
    health: Any = HealthStub(channel)
    try:
        answer = health.Check(HealthCheckRequest(), timeout=1)
    except grpc.RpcError:
        return False
    return bool(answer.status == HealthCheckResponse.SERVING)
