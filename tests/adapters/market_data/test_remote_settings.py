"""What can be set of the remote provider, and what it says of itself."""

import pytest

from adapters.market_data.remote_settings import RemoteSettings, lack


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"address": "127.0.0.1"}, "address"),
        ({"address": ":50051"}, "address"),
        ({"address": "market.example:0"}, "address"),
        ({"address": "market.example:65536"}, "address"),
        ({"address": "market.example:http"}, "address"),
        ({"timeout_seconds": 0.0}, "timeout_seconds"),
        ({"bars_timeout_seconds": float("nan")}, "bars_timeout_seconds"),
        ({"stream_silence_seconds": 0.3}, "stream_silence_seconds"),
        ({"instrument_seconds": -1.0}, "instrument_seconds"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        RemoteSettings(**wrong)  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("address", ["market.example:50051", "127.0.0.1:1", "[::1]:50051"])
def test_an_address_is_a_host_and_a_port(address: str) -> None:
    assert lack(RemoteSettings(address)) is None


def test_without_an_address_it_says_which_line_to_set() -> None:
    found = lack(RemoteSettings())
    assert found is not None
    assert found.remedy == "QUANTMESH_REMOTE_ADDRESS=..."


@pytest.mark.parametrize("seconds", [0.5, 900.0])
def test_heartbeats_are_asked_for_as_often_as_the_contract_lets_them_be(seconds: float) -> None:
    assert 0.1 <= RemoteSettings(stream_silence_seconds=seconds).heartbeat_seconds <= 300
