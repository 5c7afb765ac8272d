"""The simulated market at a moment of the test's choice."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import SimulationSettings
from domain.market_data.quote import Quote

START = datetime(2012, 1, 5, tzinfo=UTC)
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FRIDAY_EVENING = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=6_000)).map(lambda since: START + since)
TICK = timedelta(seconds=0.25)


def market(now: datetime, **settings: Any) -> SimulatedMarketData:
    return SimulatedMarketData(ManualClock(now), SimulationSettings(**settings))


def latest(provider: SimulatedMarketData, symbol: str) -> Quote:
    quote = provider.in_memory.latest(symbol)
    assert quote is not None
    return quote
