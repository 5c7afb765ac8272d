"""When a venue trades: one daily session in the venue's own time zone, or around the clock."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session, in UTC; `open` is inside it, `close` is not."""

    open: datetime
    close: datetime


@dataclass(frozen=True, slots=True)
class TradingHours:
    """A session from `opens` to `closes` (venue time) on each of `weekdays` (0 is Monday), but for `holidays`.

    Equal `opens` and `closes` mean a session of 24 hours from that time of day.
    """

    time_zone: str
    opens: time
    closes: time
    weekdays: frozenset[int]
    holidays: frozenset[date] = frozenset()

    def session_at(self, at: datetime) -> Session | None:
        """The session that `at` (aware) falls in, or None when the venue is closed then."""
        session = self.next_session(at)
        return session if session.open <= at else None

    def next_session(self, at: datetime) -> Session:
        """The session that is running at `at`, or the first one after it."""
        day = at.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)
        for _ in range(_LONGEST_CLOSURE_DAYS):
            session = self._session_on(day)
            if session is not None and session.close > at:
                return session
            day += timedelta(days=1)
        raise ValueError(f"no session within {_LONGEST_CLOSURE_DAYS} days of {at.isoformat()}")

    def _session_on(self, day: date) -> Session | None:
        if day.weekday() not in self.weekdays or day in self.holidays:
            return None
        zone = ZoneInfo(self.time_zone)
        close_day = day if self.closes > self.opens else day + timedelta(days=1)
        return Session(
            datetime.combine(day, self.opens, zone).astimezone(UTC),
            datetime.combine(close_day, self.closes, zone).astimezone(UTC),
        )


_LONGEST_CLOSURE_DAYS = 15

ALWAYS_OPEN = TradingHours("UTC", time(0), time(0), frozenset(range(7)))
