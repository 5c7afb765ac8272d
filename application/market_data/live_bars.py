"""Live bars of an interval that the provider does not push: each is read when it should be complete."""

from collections.abc import AsyncGenerator
from datetime import datetime

from application.market_data.bar_ranges import BarSeries, longest
from application.market_data.market_hours import expected_close
from application.ports.market_data import Subscribed
from domain.market_data.bar import Bar

_LOOKS = 6
_MOST_AT_ONCE = 1_000


async def bars_as_they_complete(series: BarSeries) -> AsyncGenerator[Bar | Subscribed, None]:
    """Complete bars from now on, oldest first, once the provider has answered a first request.

    A provider may have a bar some seconds late, and none where nothing was traded: it is asked a few times, and
    what it has later comes with the next bar. Raises what the provider raises.
    """
    clock, pause = series.market.clock, series.source.capabilities.poll_seconds
    given = clock.now()
    await _closed_after(series, given)
    yield Subscribed(series.source.symbol)
    while True:
        closes = expected_close(series.hours, series.interval, clock.now())
        if closes is None:
            return
        await clock.sleep((closes - clock.now()).total_seconds())
        for _ in range(_LOOKS):
            for bar in await _closed_after(series, given):
                given = bar.close_time
                yield bar
            if given >= closes:
                break
            await clock.sleep(pause)


async def _closed_after(series: BarSeries, after: datetime) -> list[Bar]:
    page = await series.between(after - longest(series.interval), series.market.clock.now(), _MOST_AT_ONCE)
    return [bar for bar in page.bars if not bar.partial and bar.close_time > after]
