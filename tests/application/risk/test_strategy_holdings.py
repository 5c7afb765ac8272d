"""Whose the positions are, read from the store as far as they reach."""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal

import pytest

from adapters.persistence.memory import MemoryOrderRepository
from application.risk.strategy_holdings import StrategyHoldings
from domain.trading.entities.fill import Fill
from domain.trading.repositories.order_repository import FillFilter
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import Side
from tests.support.engine import MAIN, House

D = Decimal


class Counted(MemoryOrderRepository):
    """The store, which counts the fills that were read from it."""

    read = 0

    async def fills(
        self, account_id: str, where: FillFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Fill]:
        found = await super().fills(account_id, where, after, limit, newest_first)
        self.read += len(found)
        return found


@pytest.fixture
async def house() -> AsyncIterator[House]:
    opened = await House().open()
    yield opened
    await opened.close()


async def traded(house: House, strategy: str, side: Side, *quantities: int) -> None:
    """An order of the strategy, filled in so many parts."""
    order = (
        await house.place(f"{strategy}{len(house.events)}", side=side, quantity=sum(quantities), strategy_id=strategy)
    ).order
    for quantity in quantities:
        part = f"{order.order_id}-{len(house.events)}"
        house.broker.sink(house.says(ExecType.TRADE, order.order_id, execution_id=part, quantity=quantity))
        await house.settle()


async def held(holdings: StrategyHoldings, house: House) -> dict[str, Decimal]:
    position = house.database.state.positions[MAIN, "ACME"]
    return dict(await holdings.of(MAIN, "ACME", position.quantity, position.sequence))


async def test_only_the_fills_since_the_position_was_flat_are_told(house: House) -> None:
    await traded(house, "old", Side.BUY, 70)
    await traded(house, "other", Side.SELL, 70)
    await traded(house, "new", Side.BUY, 3, 4)
    assert await held(StrategyHoldings(Counted(house.database)), house) == {"new": 7}


async def test_a_position_is_read_again_only_when_it_has_changed(house: House) -> None:
    store = Counted(house.database)
    holdings = StrategyHoldings(store)
    await traded(house, "a", Side.BUY, 10)
    assert await held(holdings, house) == await held(holdings, house) == {"a": 10}
    assert store.read == 1
    await traded(house, "b", Side.SELL, 4)
    assert await held(holdings, house) == {"a": 10, "b": -4}
    assert store.read == 3


async def test_what_happened_after_the_moment_that_is_asked_for_does_not_count(house: House) -> None:
    await traded(house, "a", Side.BUY, 10)
    position = house.database.state.positions[MAIN, "ACME"]
    await traded(house, "b", Side.BUY, 5)
    holdings = StrategyHoldings(Counted(house.database))
    assert await holdings.of(MAIN, "ACME", position.quantity, position.sequence) == {"a": 10}


async def test_a_flat_position_is_not_looked_for(house: House) -> None:
    store = Counted(house.database)
    assert await StrategyHoldings(store).of(MAIN, "ACME", D(0), 0) == {}
    assert store.read == 0


async def test_a_long_history_is_read_page_by_page_as_far_as_the_position_reaches(house: House) -> None:
    await traded(house, "old", Side.BUY, *[1] * 300)
    await traded(house, "old", Side.SELL, 300)
    await traded(house, "a", Side.BUY, *[1] * 600)
    await traded(house, "b", Side.BUY, 5)
    store = Counted(house.database)
    assert await held(StrategyHoldings(store), house) == {"a": 600, "b": 5}
    assert store.read == 902  # two pages of 500, the second of which was the last
