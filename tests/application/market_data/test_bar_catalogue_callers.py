"""Callers who want the same of the catalogue at once, and those who do not wait for it."""

import asyncio
import gc

import pytest

from domain.errors import Unavailable
from tests.support.catalogue_rig import ALL, HOUR, NOW, Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_callers_who_lack_the_same_share_one_request(rig: Rig) -> None:
    rig.provider.gate.clear()
    start = NOW - 5 * HOUR
    callers = [asyncio.create_task(rig.bars(start, NOW, limit=limit)) for limit in (500, 100, 500)]
    await asyncio.sleep(0)
    rig.clock.advance(0.001)
    late = asyncio.create_task(rig.bars(start, rig.clock.now(), limit=50))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(rig.asked) == 1
    rig.provider.gate.set()
    await asyncio.gather(*callers, late)
    assert rig.asked == []


async def test_a_caller_whose_look_at_the_store_ends_after_the_answer_of_another_does_not_ask_again(rig: Rig) -> None:
    start, end = NOW - 5 * HOUR, NOW - HOUR
    slow = rig.store.hold()
    late = asyncio.create_task(rig.bars(start, end))
    await asyncio.sleep(0)
    await rig.bars(start, end)
    slow.set()
    assert len((await late).bars) == 240
    assert rig.asked == [(start, end, ALL)]


async def test_of_several_holes_one_that_another_caller_has_filled_meanwhile_is_not_asked_for(rig: Rig) -> None:
    start, end = NOW - 5 * HOUR, NOW - HOUR
    await rig.bars(start + HOUR, end - HOUR)
    rig.provider.gate.clear()
    first = asyncio.create_task(rig.bars(start, end))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.create_task(rig.bars(end - HOUR, end))
    for _ in range(5):
        await asyncio.sleep(0)
    rig.provider.gate.set()
    await asyncio.gather(first, second)
    assert [one[:2] for one in rig.asked] == [
        (start + HOUR, end - HOUR),
        (start, start + HOUR),
        (end - HOUR, end),
    ]


async def test_a_larger_request_does_not_share_the_answer_to_a_smaller_one(rig: Rig) -> None:
    rig.provider.gate.clear()
    start = NOW - 5 * HOUR
    callers = [asyncio.create_task(rig.bars(start, NOW - HOUR, limit=limit)) for limit in (1, 100)]
    for _ in range(5):
        await asyncio.sleep(0)
    rig.provider.gate.set()
    found = await asyncio.gather(*callers)
    assert [len(one.bars) for one in found] == [1, 100]
    assert len(rig.asked) == 2


async def test_a_caller_who_gives_up_takes_nothing_from_the_others(rig: Rig) -> None:
    rig.provider.gate.clear()
    start, end = NOW - 5 * HOUR, NOW - HOUR
    first, second = (asyncio.create_task(rig.bars(start, end)) for _ in range(2))
    for _ in range(3):
        await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    rig.provider.gate.set()
    assert len((await second).bars) == 240
    assert len(rig.asked) == 1


async def test_what_everybody_gave_up_is_kept_all_the_same(rig: Rig) -> None:
    await given_up(rig)
    await rig.bars(NOW - 5 * HOUR, NOW - HOUR)
    assert len(rig.asked) == 1


async def test_a_failure_that_nobody_waits_for_any_more_troubles_nobody(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.provider.troubles.append(Unavailable("down", reason="MARKET_DATA_UNAVAILABLE"))
    await given_up(rig)
    gc.collect()
    assert caplog.records == []


async def given_up(rig: Rig) -> None:
    """A request whose caller has gone when its answer comes."""
    rig.provider.gate.clear()
    caller = asyncio.create_task(rig.bars(NOW - 5 * HOUR, NOW - HOUR))
    for _ in range(3):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    rig.provider.gate.set()
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_being_fetched_is_given_up_at_the_end(rig: Rig) -> None:
    rig.provider.gate.clear()
    caller = asyncio.create_task(rig.bars(NOW - 5 * HOUR, NOW - 4 * HOUR))
    for _ in range(3):
        await asyncio.sleep(0)
    await rig.catalogue.close()
    with pytest.raises(asyncio.CancelledError):
        await caller
