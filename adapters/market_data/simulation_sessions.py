"""The sessions of one venue, numbered by trading day."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from zoneinfo import ZoneInfo

from domain.market_data.trading_hours import TradingHours

FIRST_YEAR = 2000
_EPOCH = date(1970, 1, 1)
_INSTANT = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
_YEARS_KEPT = 64


@dataclass(frozen=True, slots=True)
class TradingDay:
    """One session: `date` is the venue's on which it closes, so that Sunday evening belongs to Monday."""

    date: date
    number: int
    open: datetime
    close: datetime
    minutes: int


class SessionCalendar:
    """The sessions of `hours` since the start of FIRST_YEAR, found by time."""

    def __init__(self, hours: TradingHours) -> None:
        self._hours = hours
        self._zone = ZoneInfo(hours.time_zone)
        self._year = lru_cache(_YEARS_KEPT)(self._sessions_of_year)

    def before(self, moment: datetime) -> TradingDay | None:
        """The last session that opened at or before `moment`, over or not; None before the first of all."""
        year = moment.astimezone(UTC).year
        while year >= FIRST_YEAR:
            opens, days = self._year(year)
            position = bisect_right(opens, moment)
            if position:
                return days[position - 1]
            year -= 1
        return None

    def since(self, moment: datetime) -> Iterator[TradingDay]:
        """The sessions that open at or after `moment`, without an end."""
        year = max(FIRST_YEAR, moment.astimezone(UTC).year)
        opens, days = self._year(year)
        yield from days[bisect_left(opens, moment) :]
        while True:
            year += 1
            yield from self._year(year)[1]

    def between(self, start: datetime, end: datetime) -> list[TradingDay]:
        """The sessions that open in [start, end)."""
        return list(takewhile(lambda day: day.open < end, self.since(start)))

    def overlapping(self, start: datetime, end: datetime) -> Iterator[TradingDay]:
        """The sessions that have a moment in [start, end)."""
        running = self.before(start)
        if running is not None and running.open < start < running.close:
            yield running
        yield from takewhile(lambda day: day.open < end, self.since(start))

    def _sessions_of_year(self, year: int) -> tuple[list[datetime], list[TradingDay]]:
        """Every session that opens in `year` of UTC, with the opens alone beside them for searching."""
        days = []
        moment, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
        while (session := self._hours.next_session(moment)).open < end:
            if session.open.year == year:
                days.append(self._day(session.open, session.close))
            moment = session.close
        return [day.open for day in days], days

    def _day(self, opens: datetime, closes: datetime) -> TradingDay:
        on = (closes - _INSTANT).astimezone(self._zone).date()
        return TradingDay(on, (on - _EPOCH).days, opens, closes, (closes - opens) // _MINUTE)
