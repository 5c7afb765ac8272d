"""Sizes by an average true range that is not given, on a real engine with bars of the simulated market."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_catalogue import LISTINGS
from adapters.market_data.simulation_settings import SimulationSettings
from application.ports.market_data import BarRequest, FetchedBars
from application.risk.queries.size_position_query import PositionSize, SizePositionHandler
from domain.errors import AccessDenied, NotFound, PreconditionFailed
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import Instrument
from domain.risk.services.position_sizer import FixedQuantity, SizingMethod, VolatilityTarget, average_true_range
from tests.support.engine import MAIN, House
from tests.support.market import market_of, offer
from tests.support.sizing import asking
from tests.support.trading import D


class Ending(SimulatedMarketData):
    """The simulated market as a provider tells it whose bars stop at `end`."""

    def __init__(self, clock: ManualClock, end: datetime) -> None:
        super().__init__(clock, SimulationSettings(sessions="exchange"))
        self.end = end

    async def instrument(self, symbol: str) -> Instrument | None:
        """Also NEW, which has not traded yet."""
        known = await super().instrument("AAPL" if symbol == "NEW" else symbol)
        return known and replace(known, symbol=symbol)

    async def bars(self, request: BarRequest) -> FetchedBars:
        return await super().bars(replace(request, end=min(request.end, self.end)))


class Sizing:
    """The handler on a real engine, with quotes of the test's and bars of the simulated market."""

    def __init__(self, house: House, bars_end: datetime | None = None) -> None:
        self.data = Ending(house.clock, bars_end or house.clock.now())
        self.instrument = LISTINGS["AAPL"].instrument
        house.quotes.list(self.instrument)
        house.quotes.set("AAPL", "200")
        self.clock = house.clock
        self.handler = SizePositionHandler(house.engine, market_of(house.clock, offer(self.data)))

    async def size(self, method: SizingMethod, account_id: str = MAIN, symbol: str = "AAPL") -> PositionSize:
        return await self.handler(replace(asking(method), account_id=account_id, symbol=symbol))


@pytest.fixture
async def house() -> Any:
    opened = await House().open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("interval", [BarInterval.MINUTE_15, BarInterval.DAY_1, BarInterval.WEEK_1])
async def test_an_average_true_range_that_is_not_given_is_computed_from_whole_bars(
    house: House, interval: BarInterval
) -> None:
    sizing = Sizing(house)
    found = await sizing.size(VolatilityTarget(D("0.01"), atr_period=3, bar_interval=interval))
    now = sizing.clock.now()
    found_bars = await sizing.data.bars(BarRequest("AAPL", interval, now - timedelta(days=400), now, 10**6))
    newest = list(found_bars.bars)[-16:]
    atr = average_true_range([bar for bar in newest if not bar.partial], 3)
    assert found.unrounded == 10_000 / atr
    assert {step.name: step.value for step in found.steps}["average true range"] == atr


async def test_one_that_is_given_needs_no_bars(house: House) -> None:
    sizing = Sizing(house, datetime(2000, 1, 1, tzinfo=UTC))
    found = await sizing.size(VolatilityTarget(D("0.01"), atr=D(20)))
    assert found.quantity == 500
    assert (await sizing.size(FixedQuantity(D(3)))).quantity == 3


@pytest.mark.parametrize(
    ("symbol", "says"),
    [("NEW", "0 bars of 1d do not give an average over 14"), ("AAPL", "the last bar of 1d ended at 2025-05-23")],
)
async def test_too_few_or_too_old_bars_are_a_missing_price(house: House, symbol: str, says: str) -> None:
    sizing = Sizing(house, datetime(2025, 5, 24, tzinfo=UTC))
    house.quotes.list(replace(sizing.instrument, symbol="NEW"))
    with pytest.raises(PreconditionFailed, match=says) as refused:
        await sizing.size(VolatilityTarget(D(1)), symbol=symbol)
    assert refused.value.reason == "PRICE_MISSING"
    assert [violation.rule for violation in refused.value.violations] == ["PRICE_MISSING"]


async def test_over_a_weekend_the_last_bars_are_not_too_old(house: House) -> None:
    sizing = Sizing(house, datetime(2025, 5, 31, tzinfo=UTC))  # a Saturday; now it is Monday
    assert (await sizing.size(VolatilityTarget(D(1)))).quantity


async def test_an_unknown_account_is_denied_before_anything_is_fetched(house: House) -> None:
    with pytest.raises(AccessDenied):
        await Sizing(house).size(VolatilityTarget(D(1)), account_id="nobody", symbol="NONE")


async def test_bars_of_an_unknown_instrument_are_not_found(house: House) -> None:
    with pytest.raises(NotFound) as missing:
        await Sizing(house).size(VolatilityTarget(D(1)), symbol="NONE")
    assert missing.value.reason == "INSTRUMENT_NOT_FOUND"


async def test_the_size_counts_what_was_placed_before(house: House) -> None:
    sizing = Sizing(house)
    placed = await house.place("a", symbol="AAPL", quantity=400_000, price=200)
    found = await sizing.size(FixedQuantity(D(200_000)))
    assert (found.sequence, found.quantity) == (placed.sequence, D(98_039))  # 20,000,000 at 2 % above 200
