"""What every benchmark is given: the two servers side by side, and how they take turns."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import grpc
from rich.console import Console

from tests.benchmarks.ghz import Ghz
from tests.benchmarks.processes import ServerProcess, echo_server, trading_server

T = TypeVar("T")
U = TypeVar("U")


class Pair(NamedTuple):
    """An echo server and a new quantmesh server with `channel` to it; `folder` is for files, on the same disk."""

    echo: ServerProcess
    ours: ServerProcess
    channel: grpc.Channel
    folder: Path


@dataclass(frozen=True, slots=True)
class Bench:
    """`folder` is on the disk on which the server is to be durable. `quick`: small numbers, to see that it works."""

    folder: Path
    ghz: Ghz
    console: Console
    rounds: int
    quick: bool

    def say(self, text: str) -> None:
        self.console.print(text, style="dim", highlight=False)

    def sized(self, number: int) -> int:
        return number // 20 if self.quick else number

    @contextmanager
    def empty_folder(self) -> Iterator[Path]:
        folder = self.folder / "run"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        shutil.rmtree(folder)

    @contextmanager
    def pair(self, database: str | None = None, config: str = "") -> Iterator[Pair]:
        """`config` is the settings of ours, in TOML."""
        with (
            self.empty_folder() as folder,
            echo_server(folder) as echo,
            trading_server(folder, database, config) as started,
        ):
            yield Pair(echo, *started, folder)

    def take_turns(self, name: str, echo: Callable[[], T], ours: Callable[[], U]) -> tuple[list[T], list[U]]:
        """Echo, ours, echo, ours and so on. The first turn of each is to warm up and does not count."""
        echoes, results = list[T](), list[U]()
        for turn in range(self.rounds + 1):
            self.say(f"{name}: round {turn} of {self.rounds}" if turn else f"{name}: warming up")
            base, result = echo(), ours()
            if turn:
                echoes.append(base)
                results.append(result)
        return echoes, results
