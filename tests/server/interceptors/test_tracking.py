"""What is under way, and waiting for it at a shutdown."""

import asyncio

import pytest

from domain.errors import Throttled, Unavailable
from server.interceptors.tracking import Lifecycle


async def test_a_shutdown_waits_for_the_calls_under_way() -> None:
    life = Lifecycle()
    life.enter()
    life.stop()
    assert not await life.drained(0.01)
    asyncio.get_running_loop().call_later(0.01, life.leave)
    assert await life.drained(1)


async def test_with_nothing_under_way_there_is_nothing_to_wait_for() -> None:
    life = Lifecycle()
    life.stop()
    assert await life.drained(0)


async def test_no_call_begins_once_it_stops() -> None:
    life = Lifecycle()
    life.stop()
    with pytest.raises(Unavailable) as refused:
        life.enter()
    assert refused.value.reason == "SERVER_STOPPING"
    assert life.under_way == 0


async def test_work_that_outlives_its_call_is_waited_for() -> None:
    life, done = Lifecycle(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.02)
        done.set()

    life.finish(work(), "work")
    life.stop()
    assert await life.drained(1)
    assert done.is_set()


async def test_listeners_hear_of_the_stop_while_they_listen() -> None:
    life, heard = Lifecycle(), []
    with life.at_stop(lambda: heard.append("one")):
        with life.at_stop(lambda: heard.append("two")):
            pass
        life.stop()
    assert heard == ["one"]


async def test_each_address_has_so_many_streams_and_the_next_once_one_has_ended() -> None:
    life = Lifecycle(most_streams=2)
    with life.stream_of("ipv4:10.0.0.1:5001"):
        with life.stream_of("ipv4:10.0.0.1:5002"):
            with pytest.raises(Throttled) as refused, life.stream_of("ipv4:10.0.0.1:5003"):
                raise AssertionError("one too many")
            with life.stream_of("ipv4:10.0.0.2:5001"):
                pass
        with life.stream_of("ipv4:10.0.0.1:5003"):
            pass
    assert (refused.value.reason, refused.value.retry_after_seconds) == ("QUOTA_EXCEEDED", 1.0)


async def test_a_stream_that_fails_no_longer_counts() -> None:
    life = Lifecycle(most_streams=1)
    with pytest.raises(ValueError, match="broken"), life.stream_of("ipv4:10.0.0.1:5001"):
        raise ValueError("broken")
    with life.stream_of("ipv4:10.0.0.1:5001"):
        pass
