"""A stream is a cursor: it reads recent events from memory and older ones from the store, each exactly once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from application.trading import event_feed
from application.trading.event_feed import EventFeed
from domain.errors import OutOfRange
from tests.support.engine import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = await House().open()
    yield house
    await house.close()


async def read_on(feed: EventFeed, after: int) -> list[int]:
    """Everything from the cursor to the end, page by page."""
    seen: list[int] = []
    while events := await feed.after(seen[-1] if seen else after):
        seen += [event.sequence for event in events]
    return seen


@pytest.mark.parametrize("start", [0, 1, 7, 19, 20])
async def test_a_cursor_gives_exactly_what_comes_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    monkeypatch.setattr(event_feed, "_PAGE", 3)
    for number in range(19):
        await house.place(str(number), quantity=1)
    assert await read_on(house.writer.feed, start) == list(range(start + 1, 21))


@pytest.mark.parametrize("start", [0, 5, 15, 18])
async def test_what_memory_has_let_go_of_is_read_from_the_store(
    house: House, monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    monkeypatch.setattr(event_feed, "_KEPT_EVENTS", 4)
    monkeypatch.setattr(event_feed, "_PAGE", 3)
    await house.restart()
    for number in range(19):
        await house.place(str(number), quantity=1)
    assert await read_on(house.writer.feed, start) == list(range(start + 1, 21))


async def test_a_cursor_reads_across_a_restart(house: House) -> None:
    for number in range(5):
        await house.place(str(number), quantity=1)
    await house.restart()
    for number in range(5, 9):
        await house.place(str(number), quantity=1)
    assert await read_on(house.writer.feed, 2) == list(range(3, 11))


async def test_a_cursor_at_the_end_is_given_nothing_and_one_beyond_it_is_refused(house: House) -> None:
    feed = house.writer.feed
    assert await feed.after(feed.last_sequence) == ()
    feed.require_reached(feed.last_sequence)
    with pytest.raises(OutOfRange):
        feed.require_reached(feed.last_sequence + 1)


async def test_waiting_ends_with_the_next_commit_and_otherwise_with_the_time_given(house: House) -> None:
    feed = house.writer.feed
    waiting = asyncio.create_task(feed.wait_beyond(feed.last_sequence, 30))
    await house.settle()
    assert not waiting.done()
    await house.place()
    async with asyncio.timeout(5):
        await waiting
        await feed.wait_beyond(feed.last_sequence, 0.01)
        await feed.wait_beyond(0, 30)


async def test_every_reader_is_given_every_event_whenever_it_looks(house: House) -> None:
    feed = house.writer.feed
    seen: list[list[int]] = [[] for _ in range(5)]

    async def follow(events: list[int], every: int) -> None:
        while len(events) < 30:
            await feed.wait_beyond(events[-1] if events else 1, 30)
            events += [event.sequence for event in await feed.after(events[-1] if events else 1)]
            for _ in range(every):
                await asyncio.sleep(0)

    readers = [asyncio.create_task(follow(events, number * 7)) for number, events in enumerate(seen)]
    for number in range(30):
        await house.place(str(number), quantity=1)
    async with asyncio.timeout(10):
        await asyncio.gather(*readers)
    assert seen == [list(range(2, 32))] * 5


async def test_a_gap_is_a_fault_of_ours_and_is_not_published(house: House) -> None:
    placed = await house.place()
    event = house.events[placed.sequence - 1]
    with pytest.raises(ValueError, match="does not follow"):
        house.writer.feed.publish(event)
