"""The servers under measurement, each a process of its own whose time and memory the kernel counts."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.account_service_pb2_grpc import AccountServiceStub

ROOT: Final = Path(__file__).resolve().parents[2]
SERVICES: Final = (
    "quantmesh.trading.v1.OrderService",
    "quantmesh.trading.v1.AccountService",
    "quantmesh.risk.v1.RiskService",
    "quantmesh.marketdata.v1.MarketDataService",
)
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_LOOK_SECONDS = 0.01
_MIB = 1024 * 1024
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class BenchmarkFailed(Exception):
    """A benchmark went wrong; the message says how."""


class PartMissing(Exception):
    """A benchmark can't be run on this machine; the message says for lack of what."""


class ServerProcess:
    """`address` is HOST:PORT. `start_seconds`: from the start of the process until it served."""

    def __init__(self, module: Sequence[str], address: str, log: Path) -> None:
        self.address = address
        self.start_seconds = 0.0
        self._log = log
        self._began = time.perf_counter()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=ROOT,
                env={name: value for name, value in os.environ.items() if not name.startswith("QUANTMESH_")},
            )

    def wait_until_open(self) -> None:
        host, _, port = self.address.rpartition(":")
        while True:
            self._check_start()
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    break
            time.sleep(_LOOK_SECONDS)
        self.start_seconds = time.perf_counter() - self._began

    def wait_until_serving(self, channel: grpc.Channel) -> None:
        self.wait_until_open()
        check: grpc.UnaryUnaryMultiCallable[HealthCheckRequest, HealthCheckResponse] = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            HealthCheckRequest.SerializeToString,
            HealthCheckResponse.FromString,
        )
        waiting = list(SERVICES)
        while waiting:
            self._check_start()
            with suppress(grpc.RpcError):  # not there yet
                answer = check(HealthCheckRequest(service=waiting[0]), timeout=5)
                if answer.status == HealthCheckResponse.SERVING:
                    del waiting[0]
                    continue
            time.sleep(_LOOK_SECONDS)
        self.start_seconds = time.perf_counter() - self._began

    def _check_start(self) -> None:
        if self._process.poll() is not None:
            raise BenchmarkFailed(f"the server ended with {self._process.returncode}:\n{self.last_words()}")
        if time.perf_counter() - self._began > _START_SECONDS:
            raise BenchmarkFailed(f"the server was not ready after {_START_SECONDS:.0f} s:\n{self.last_words()}")

    def cpu_seconds(self) -> float:
        """User and system time so far, of all threads."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND

    def memory_mib(self) -> float:
        """What is resident now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / _MIB

    def stop(self) -> None:
        """Ask it to end as an operator would."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise BenchmarkFailed(f"the server did not stop in {_STOP_SECONDS:.0f} s:\n{self.last_words()}") from None

    def last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


@contextmanager
def bare_server(module: str, folder: Path, *arguments: str) -> Iterator[ServerProcess]:
    """One of the yardsticks, a module of this folder that takes its port and `arguments`; its log is in `folder`."""
    port = free_port()
    command = [f"tests.benchmarks.{module}", str(port), *arguments]
    server = ServerProcess(command, f"127.0.0.1:{port}", folder / f"{module}.log")
    try:
        server.wait_until_open()
        yield server
    finally:
        server.stop()


def echo_server(folder: Path) -> AbstractContextManager[ServerProcess]:
    return bare_server("echo_server", folder)


@contextmanager
def trading_server(
    folder: Path, database: str | None = None, config: str = ""
) -> Iterator[tuple[ServerProcess, grpc.Channel]]:
    """`quantmesh serve` with its data in `folder`, or in `database`; ready, with a channel to it.

    `config` is its settings, in TOML.
    """
    address, settings = f"127.0.0.1:{free_port()}", folder / "quantmesh.toml"
    settings.write_text(config)
    command = ["server", "serve", "--listen", address, "--data-dir", str(folder), "--config", str(settings)]
    if database is not None:
        command += ["--database", database]
    server = ServerProcess(command, address, folder / "server.log")
    try:
        with grpc.insecure_channel(address) as channel:
            server.wait_until_serving(channel)
            yield server, channel
    finally:
        server.stop()


def create_accounts(channel: grpc.Channel, number: int) -> list[str]:
    """Accounts that can afford anything."""
    accounts = [f"benchmark-{index:02}" for index in range(number)]
    create = AccountServiceStub(channel).CreateAccount
    for account in accounts:
        create(
            CreateAccountRequest(account_id=account, broker="paper", base_currency="USD", starting_cash="1000000000000")
        )
    return accounts


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
