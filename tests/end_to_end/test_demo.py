"""`quantmesh demo` as a user runs it: the smoke test of the whole way of an order."""

import ast
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import server.demo

_COMMAND = (sys.executable, "-m", "server", "demo")
_PATIENCE_SECONDS = 45.0
_PUBLIC = {"google", "grpc", "grpc_health", "quantmesh", "rich"}


@pytest.fixture(scope="module")
def finished() -> subprocess.CompletedProcess[str]:
    """A demo that ran to its end without a terminal."""
    return subprocess.run([*_COMMAND, "--seconds", "8"], capture_output=True, text=True, timeout=_PATIENCE_SECONDS)


def test_it_ends_with_status_0_and_books_that_agree(finished: subprocess.CompletedProcess[str]) -> None:
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert finished.stderr == ""
    assert len(re.findall("^   ok  ", finished.stdout, re.MULTILINE)) == 6
    assert "WRONG" not in finished.stdout


def test_orders_fill_rest_and_end_in_every_way(finished: subprocess.CompletedProcess[str]) -> None:
    fills = re.search(r"^Fills: (\d+)$", finished.stdout, re.MULTILINE)
    assert fills is not None
    assert int(fills[1]) >= 12
    orders = re.search(r"^Orders: .*$", finished.stdout, re.MULTILINE)
    assert orders is not None
    for status in ("FILLED", "CANCELED", "REJECTED", "EXPIRED"):
        assert status in orders[0]


def test_a_repeated_request_is_answered_and_not_carried_out(finished: subprocess.CompletedProcess[str]) -> None:
    assert "the first answer again: not done twice" in finished.stdout


def test_the_risk_check_refuses_what_the_account_cannot_pay(finished: subprocess.CompletedProcess[str]) -> None:
    assert re.search(r"refused by the risk check .*NVDA.*\n.*FAILED_PRECONDITION: BUYING_POWER", finished.stdout)


def test_it_trades_in_several_currencies_and_sells_short(finished: subprocess.CompletedProcess[str]) -> None:
    cash = re.search(r"^Cash: .*$", finished.stdout, re.MULTILINE)
    assert cash is not None
    assert all(currency in cash[0] for currency in ("EUR", "GBP", "USD"))
    assert re.search(r"^TSLA +-\d", finished.stdout, re.MULTILINE)


def test_without_a_terminal_it_prints_plain_lines_that_fit_80_columns(
    finished: subprocess.CompletedProcess[str],
) -> None:
    assert "\x1b" not in finished.stdout
    assert [line for line in finished.stdout.splitlines() if len(line) > 80] == []


def test_ctrl_c_in_a_terminal_cancels_what_is_open_and_stops_the_server() -> None:
    with _Terminal("--seconds", "20") as demo:
        demo.wait_for("Orders: [1-9][0-9]* open")
        server_id = _child_of(demo.process.pid)
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(_PATIENCE_SECONDS) == 130
        demo.wait_for(r"Interrupted: \d+ open orders canceled")
        assert "\x1b[?1049h" in demo.shown
        assert "\x1b[?1049l" in demo.shown
        assert not Path(f"/proc/{server_id}").exists()


def test_a_server_that_dies_ends_the_demo_with_status_1_and_a_clear_word() -> None:
    with _Terminal("--seconds", "20") as demo:
        demo.wait_for("Orders: [1-9][0-9]* open")
        os.kill(_child_of(demo.process.pid), signal.SIGKILL)
        assert demo.process.wait(_PATIENCE_SECONDS) == 1
        demo.wait_for("The demo has failed: the server has ended by itself, with exit status -9")


def test_it_knows_nothing_but_the_public_contract() -> None:
    allowed = sys.stdlib_module_names | _PUBLIC
    for file in sorted(Path(server.demo.__path__[0]).glob("*.py")):
        for imported in _imports(file):
            root = imported.partition(".")[0]
            assert root in allowed or imported.startswith("server.demo"), f"{file.name} imports {imported}"


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


class _Terminal:
    """A demo whose output is a terminal of 80 by 24; it does not outlive the block."""

    def __init__(self, *arguments: str) -> None:
        self.shown = ""
        self._screen, terminal = pty.openpty()
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
        # As from a shell in a terminal, also when the tests themselves run where nobody can interrupt them.
        ignored = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen([*_COMMAND, *arguments], stdout=terminal, stderr=terminal, env=environment)
        signal.signal(signal.SIGINT, ignored)
        os.close(terminal)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "_Terminal":
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(_PATIENCE_SECONDS)
        self._reader.join(_PATIENCE_SECONDS)
        os.close(self._screen)

    def wait_for(self, pattern: str) -> None:
        """Wait until the output, without colours, has `pattern`."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            more_may_come = self._reader.is_alive() and time.monotonic() < deadline
            if re.search(pattern, re.sub(r"\x1b\[[0-9;]*m", "", self.shown)):
                return
            assert more_may_come, self.shown[-4_000:]
            time.sleep(0.05)

    def _read(self) -> None:
        """Linux reports the other end's closing as an error."""
        try:
            while chunk := os.read(self._screen, 65_536):
                self.shown += chunk.decode(errors="replace")
        except OSError:
            return


def _child_of(process_id: int) -> int:
    """The only child of a process."""
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = status.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(after_name[1]) == process_id:
            children.append(int(status.parent.name))
    assert len(children) == 1
    return children[0]
