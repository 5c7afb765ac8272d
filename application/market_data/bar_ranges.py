"""Bars that are asked for by something other than a start: the newest ones, and the one that is running."""

from datetime import UTC, datetime, timedelta

from application.market_data.market import Market
from application.market_data.market_hours import last_session_before
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
_LONGEST_SILENCE = timedelta(days=62)
_LONGEST_PERIODS = {
    BarInterval.DAY_1: timedelta(days=1),
    BarInterval.WEEK_1: timedelta(days=7),
    BarInterval.MONTH_1: timedelta(days=31),
}
_MOST_RUNNING = 32


def longest(interval: BarInterval) -> timedelta:
    """The longest span that one bar of the interval can cover."""
    return interval.fixed_length or _LONGEST_PERIODS[interval]


async def newest_bars(
    market: Market, instrument: Instrument, interval: BarInterval, end: datetime, count: int
) -> list[Bar]:
    """The last `count` bars that open before `end`, oldest first.

    A provider is asked for ranges, so this walks back in steps that can hold what is still missing, from
    session to session, and ends where so long a span is empty that nothing can lie before it.
    """
    found: list[Bar] = []
    asked = count
    while len(found) < count and end > EARLIEST:
        asked = max(asked, count - len(found))
        start = max(EARLIEST, end - asked * longest(interval))
        page = await market.data.bars(instrument.symbol, interval, start, end, count + asked)
        if page:
            found[:0] = page
            end, asked = start, count - len(found)
        elif end - start >= _LONGEST_SILENCE:
            break
        else:
            end, asked = _last_trading(instrument, start), 2 * asked
    return found[-count:]


async def running_bar(market: Market, symbol: str, interval: BarInterval) -> Bar | None:
    """The bar that is not over yet; None when none is running, or nothing has traded in it."""
    now = market.clock.now()
    start = now - longest(interval) - _INSTANT
    bars = await market.data.bars(symbol, interval, start, now + _INSTANT, _MOST_RUNNING)
    return bars[-1] if bars and bars[-1].partial else None


def _last_trading(instrument: Instrument, before: datetime) -> datetime:
    """`before`, or the close of the last session where the market was closed then."""
    session = last_session_before(instrument.hours, before)
    return before if session is None else min(before, session.close)
