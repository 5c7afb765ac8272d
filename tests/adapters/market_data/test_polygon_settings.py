"""What can be set of Polygon, and what it says of itself."""

from datetime import timedelta

import pytest

from adapters.market_data.polygon_settings import CAPABILITIES, PolygonSettings, capabilities, lack


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"url": "api.massive.com"}, "url"),
        ({"stream_url": "https://socket.massive.com"}, "stream_url"),
        ({"timeout_seconds": 0.0}, "timeout_seconds"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds"),
        ({"stream_silence_seconds": 1e9}, "stream_silence_seconds"),
        ({"requests_per_minute": -1}, "requests_per_minute"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        PolygonSettings(**wrong)  # type: ignore[arg-type]  # that is the point


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(PolygonSettings(api_key="secret"))


def test_a_delayed_plan_has_its_own_stream_and_says_how_late_it_is() -> None:
    settings = PolygonSettings(delayed=True, requests_per_minute=5)

    assert settings.stream_address == "wss://delayed.massive.com"
    assert capabilities(settings).delay == timedelta(minutes=15)
    assert capabilities(settings).requests_per_minute == 5
    assert capabilities(settings).poll_seconds == 24
    assert capabilities(PolygonSettings()) == CAPABILITIES


def test_without_a_key_it_says_which_line_to_set() -> None:
    found = lack(PolygonSettings())

    assert found is not None
    assert found.remedy == "QUANTMESH_POLYGON_API_KEY=..."
    assert lack(PolygonSettings(api_key="k")) is None
