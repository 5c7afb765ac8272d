"""Folder = import name: each name that code imports is a folder of this checkout, and no installed copy."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = {
    "domain": ROOT / "domain",
    "application": ROOT / "application",
    "adapters": ROOT / "adapters",
    "server": ROOT / "server",
    "quantmesh": ROOT / "clients/python/src/quantmesh",
    "tests.support": ROOT / "tests/support",
}


@pytest.mark.parametrize("name", LAYERS)
def test_each_layer_resolves_into_this_checkout(name: str) -> None:
    assert [Path(folder) for folder in importlib.import_module(name).__path__] == [LAYERS[name]]


def test_tests_are_no_packages_so_that_they_shadow_no_layer() -> None:
    assert [str(file) for file in (ROOT / "tests").rglob("__init__.py")] == []
