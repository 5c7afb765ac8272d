from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.trading_hours import ALWAYS_OPEN, Session, TradingHours

WORKDAYS = frozenset(range(5))
NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), WORKDAYS, frozenset({date(2026, 11, 26)}))
DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))
NIGHT_SHIFT = TradingHours("Europe/Berlin", time(22), time(6), WORKDAYS)
SYDNEY = TradingHours("Australia/Sydney", time(10), time(16), WORKDAYS)
EVERY_KIND = st.sampled_from([NEW_YORK, DEALERS, NIGHT_SHIFT, SYDNEY, ALWAYS_OPEN])
START = datetime(2000, 1, 2, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=18_000)).map(lambda since: START + since)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        pytest.param("2026-03-06", "14:30", "21:00", id="standard time"),
        pytest.param("2026-03-09", "13:30", "20:00", id="the Monday after clocks go forward"),
        pytest.param("2026-10-30", "13:30", "20:00", id="daylight saving time"),
        pytest.param("2026-11-02", "14:30", "21:00", id="the Monday after clocks go back"),
    ],
)
def test_a_session_follows_the_venues_clock_over_changes_of_daylight_saving(day: str, opens: str, closes: str) -> None:
    expected = Session(utc(f"{day} {opens}"), utc(f"{day} {closes}"))
    assert NEW_YORK.session_at(expected.open) == expected
    assert NEW_YORK.next_session(utc(f"{day} 00:00")) == expected


def test_the_open_is_inside_a_session_and_the_close_is_not() -> None:
    moment = timedelta(microseconds=1)
    opens, closes = utc("2026-03-06 14:30"), utc("2026-03-06 21:00")
    inside = [NEW_YORK.session_at(at) is not None for at in (opens - moment, opens, closes - moment, closes)]
    assert inside == [False, True, True, False]


@pytest.mark.parametrize("closed", ["2026-03-07 15:00", "2026-03-08 15:00", "2026-11-26 15:00"])
def test_a_venue_is_closed_at_weekends_and_on_holidays(closed: str) -> None:
    assert NEW_YORK.session_at(utc(closed)) is None


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        pytest.param("2026-03-06 21:00", "2026-03-09 13:30", id="over a weekend"),
        pytest.param("2026-11-25 21:00", "2026-11-27 14:30", id="over a holiday"),
    ],
)
def test_the_next_session_is_the_one_after_the_closure(at: str, opens: str) -> None:
    assert NEW_YORK.next_session(utc(at)).open == utc(opens)


def test_a_session_over_midnight_belongs_to_the_day_it_opens_on() -> None:
    friday_night = Session(utc("2026-07-03 20:00"), utc("2026-07-04 04:00"))
    assert NIGHT_SHIFT.session_at(utc("2026-07-04 03:59")) == friday_night
    assert NIGHT_SHIFT.session_at(utc("2026-07-05 03:59")) is None


def test_a_night_in_which_clocks_change_is_an_hour_shorter_or_longer() -> None:
    every_night = TradingHours("Europe/Berlin", time(22), time(6), frozenset(range(7)))
    shorter, longer = (
        every_night.next_session(utc("2026-03-28 20:00")),
        every_night.next_session(utc("2026-10-24 19:00")),
    )
    assert shorter.close - shorter.open == timedelta(hours=7)
    assert longer.close - longer.open == timedelta(hours=9)


def test_equal_times_mean_a_whole_day_from_then_on() -> None:
    assert DEALERS.session_at(utc("2026-03-01 21:59")) is None
    assert DEALERS.session_at(utc("2026-03-01 22:00")) == Session(utc("2026-03-01 22:00"), utc("2026-03-02 22:00"))
    assert DEALERS.session_at(utc("2026-03-06 21:59")) == Session(utc("2026-03-05 22:00"), utc("2026-03-06 22:00"))
    assert DEALERS.session_at(utc("2026-03-06 22:00")) is None


@given(MOMENTS)
def test_a_market_that_is_always_open_is(moment: datetime) -> None:
    session = ALWAYS_OPEN.session_at(moment)
    assert session is not None
    assert session.open <= moment < session.close


@given(EVERY_KIND, MOMENTS)
def test_the_next_session_is_the_one_at_that_moment_or_the_first_after_it(
    hours: TradingHours, moment: datetime
) -> None:
    session = hours.next_session(moment)
    assert session.close > moment
    assert hours.session_at(moment) == (session if session.open <= moment else None)
    between = moment + (session.open - moment) / 2
    assert session.open <= moment or hours.session_at(between) is None


@given(EVERY_KIND, MOMENTS)
def test_sessions_follow_each_other_without_overlap_and_keep_the_venues_times(
    hours: TradingHours, moment: datetime
) -> None:
    session = hours.next_session(moment)
    following = hours.next_session(session.close)
    zone = ZoneInfo(hours.time_zone)
    opens = following.open.astimezone(zone)
    assert following.open >= session.close
    assert opens.time() == hours.opens
    assert following.close.astimezone(zone).time() == hours.closes
    assert opens.weekday() in hours.weekdays
    assert opens.date() not in hours.holidays


def test_hours_without_any_weekday_are_refused_rather_than_searched_for_ever() -> None:
    with pytest.raises(ValueError, match="no session within"):
        TradingHours("UTC", time(9), time(17), frozenset()).next_session(utc("2026-03-06 00:00"))


EARLY = TradingHours(
    "America/New_York",
    time(9, 30),
    time(16),
    WORKDAYS,
    frozenset({date(2026, 11, 26)}),
    frozenset({(date(2026, 11, 27), time(13))}),
    pre_market_opens=time(4),
    post_market_closes=time(20),
)


def test_a_day_of_an_early_close_ends_early_and_the_others_do_not() -> None:
    assert EARLY.session_at(utc("2026-11-27 15:00")) == Session(utc("2026-11-27 14:30"), utc("2026-11-27 18:00"))
    assert EARLY.session_at(utc("2026-11-27 18:00")) is None
    assert EARLY.session_at(utc("2026-11-30 15:00")) == Session(utc("2026-11-30 14:30"), utc("2026-11-30 21:00"))


def test_extended_hours_are_one_session_from_the_first_to_the_last_trading_of_the_day() -> None:
    extended = EARLY.extended()
    assert extended.next_session(utc("2026-11-25 00:00")).open == utc("2026-11-24 09:00")
    assert extended.next_session(utc("2026-11-25 08:00")) == Session(utc("2026-11-25 09:00"), utc("2026-11-26 01:00"))


def test_after_an_early_close_the_evening_ends_earlier_by_as_much() -> None:
    assert EARLY.extended().next_session(utc("2026-11-27 08:00")).close == utc("2026-11-27 22:00")


def test_a_venue_without_trading_around_its_session_has_no_longer_hours() -> None:
    assert NEW_YORK.extended() == NEW_YORK
    assert EARLY.extended().extended() == EARLY.extended()


def test_hours_are_equal_and_hash_alike_when_they_say_the_same() -> None:
    other = TradingHours(**{name: getattr(EARLY, name) for name in TradingHours.__dataclass_fields__})
    assert (other, hash(other)) == (EARLY, hash(EARLY))
    assert EARLY.extended() != EARLY


@given(EVERY_KIND, MOMENTS)
def test_the_sessions_from_a_moment_on_are_those_that_follow_one_another(hours: TradingHours, moment: datetime) -> None:
    for session, _ in zip(hours.sessions(moment), range(8), strict=False):
        assert session == hours.next_session(moment)
        moment = session.close


def test_sessions_end_with_the_calendar() -> None:
    last = datetime.max.replace(tzinfo=UTC) - timedelta(hours=1)
    assert list(NEW_YORK.sessions(last)) == []
