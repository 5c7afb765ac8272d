from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from application.market_data.bar_ranges import BarSeries
from application.market_data.bar_tape import BarTape
from application.market_data.market import Market
from domain.market_data.bar import Bar, BarInterval
from tests.support.market import FRIDAY_NOON, simulated

MINUTE = timedelta(minutes=1)
NOON = FRIDAY_NOON.replace(microsecond=0)


async def tape_of(market: Market, *symbols: str, start: datetime | None = None) -> BarTape:
    series = {symbol: BarSeries(market, await market.source(symbol), BarInterval.MINUTE_1) for symbol in symbols}
    return BarTape(series, start)


async def past(tape: BarTape) -> list[Bar]:
    return [bar async for bar in tape.past()]


async def test_without_a_start_nothing_is_past() -> None:
    _, _, market = simulated()
    assert await past(await tape_of(market, "AAPL")) == []


async def test_complete_bars_from_the_start_are_given_once_and_later_ones_when_asked_again() -> None:
    clock, _, market = simulated()
    tape = await tape_of(market, "AAPL", "MSFT", start=NOON - 3 * MINUTE)
    bars = await past(tape)
    assert [(bar.symbol, bar.open_time) for bar in bars] == [
        (symbol, NOON - count * MINUTE) for symbol in ("AAPL", "MSFT") for count in (3, 2, 1)
    ]
    assert await past(tape) == []
    clock.advance(60)
    assert [bar.open_time for bar in await past(tape)] == [NOON, NOON]


async def test_more_than_a_page_of_bars_comes_without_a_gap() -> None:
    _, _, market = simulated()
    bars = await past(await tape_of(market, "AAPL", start=NOON - timedelta(days=7)))
    assert len(bars) == 5 * 390
    assert all(earlier.open_time < later.open_time for earlier, later in pairwise(bars))


async def test_live_bars_that_were_given_before_or_are_older_than_the_start_are_not_wanted() -> None:
    _, _, market = simulated()
    tape = await tape_of(market, "AAPL", "MSFT", start=NOON - MINUTE)
    given = (await past(tape))[0]
    assert not tape.wants(given)
    assert not tape.wants(replace(given, open_time=NOON - 2 * MINUTE))
    following = replace(given, open_time=NOON)
    assert tape.wants(replace(following, partial=True))
    assert tape.wants(replace(following, partial=True))
    assert tape.wants(following)
    assert not tape.wants(replace(following, partial=True))
