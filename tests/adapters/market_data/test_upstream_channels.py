import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import pytest

from adapters.market_data.upstream_channels import Upstream
from application.ports.market_data import Subscribed
from domain.errors import Unavailable

T = TypeVar("T")

LOST = Unavailable("the socket is lost", reason="MARKET_DATA_UNAVAILABLE")


async def started(items: AsyncGenerator[T, None]) -> asyncio.Task[T]:
    """Waits for the first item, and is registered."""
    first = asyncio.ensure_future(anext(items))
    await asyncio.sleep(0)
    return first


async def test_readers_of_a_key_share_it_and_each_gets_every_item() -> None:
    upstream = Upstream[str](conflate=False)
    async with aclosing(upstream.open(["A", "B"])) as both, aclosing(upstream.open(["A"])) as one:
        firsts = await started(both), await started(one)
        for key, item in (("A", "a1"), ("B", "b1"), ("A", "a2"), ("C", "c1")):
            upstream.publish(key, item)
        assert [await firsts[0], await anext(both), await anext(both)] == ["a1", "b1", "a2"]
        assert [await firsts[1], await anext(one)] == ["a1", "a2"]


async def test_a_slow_reader_of_a_conflated_channel_sees_the_newest_of_each_key() -> None:
    upstream = Upstream[str](conflate=True, most_waiting=2)
    async with aclosing(upstream.open(["A", "B"])) as items:
        first = await started(items)
        upstream.publish("A", "a0")
        assert await first == "a0"
        for number in range(1000):
            upstream.publish("B", f"b{number}")
            upstream.publish("A", f"a{number}")
        assert [await anext(items), await anext(items)] == ["b999", "a999"]


async def test_a_reader_that_stays_behind_is_ended_and_its_buffer_does_not_grow() -> None:
    upstream = Upstream[str](conflate=False, most_waiting=3)
    async with aclosing(upstream.open(["A"])) as items:
        first = await started(items)
        for number in range(100):
            upstream.publish("A", f"a{number}")
        assert upstream.wanted == frozenset()
        assert [await first, *[await anext(items) for _ in range(3)]] == ["a0", "a1", "a2", "a3"]
        with pytest.raises(Unavailable, match="behind") as failure:
            await anext(items)
    assert failure.value.reason == "MARKET_DATA_UNAVAILABLE"


async def test_what_is_wanted_follows_the_readers_and_is_told_when_it_changes() -> None:
    upstream = Upstream[str](conflate=True)
    seen: list[list[str]] = []
    upstream.on_change = lambda: seen.append(sorted(upstream.wanted))
    first, second = upstream.open(["A", "B"]), upstream.open(["B"])
    assert upstream.wanted == frozenset()
    waiting = await started(first), await started(second)
    assert seen == [["A", "B"]]
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert seen == [["A", "B"], ["B"], []]
    await first.aclose()
    await second.aclose()


async def test_an_iterator_that_is_closed_is_wanted_no_more() -> None:
    upstream = Upstream[str](conflate=False)
    items = upstream.open(["A"])
    first = await started(items)
    upstream.publish("A", "a1")
    assert await first == "a1"
    await items.aclose()
    assert upstream.wanted == frozenset()


async def test_a_failure_ends_every_iterator_after_what_waits_and_later_ones_begin_anew() -> None:
    upstream = Upstream[str](conflate=False)
    items = upstream.open(["A"])
    first = await started(items)
    upstream.publish("A", "a1")
    upstream.fail(LOST)
    upstream.publish("A", "late")
    assert await first == "a1"
    with pytest.raises(Unavailable, match="lost"):
        await anext(items)
    async with aclosing(upstream.open(["A"])) as again:
        waiting = await started(again)
        upstream.publish("A", "a2")
        assert await waiting == "a2"


async def test_a_failure_wakes_a_reader_that_waits() -> None:
    upstream = Upstream[str](conflate=True)
    waiting = await started(upstream.open(["A"]))
    upstream.fail(LOST)
    with pytest.raises(Unavailable):
        await waiting
    assert upstream.wanted == frozenset()


async def test_closing_ends_every_iterator_and_later_ones_at_once() -> None:
    upstream = Upstream[str](conflate=False)
    waiting = await started(upstream.open(["A"]))
    upstream.close()
    with pytest.raises(StopAsyncIteration):
        await waiting
    assert [item async for item in upstream.open(["A"])] == []
    assert upstream.wanted == frozenset()


async def test_what_the_source_confirms_is_said_once_to_each_reader_in_front_of_the_items() -> None:
    upstream = Upstream[str](conflate=True)
    async with aclosing(upstream.open(["A", "B"])) as both:
        first = await started(both)
        upstream.publish("A", "a1")
        upstream.confirm(["A", "C"])
        upstream.confirm(["A"])
        assert [await first, await anext(both)] == [Subscribed("A"), "a1"]
        async with aclosing(upstream.open(["A"])) as late:
            assert await anext(late) == Subscribed("A")
        upstream.confirm(["B"])
        assert await anext(both) == Subscribed("B")


@pytest.mark.parametrize("fails", [True, False])
async def test_what_was_confirmed_counts_no_more_once_it_failed_or_nobody_wanted_it(fails: bool) -> None:
    upstream = Upstream[str](conflate=False)
    async with aclosing(upstream.open(["A"])) as items:
        first = await started(items)
        upstream.confirm(["A"])
        assert await first == Subscribed("A")
        if fails:
            upstream.fail(LOST)
    upstream.confirm(["A"])
    async with aclosing(upstream.open(["A"])) as again:
        following = await started(again)
        upstream.publish("A", "a1")
        assert await following == "a1"
