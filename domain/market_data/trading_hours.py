"""When a venue trades: one daily session in the venue's own time zone, or around the clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session, in UTC; `open` is inside it, `close` is not."""

    open: datetime
    close: datetime


@dataclass(frozen=True, slots=True)
class TradingHours:
    """A session from `opens` to `closes` (venue time) on each of `weekdays` (0 is Monday), but for `holidays`.

    Equal `opens` and `closes` mean a session of 24 hours from that time of day. `early_closes` are pairs of a day
    and the time at which its session ends. Where the venue also trades before and after the session, that begins
    at `pre_market_opens` and ends at `post_market_closes`.
    """

    time_zone: str
    opens: time
    closes: time
    weekdays: frozenset[int]
    holidays: frozenset[date] = frozenset()
    early_closes: frozenset[tuple[date, time]] = frozenset()
    pre_market_opens: time | None = None
    post_market_closes: time | None = None

    def session_at(self, at: datetime) -> Session | None:
        """The session that `at` (aware) falls in, or None when the venue is closed then."""
        session = self.next_session(at)
        return session if session.open <= at else None

    def next_session(self, at: datetime) -> Session:
        """The session that is running at `at`, or the first one after it."""
        for session in self._sessions_since(at):
            return session
        raise ValueError(f"no session within {_LONGEST_CLOSURE_DAYS} days of {at.isoformat()}")

    def sessions(self, at: datetime) -> Iterator[Session]:
        """The session that is running at `at`, and all later ones that the calendar knows."""
        try:
            yield from self._sessions_since(at)
        except OverflowError:
            return

    def extended(self) -> "TradingHours":
        """The hours with all trading before and after the session in them, as sessions of their own length.

        On a day of an early close, trading after the session ends earlier by as much.
        """
        closes = self.post_market_closes or self.closes
        later = _since_midnight(closes) - _since_midnight(self.closes)
        return replace(
            self,
            opens=self.pre_market_opens or self.opens,
            closes=closes,
            early_closes=frozenset((day, _moved(early, later)) for day, early in self.early_closes),
            pre_market_opens=None,
            post_market_closes=None,
        )

    def _sessions_since(self, at: datetime) -> Iterator[Session]:
        day = at.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)
        closed = 0
        while closed < _LONGEST_CLOSURE_DAYS:
            session = self._session_on(day)
            if session is not None and session.close > at:
                closed = 0
                yield session
            else:
                closed += 1
            day += timedelta(days=1)

    def _session_on(self, day: date) -> Session | None:
        if day.weekday() not in self.weekdays or day in self.holidays:
            return None
        zone = ZoneInfo(self.time_zone)
        closes = _by_day(self.early_closes).get(day, self.closes) if self.early_closes else self.closes
        close_day = day if closes > self.opens else day + timedelta(days=1)
        return Session(
            datetime.combine(day, self.opens, zone).astimezone(UTC),
            datetime.combine(close_day, closes, zone).astimezone(UTC),
        )


_LONGEST_CLOSURE_DAYS = 15


@lru_cache
def _by_day(early_closes: frozenset[tuple[date, time]]) -> Mapping[date, time]:
    return dict(early_closes)


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second)


def _moved(at: time, by: timedelta) -> time:
    return (datetime.combine(date(2000, 1, 1), at) + by).time()


ALWAYS_OPEN = TradingHours("UTC", time(0), time(0), frozenset(range(7)))
