from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.simulation_catalogue import LISTINGS
from adapters.market_data.simulation_sessions import FIRST_YEAR, SessionCalendar
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

HOURS = {
    "stocks": LISTINGS["AAPL"].instrument.hours,
    "currencies": LISTINGS["EUR/USD"].instrument.hours,
    "always open": ALWAYS_OPEN,
    "nights": TradingHours("Europe/Berlin", time(22), time(6), frozenset(range(5))),
}
CALENDARS = {name: SessionCalendar(hours) for name, hours in HOURS.items()}
NAMES = st.sampled_from(sorted(HOURS))
START = datetime(FIRST_YEAR, 1, 5, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=15_000)).map(lambda since: START + since)


@given(NAMES, MOMENTS)
def test_the_session_before_a_moment_is_the_one_of_the_trading_hours(name: str, moment: datetime) -> None:
    day = CALENDARS[name].before(moment)
    running = HOURS[name].session_at(moment)
    assert day is not None
    assert day.open <= moment
    assert ((day.open, day.close) == (running.open, running.close)) if running else day.close <= moment
    assert HOURS[name].next_session(day.close).open > moment


@given(NAMES, MOMENTS)
def test_sessions_follow_each_other_as_the_trading_hours_say(name: str, moment: datetime) -> None:
    days = list(islice(CALENDARS[name].since(moment), 400))
    assert days[0].open >= moment
    for day, following in pairwise(days):
        assert following.open == HOURS[name].next_session(day.close).open
        assert following.number > day.number


@given(NAMES, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=20)))
def test_sessions_of_a_range_are_found_by_their_open_or_by_any_moment(
    name: str, start: datetime, span: timedelta
) -> None:
    end = start + span
    calendar = CALENDARS[name]
    nearby = calendar.between(start - timedelta(days=9), end + timedelta(days=9))
    assert calendar.between(start, end) == [day for day in nearby if start <= day.open < end]
    assert list(calendar.overlapping(start, end)) == [
        day for day in nearby if day.close > start and day.open < end and (span or day.open < start)
    ]


def test_sunday_evening_trades_for_monday() -> None:
    day = CALENDARS["currencies"].before(datetime(2026, 3, 1, 22, 30, tzinfo=UTC))
    assert day is not None
    assert day.date == date(2026, 3, 2)
    assert day.open == datetime(2026, 3, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 7), 8), (date(2026, 3, 29), 7), (date(2026, 10, 25), 9)])
def test_a_session_has_the_minutes_that_pass_also_when_clocks_change(day: date, hours: int) -> None:
    calendar = SessionCalendar(TradingHours("Europe/Berlin", time(22), time(6), frozenset(range(7))))
    night = calendar.before(datetime(day.year, day.month, day.day, 3, tzinfo=UTC))
    assert night is not None
    assert night.date == day
    assert night.minutes == hours * 60


def test_there_is_nothing_before_the_first_year() -> None:
    assert CALENDARS["stocks"].before(datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)) is None
    first = next(CALENDARS["stocks"].since(datetime(1980, 1, 1, tzinfo=UTC)))
    assert first.date == date(FIRST_YEAR, 1, 3)
