"""Settings of the simulated market that make no sense are refused by name."""

import pytest

from adapters.market_data.simulation_settings import SimulationSettings


@pytest.mark.parametrize("interval", [0.0, -1.0, 61.0, float("nan"), float("inf")])
def test_a_tick_that_is_no_tick_is_refused_by_name(interval: float) -> None:
    with pytest.raises(ValueError, match="tick_interval: must be"):
        SimulationSettings(tick_interval=interval)


def test_sessions_of_another_kind_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="sessions: must be one of always_open, exchange"):
        SimulationSettings(sessions="weekdays")  # type: ignore[arg-type]
