"""Which provider serves what nobody routes, by what a process is told and by what it serves."""

from pathlib import Path

import pytest

from adapters.clock import ManualClock
from server.market_bootstrap import open_market
from server.settings import SettingsError, load_settings
from tests.support.market import FRIDAY_NOON

ELSEWHERE = "market.example:50051"


@pytest.mark.parametrize(
    ("services", "address", "provider", "serves"),
    [
        ("trading,marketdata,strategy", "", "", "simulated"),
        ("trading", "", "", "simulated"),
        ("trading", ELSEWHERE, "", "remote"),
        ("trading,strategy", ELSEWHERE, "", "remote"),
        ("trading", ELSEWHERE, "replay", "replay"),
        ("trading,marketdata", ELSEWHERE, "", "simulated"),
        ("marketdata", ELSEWHERE, "", "simulated"),
        ("marketdata", ELSEWHERE, "remote", "remote"),
    ],
)
async def test_a_process_without_market_data_of_its_own_takes_them_from_the_server_that_it_is_told_of(
    services: str, address: str, provider: str, serves: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (("SERVICES", services), ("REMOTE_ADDRESS", address), ("MARKET_PROVIDER", provider)):
        if value:
            monkeypatch.setenv(f"QUANTMESH_{name}", value)
    parts = await open_market(load_settings(), ManualClock(FRIDAY_NOON), "memory:")
    try:
        assert parts.market.providers.default == serves
    finally:
        await parts.close()


async def test_an_address_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("QUANTMESH_REMOTE_ADDRESS", "market.example")
    with pytest.raises(SettingsError, match=r"^remote\.address: must be HOST:PORT"):
        await open_market(load_settings(), ManualClock(FRIDAY_NOON), "memory:")
