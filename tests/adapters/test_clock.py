import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import AcceleratedClock, ManualClock, SystemClock
from application.ports.clock import Clock

START = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
JUMPS = st.lists(st.integers(-10_000_000, 10_000_000), max_size=30)


def test_the_system_clock_shows_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    assert before <= now <= datetime.now(UTC)
    assert now.utcoffset() == timedelta(0)


@given(JUMPS)
def test_the_system_clock_never_goes_backwards_whatever_the_machine_does(microseconds: list[int]) -> None:
    moments = [START + timedelta(microseconds=jump) for jump in [0, *microseconds]]
    readings = iter(moments)
    clock = SystemClock(lambda: next(readings))
    shown = [clock.now() for _ in microseconds]
    assert shown == sorted(shown)


def test_the_system_clock_runs_on_after_the_machine_was_set_back() -> None:
    readings = iter(START + timedelta(seconds=seconds) for seconds in (0, 10, -3600, -3595))
    clock = SystemClock(lambda: next(readings))
    assert [clock.now() - START for _ in range(3)] == [timedelta(seconds=seconds) for seconds in (10, 10, 15)]


@pytest.mark.parametrize("clock", [SystemClock(), AcceleratedClock(200.0, START)], ids=["system", "accelerated"])
async def test_a_sleep_lasts_at_least_its_time_on_the_clock(clock: Clock) -> None:
    for seconds in (0.0, 0.003, 0.0301):
        before = clock.now()
        await clock.sleep(seconds)
        assert clock.now() - before >= timedelta(seconds=seconds)


@pytest.mark.parametrize("clock", [SystemClock(), AcceleratedClock(200.0, START)], ids=["system", "accelerated"])
async def test_a_timer_runs_once_and_not_before_its_time(clock: Clock) -> None:
    ran: list[datetime] = []
    due = clock.now() + timedelta(seconds=0.05)
    clock.call_later(0.05, lambda: ran.append(clock.now()))
    await asyncio.sleep(0.1)
    assert len(ran) == 1
    assert ran[0] >= due


@pytest.mark.parametrize("speed", [1.0, 200.0])
def test_no_wait_is_shorter_than_what_the_loop_can_tell_from_none(speed: float) -> None:
    clock = AcceleratedClock(speed, START)
    assert [clock.wait_for(seconds) for seconds in (-1.0, 0.0)] == [0.0, 0.0]
    assert clock.wait_for(0.0001) == 0.001
    assert clock.wait_for(2.0 * speed) == 2.0


async def test_a_timer_that_is_cancelled_never_runs() -> None:
    clock = SystemClock()
    ran: list[str] = []
    timer = clock.call_later(0.005, lambda: ran.append("cancelled"))
    clock.call_later(0.01, lambda: ran.append("kept"))
    timer.cancel()
    await clock.sleep(0.03)
    timer.cancel()
    assert ran == ["kept"]


def test_an_accelerated_clock_multiplies_real_time() -> None:
    real = 5.0
    clock = AcceleratedClock(60.0, START, monotonic=lambda: real)
    assert clock.now() == START
    real += 2.0
    assert clock.now() == START + timedelta(minutes=2)


async def test_an_accelerated_clock_sleeps_an_hour_in_a_moment() -> None:
    clock = AcceleratedClock(100_000.0, START)
    async with asyncio.timeout(5):
        await clock.sleep(3600)
    assert clock.now() >= START + timedelta(hours=1)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_that_is_not_above_zero_is_refused_by_name(speed: float) -> None:
    with pytest.raises(ValueError, match="speed: must be above 0"):
        AcceleratedClock(speed, START)


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(START)
    assert clock.now() == clock.now() == START
    clock.advance(1.5)
    assert clock.now() == START + timedelta(seconds=1.5)


def test_a_manual_clock_does_not_go_backwards() -> None:
    clock = ManualClock(START)
    with pytest.raises(ValueError, match="never goes backwards"):
        clock.advance(-1)
    assert clock.now() == START


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(0, 20))
def test_a_manual_clock_runs_exactly_the_due_timers_in_order_each_at_its_time(delays: list[int], until: int) -> None:
    clock = ManualClock(START)
    ran: list[tuple[int, int]] = []

    def note(delay: int, number: int) -> None:
        assert clock.now() == START + timedelta(seconds=delay)
        ran.append((delay, number))

    for number, delay in enumerate(delays):
        clock.call_later(delay, lambda delay=delay, number=number: note(delay, number))  # type: ignore[misc]
    clock.advance(until)
    assert ran == sorted((delay, number) for number, delay in enumerate(delays) if delay <= until)


def test_a_timer_set_by_a_timer_runs_within_the_same_advance() -> None:
    clock = ManualClock(START)
    ran: list[datetime] = []

    def again() -> None:
        ran.append(clock.now())
        clock.call_later(10, again)

    clock.call_later(10, again)
    clock.advance(35)
    assert ran == [START + timedelta(seconds=seconds) for seconds in (10, 20, 30)]


def test_a_cancelled_manual_timer_is_forgotten() -> None:
    clock = ManualClock(START)
    ran: list[str] = []
    clock.call_later(1, lambda: ran.append("cancelled")).cancel()
    clock.advance(2)
    assert ran == []


async def test_sleepers_on_a_manual_clock_wake_in_the_order_of_their_times() -> None:
    clock = ManualClock(START)
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as tasks:
        for seconds in (3, 1, 0, 2):
            tasks.create_task(sleeper(seconds))
        await asyncio.sleep(0.001)
        assert woken == [0]
        clock.advance(2)
        await asyncio.sleep(0.001)
        assert woken == [0, 1, 2]
        clock.advance(1)
    assert woken == [0, 1, 2, 3]


async def test_a_cancelled_sleep_leaves_nothing_behind() -> None:
    clock = ManualClock(START)
    task = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    clock.advance(10)
