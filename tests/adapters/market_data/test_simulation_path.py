from datetime import UTC, datetime, time, timedelta
from itertools import chain

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.simulation_path import (
    CLOSE,
    HIGH,
    LOTS,
    LOW,
    MAX_PRINTS_PER_MINUTE,
    MIN_PRINTS,
    MIN_PRINTS_PER_MINUTE,
    MINUTE_SLOTS,
    OPEN,
    PRINTS,
    PathTerms,
    PricePath,
    Spans,
    crossed,
    merged,
)
from adapters.market_data.simulation_sessions import SessionCalendar, TradingDay
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours

EXCHANGE = TradingHours("America/New_York", time(9, 30), time(16), frozenset(range(5)))
CALENDARS = {hours: SessionCalendar(hours) for hours in (ALWAYS_OPEN, EXCHANGE)}
START = datetime(2010, 1, 5, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=9_000)).map(lambda since: START + since)
TERMS = st.builds(
    PathTerms,
    key=st.integers(0, 2**64 - 1),
    reference_price=st.sampled_from([0.1, 187.0, 65_000.0]),
    volatility=st.sampled_from([0.01, 0.15, 0.6]),
    prints_per_minute=st.sampled_from([MIN_PRINTS_PER_MINUTE, 20.0, MAX_PRINTS_PER_MINUTE]),
    print_lots=st.sampled_from([1.0, 80.0, 10_000.0]),
    hours=st.sampled_from([ALWAYS_OPEN, EXCHANGE]),
)


def day_of(terms: PathTerms, moment: datetime) -> TradingDay:
    day = CALENDARS[terms.hours].before(moment)
    assert day is not None
    return day


def assert_same(node: Spans, children: Spans) -> None:
    whole = merged(children, np.array([0]))[:, 0]
    for row in (OPEN, HIGH, LOW, CLOSE, PRINTS, LOTS):
        assert whole[row] == node[row]


@given(TERMS, MOMENTS, st.integers(0, 389))
def test_the_parts_of_a_span_make_up_exactly_the_span(terms: PathTerms, moment: datetime, minute: int) -> None:
    path, day = PricePath(terms), day_of(terms, moment)
    assert_same(path.days([day])[:, 0], path.hours(day))
    assert_same(path.hours(day)[:, minute // 60], path.minutes(day, minute // 60))
    assert_same(path.minutes(day, minute // 60)[:, minute % 60], path.prints(day, minute).spans)


@given(TERMS, MOMENTS)
def test_every_minute_has_prints_and_never_more_than_it_has_room_for(terms: PathTerms, moment: datetime) -> None:
    path, day = PricePath(terms), day_of(terms, moment)
    for hour in range(path.hours(day).shape[1]):
        minutes = path.minutes(day, hour)
        assert (minutes[PRINTS] >= MIN_PRINTS).all()
        assert (minutes[PRINTS] <= MINUTE_SLOTS).all()
        assert (minutes[LOTS] >= minutes[PRINTS]).all()


@given(TERMS, MOMENTS, st.integers(0, 389))
def test_prints_have_a_size_and_a_slot_of_their_own(terms: PathTerms, moment: datetime, minute: int) -> None:
    prints = PricePath(terms).prints(day_of(terms, moment), minute)
    assert (np.diff(prints.slots) > 0).all()
    assert 0 <= prints.slots[0] <= prints.slots[-1] < MINUTE_SLOTS
    assert (prints.spans[LOTS] >= 1).all()


@given(TERMS, MOMENTS)
def test_every_span_has_a_high_and_a_low_around_its_ends(terms: PathTerms, moment: datetime) -> None:
    path, day = PricePath(terms), day_of(terms, moment)
    for spans in (path.days([day]), path.hours(day), path.minutes(day, 1)):
        assert (spans[LOW] > 0).all()
        assert (spans[LOW] <= np.minimum(spans[OPEN], spans[CLOSE])).all()
        assert (spans[HIGH] >= np.maximum(spans[OPEN], spans[CLOSE])).all()


@given(TERMS, MOMENTS)
def test_prices_do_not_depend_on_what_was_looked_at_before(terms: PathTerms, moment: datetime) -> None:
    fresh, used = PricePath(terms), PricePath(terms)
    day = day_of(terms, moment)
    for other in range(1, 8):
        used.prints(day_of(terms, moment + timedelta(days=40 * other)), other)
    assert used.prints(day, 7).spans.tolist() == fresh.prints(day, 7).spans.tolist()


@given(TERMS, MOMENTS)
def test_days_are_the_same_alone_and_together(terms: PathTerms, moment: datetime) -> None:
    path = PricePath(terms)
    days = CALENDARS[terms.hours].between(moment, moment + timedelta(days=150))
    alone = np.hstack([path.days([day]) for day in days])
    assert path.days(days).tolist() == alone.tolist()


@given(TERMS, MOMENTS)
def test_a_market_without_a_pause_opens_where_it_closed(terms: PathTerms, moment: datetime) -> None:
    path = PricePath(terms)
    days = path.days(CALENDARS[terms.hours].between(moment, moment + timedelta(days=100)))
    jumps = days[OPEN, 1:] != days[CLOSE, :-1]
    assert jumps.any() == (terms.hours is EXCHANGE)


def test_a_cross_rate_follows_its_legs() -> None:
    def path(key: int, price: float) -> PricePath:
        return PricePath(PathTerms(key, price, 0.1, 20.0, 100.0, ALWAYS_OPEN))

    euro, yen = path(1, 1.085), path(2, 150.0)
    cross = PricePath(
        PathTerms(3, 1.085 * 150.0, 0.14, 20.0, 100.0, ALWAYS_OPEN), crossed([(1, euro.levels), (1, yen.levels)])
    )
    days = CALENDARS[ALWAYS_OPEN].between(START, START + timedelta(days=300))
    product = euro.days(days)[OPEN] * yen.days(days)[OPEN]
    assert np.allclose(cross.days(days)[OPEN], product, rtol=1e-6)


def test_volatility_is_the_one_asked_for_at_every_scale() -> None:
    for volatility in (0.15, 0.3, 0.6):
        path = PricePath(PathTerms(9, 100.0, volatility, 40.0, 50.0, ALWAYS_OPEN))
        days = CALENDARS[ALWAYS_OPEN].between(START, START + timedelta(days=1_500))
        hours = np.concatenate([path.hours(day)[CLOSE] for day in days[:300]])
        minutes = np.concatenate(list(chain(path.minutes(days[number], 10)[CLOSE] for number in range(300))))
        for closes, per_year in ((path.days(days)[CLOSE], 365), (hours, 365 * 24), (minutes, 365 * 1440)):
            changes = np.diff(np.log(closes))
            changes = changes[np.abs(changes) < 6 * np.median(np.abs(changes))]
            assert 0.75 < changes.std() * per_year**0.5 / volatility < 1.25


def test_prices_keep_near_their_reference_for_decades() -> None:
    path = PricePath(PathTerms(5, 187.0, 0.26, 40.0, 50.0, ALWAYS_OPEN))
    closes = path.days(CALENDARS[ALWAYS_OPEN].between(START, START + timedelta(days=8_000)))[CLOSE]
    assert 170 < np.median(closes) < 205
    assert 120 < closes.min() < 170
    assert 205 < closes.max() < 290
