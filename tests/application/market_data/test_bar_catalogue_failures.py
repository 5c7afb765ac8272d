"""What a caller of the catalogue gets when its provider or its store fails."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

import pytest

from adapters.persistence.memory_bar_store import MemoryBarStore
from application.market_data.bar_catalogue import BarCatalogue
from application.ports.bar_store import SeriesKey, Span, Stretch
from domain.errors import Throttled, Unavailable
from tests.support.catalogue_rig import HOUR, NOW, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(
    "trouble", [Throttled("slow down", 3.0), Unavailable("down", reason="MARKET_DATA_UNAVAILABLE")]
)
async def test_what_the_provider_raises_the_caller_gets_and_the_next_one_tries_again(
    rig: Rig, trouble: Exception
) -> None:
    rig.provider.troubles.append(trouble)
    with pytest.raises(type(trouble)):
        await rig.bars(NOW - 5 * HOUR, NOW - HOUR)
    await rig.bars(NOW - 5 * HOUR, NOW - HOUR)


async def test_an_answer_that_is_lacking_a_part_is_no_answer(rig: Rig) -> None:
    await rig.bars(NOW - 5 * HOUR, NOW - 4 * HOUR)
    rig.provider.troubles.append(Throttled("slow down", 3.0))
    with pytest.raises(Throttled):
        await rig.bars(NOW - 5 * HOUR, NOW - 3 * HOUR)


class FailingStore:
    """Never answers with anything but a failure, until it is `mended`."""

    def __init__(self) -> None:
        self.asked = 0
        self.mended = False
        self.inner = MemoryBarStore()

    def _look(self) -> None:
        self.asked += 1
        if not self.mended:
            raise Unavailable("the disk is gone")

    async def read(self, series: SeriesKey, start: datetime, end: datetime, limit: int) -> Sequence[Stretch]:
        self._look()
        return await self.inner.read(series, start, end, limit)

    async def settled(self, series: SeriesKey, start: datetime, end: datetime) -> Sequence[Span]:
        self._look()
        return await self.inner.settled(series, start, end)

    async def keep(self, series: SeriesKey, stretches: Sequence[Stretch]) -> None:
        self._look()
        await self.inner.keep(series, stretches)


async def test_a_store_that_fails_changes_no_answer_and_is_left_alone_for_a_while(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    store = FailingStore()
    rig.catalogue = BarCatalogue(store, rig.clock)
    start, end = NOW - 5 * HOUR, NOW - 4 * HOUR
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await rig.bars(start, end)
    assert (len(rig.asked), store.asked, len(caplog.records)) == (3, 1, 1)
    store.mended = True
    rig.clock.advance(6)
    await rig.bars(start, end)
    assert (len(rig.asked), store.asked) == (1, 3)
    await rig.bars(start, end)
    assert rig.asked == []


async def test_a_store_that_cannot_be_written_changes_no_answer(rig: Rig) -> None:
    store = FailingStore()
    rig.catalogue = BarCatalogue(store, rig.clock)
    store.mended = True
    caller = asyncio.create_task(rig.bars(NOW - 5 * HOUR, NOW - 4 * HOUR))
    rig.provider.gate.clear()
    for _ in range(3):
        await asyncio.sleep(0)
    store.mended = False
    rig.provider.gate.set()
    assert len((await caller).bars) == 60
