"""Outside parts that some tests drive: programs and servers that a machine may lack.

A test that cannot have its part is skipped and named when the run closes; with QUANTMESH_REQUIRE_ALL=1,
as in continuous integration, it fails instead.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

BUILT_TOOLS = Path(__file__).resolve().parents[2] / ".tools" / "bin"
NOT_RUN = "not run without "


def program(name: str) -> Path:
    """The program's path, built by `make tools` or from PATH."""
    found = shutil.which(name, path=f"{BUILT_TOOLS}{os.pathsep}{os.environ.get('PATH', '')}")
    return Path(found) if found else missing(name, "neither in .tools/bin (make tools) nor on PATH")


def missing(part: str, why: str) -> NoReturn:
    """Ends the test for lack of `part`: skipped, or failed where every part is required."""
    if os.environ.get("QUANTMESH_REQUIRE_ALL") == "1":
        pytest.fail(f"{part} is required here: {why}", pytrace=False)
    pytest.skip(f"{NOT_RUN}{part}: {why}")
