"""When decisions wait for more callers, and when they do not."""

import asyncio

import pytest

from application.trading.crowd import Crowd

_CALLERS = 8
_LONGEST_SECONDS = 1.0


def come(crowd: Crowd, callers: int) -> None:
    for _ in range(callers):
        crowd.came()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def crowd() -> Crowd:
    crowd = Crowd()
    crowd.answered(_CALLERS)
    return crowd


async def test_one_caller_alone_never_waits() -> None:
    crowd = Crowd()
    for _ in range(10):
        come(crowd, 1)
        waiting = crowd.gathered()
        with pytest.raises(StopIteration):
            waiting.send(None)
        crowd.answered(1)


async def test_decisions_wait_until_as_many_as_were_answered_are_back(crowd: Crowd) -> None:
    waiting = asyncio.create_task(crowd.gathered())
    await settle()
    come(crowd, _CALLERS - 1)
    await settle()
    assert not waiting.done()
    come(crowd, 1)
    await settle()
    assert waiting.done()


async def test_nobody_waits_when_all_are_back_already(crowd: Crowd) -> None:
    come(crowd, _CALLERS)
    waiting = crowd.gathered()
    with pytest.raises(StopIteration):
        waiting.send(None)


async def test_all_accounts_whose_callers_have_come_are_let_in_together(crowd: Crowd) -> None:
    come(crowd, _CALLERS)
    writers = [asyncio.create_task(crowd.gathered()) for _ in range(4)]
    await asyncio.sleep(0)
    assert all(writer.done() for writer in writers)
    late = asyncio.create_task(crowd.gathered())
    await settle()
    assert not late.done()
    come(crowd, _CALLERS)
    await late


async def test_an_account_of_which_the_last_caller_is_goes_on_with_those_that_waited(crowd: Crowd) -> None:
    waiting = asyncio.create_task(crowd.gathered())
    await settle()
    last = asyncio.create_task(crowd.gathered())  # its writer is on the way when its caller completes the crowd
    come(crowd, _CALLERS)
    await asyncio.sleep(0)
    assert last.done()
    await waiting


async def test_those_who_came_while_others_were_answered_are_expected_with_them() -> None:
    crowd = Crowd()
    come(crowd, 3)
    crowd.answered(5)
    waiting = asyncio.create_task(crowd.gathered())
    await settle()
    come(crowd, 4)
    await settle()
    assert not waiting.done()
    come(crowd, 1)
    await settle()
    assert waiting.done()


async def test_the_wait_ends_when_nobody_comes_any_more(crowd: Crowd) -> None:
    come(crowd, 2)
    await asyncio.wait_for(crowd.gathered(), _LONGEST_SECONDS)


async def test_the_wait_ends_when_nobody_comes_at_all(crowd: Crowd) -> None:
    await asyncio.wait_for(crowd.gathered(), _LONGEST_SECONDS)


async def test_the_wait_ends_though_callers_come_and_come_but_never_all(crowd: Crowd) -> None:
    crowd.answered(1_000_000)
    waiting = asyncio.create_task(crowd.gathered())

    async def trickle() -> None:
        while not waiting.done():
            crowd.came()
            await asyncio.sleep(0.0001)

    await asyncio.wait_for(asyncio.gather(waiting, trickle()), _LONGEST_SECONDS)


async def test_a_crowd_that_has_gone_is_not_waited_for_in_the_end(crowd: Crowd) -> None:
    for _ in range(20):
        crowd.answered(1)
    waiting = crowd.gathered()
    with pytest.raises(StopIteration):
        waiting.send(None)


async def test_one_who_stops_waiting_leaves_the_others_waiting(crowd: Crowd) -> None:
    one, other = asyncio.create_task(crowd.gathered()), asyncio.create_task(crowd.gathered())
    await settle()
    one.cancel()
    await settle()
    assert one.cancelled()
    assert not other.done()
    come(crowd, _CALLERS)
    await settle()
    assert other.done()
    assert not other.cancelled()
