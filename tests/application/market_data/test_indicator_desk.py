"""Calculations beside the event loop."""

import asyncio
import threading

from application.market_data.indicator_desk import IndicatorDesk
from tests.support.indicators import INDICATORS


async def test_few_run_at_a_time_and_the_event_loop_goes_on() -> None:
    desk = IndicatorDesk(INDICATORS)
    go = threading.Event()
    begun = threading.Semaphore(0)
    running: list[str] = []

    def work() -> None:
        running.append(threading.current_thread().name)
        begun.release()
        assert go.wait(5)

    tasks = [asyncio.create_task(desk.run(work)) for _ in range(5)]
    for _ in range(2):
        assert await asyncio.to_thread(begun.acquire, timeout=5)
    assert not await asyncio.to_thread(begun.acquire, timeout=0.02)
    assert all(name.startswith("indicators") for name in running)
    tasks[4].cancel()
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(*tasks[:4])
    assert len(running) == 4
    desk.close()


async def test_what_a_calculation_raises_reaches_who_asked_for_it() -> None:
    desk = IndicatorDesk(INDICATORS)
    error = await asyncio.gather(desk.run(int, "x"), return_exceptions=True)
    assert isinstance(error[0], ValueError)
    desk.close()
