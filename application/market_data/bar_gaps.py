"""Where bars should be and are not: spans in which the market was open and no bar was given."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from itertools import pairwise

from application.market_data.market_hours import expected_open, last_session_before, sessions_from
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.trading_hours import TradingHours


class GapReason(Enum):
    NO_TRADES = "NO_TRADES"
    OUTSIDE_HISTORY = "OUTSIDE_HISTORY"
    INVALID_DATA = "INVALID_DATA"
    MISSING = "MISSING"


@dataclass(frozen=True, slots=True)
class BarGap:
    """[start, end) begins where the first missing bar should open and ends where the last one should close."""

    start: datetime
    end: datetime
    reason: GapReason = GapReason.NO_TRADES


def gaps_between(hours: TradingHours, bars: Sequence[Bar]) -> Iterator[BarGap]:
    """The gaps between `bars`, which are of one interval and in order."""
    sessions = sessions_from(hours, bars[0].close_time) if bars else iter(())
    session = next(sessions, None)
    for before, after in pairwise(bars):
        while session is not None and session.close <= before.close_time:
            session = next(sessions, None)
        if session is None or session.open >= after.open_time or before.close_time >= after.open_time:
            continue
        start = max(session.open, before.close_time)
        end = min(session.close, after.open_time)
        while session is not None and session.close <= after.open_time:
            end = session.close
            session = next(sessions, None)
        if session is not None and session.open < after.open_time:
            end = after.open_time
        yield BarGap(start, end)


def gap_at_start(hours: TradingHours, interval: BarInterval, start: datetime, first: datetime) -> BarGap | None:
    """What is missing between `start`, where nothing need open, and the `first` bar's open."""
    expected = expected_open(hours, interval, start)
    if expected is None or expected >= first:
        return None
    last = last_session_before(hours, first)
    return BarGap(expected, first if last is None else min(first, last.close))


def gap_at_end(hours: TradingHours, last: Bar, until: datetime) -> list[BarGap]:
    """What is missing between the `last` bar and `until`, which lies not in the future.

    Of bars of a day and longer nothing is: only the next one shows that the days before it had none.
    """
    length, session = last.interval.fixed_length, last_session_before(hours, until)
    missing = expected_open(hours, last.interval, last.close_time)
    if length is None or session is None or missing is None:
        return []
    over = session.close if session.close <= until else until - (until - session.open) % length
    return [BarGap(missing, over)] if missing < over else []


def invalid_gaps(gaps: Iterable[BarGap], invalid: Sequence[tuple[datetime, datetime]]) -> Iterator[BarGap]:
    """`gaps` cut where bars were thrown away: those spans, in order and apart, have a reason of their own."""
    for gap in gaps:
        at = gap.start
        for start, end in invalid:
            start, end = max(start, at), min(end, gap.end)
            if start < end:
                if at < start:
                    yield replace(gap, start=at, end=start)
                yield BarGap(start, end, GapReason.INVALID_DATA)
                at = end
        if at < gap.end:
            yield replace(gap, start=at)
