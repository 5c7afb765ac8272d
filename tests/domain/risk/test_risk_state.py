"""Buckets that never give more than they may, days that begin, highs that only rise, and losses measured from them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import Bucket, RiskState, bucket_key, day_of
from domain.risk.value_objects.limits import RateLimit

D = Decimal
NOW = datetime(2025, 3, 4, 15, 0, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FRESH = RiskState("acct")


def after(seconds: str | int | float) -> datetime:
    return NOW + timedelta(microseconds=int(D(str(seconds)) * 1_000_000))


# -- buckets ---------------------------------------------------------------------------------------------

LIMITS = st.builds(RateLimit, st.integers(1, 7), st.sampled_from([D("0.001"), D("0.3"), D(1), D(3), D(7), D(60)]))
GAPS = st.lists(st.integers(0, 3_000_000) | st.integers(0, 300), min_size=1, max_size=80)


@given(LIMITS, GAPS)
def test_in_any_stretch_no_more_pass_than_the_bucket_holds_and_what_comes_back_meanwhile(
    limit: RateLimit, gaps: list[int]
) -> None:
    state, now, passed = FRESH, NOW, list[datetime]()
    for gap in gaps:
        now += timedelta(microseconds=gap)
        if state.tokens("ORDER_RATE", limit, now) >= 1:
            state = state.taken("ORDER_RATE", limit, now)
            passed.append(now)
    for i, first in enumerate(passed):
        for j, last in enumerate(passed[i:], i):
            seconds = D((last - first) // MICROSECOND) / 1_000_000
            assert j - i + 1 <= limit.count + limit.count * seconds / limit.period


@given(LIMITS, GAPS)
def test_it_never_holds_more_than_its_size_and_is_full_after_its_period(limit: RateLimit, gaps: list[int]) -> None:
    state, now = FRESH, NOW
    for gap in gaps:
        now += timedelta(microseconds=gap)
        assert 0 <= state.tokens("ORDER_RATE", limit, now) <= limit.count
        if state.tokens("ORDER_RATE", limit, now) >= 1:
            state = state.taken("ORDER_RATE", limit, now)
    full = now + timedelta(microseconds=int(limit.period * 1_000_000))
    assert state.tokens("ORDER_RATE", limit, full) == limit.count


@given(LIMITS, st.lists(st.integers(1, 999_999), max_size=20))
def test_being_looked_at_in_between_changes_nothing(limit: RateLimit, looks: list[int]) -> None:
    bucket = Bucket(D(0), limit.period, NOW).take(limit, NOW)
    often = bucket
    for look in sorted(looks):
        often = often.at(limit, NOW + timedelta(microseconds=look))
    assert often.tokens(limit, after(1)) == bucket.tokens(limit, after(1))


def test_a_token_is_back_at_its_moment_and_not_a_microsecond_before() -> None:
    limit = RateLimit(3, D("0.9"))
    state = FRESH
    for _ in range(3):
        state = state.taken("ORDER_RATE", limit, NOW)
    assert state.tokens("ORDER_RATE", limit, NOW) == 0
    assert state.tokens("ORDER_RATE", limit, after("0.299999")) < 1
    assert state.tokens("ORDER_RATE", limit, after("0.3")) == 1
    assert state.tokens("ORDER_RATE", limit, after("0.9")) == 3


def test_thirds_of_a_token_add_up_to_whole_ones() -> None:
    limit, state, now = RateLimit(1, D(3)), FRESH, NOW
    for _ in range(100):
        assert state.tokens("ORDER_RATE", limit, now) == 1
        state = state.taken("ORDER_RATE", limit, now)
        assert state.tokens("ORDER_RATE", limit, now + timedelta(seconds=3) - MICROSECOND) < 1
        now += timedelta(seconds=3)


def test_a_clock_that_goes_back_gives_nothing() -> None:
    limit = RateLimit(2, D(1))
    state = FRESH.taken("ORDER_RATE", limit, NOW)
    assert state.tokens("ORDER_RATE", limit, after(-5)) == 1
    state = state.taken("ORDER_RATE", limit, after(-5))
    assert state.tokens("ORDER_RATE", limit, NOW) == 0


def test_what_cannot_be_refused_may_overdraw_and_is_paid_back_first() -> None:
    limit = RateLimit(2, D(2))
    state = FRESH
    for _ in range(5):
        state = state.taken("REPEATED_EXECUTION:s", limit, NOW)
    assert state.tokens("REPEATED_EXECUTION:s", limit, NOW) == -3
    assert state.tokens("REPEATED_EXECUTION:s", limit, after(3)) == 0


@pytest.mark.parametrize(
    ("then", "tokens"),
    [(RateLimit(10, D(10)), 8), (RateLimit(3, D(1)), 1), (RateLimit(1, D(1)), -1), (RateLimit(5, D(70)), 3)],
)
def test_what_was_taken_stays_taken_under_another_limit(then: RateLimit, tokens: int) -> None:
    limit = RateLimit(5, D(1))
    state = FRESH.taken("ORDER_RATE", limit, NOW).taken("ORDER_RATE", limit, NOW)
    assert state.tokens("ORDER_RATE", then, NOW) == tokens


def test_buckets_are_apart_and_one_can_be_filled_again() -> None:
    limit = RateLimit(1, D(60))
    one, other = bucket_key("REPEATED_EXECUTION", "a"), bucket_key("REPEATED_EXECUTION", "b")
    state = FRESH.taken(one, limit, NOW).taken(other, limit, NOW)
    refilled = state.refilled(one)
    assert (refilled.tokens(one, limit, NOW), refilled.tokens(other, limit, NOW)) == (D(1), D(0))
    assert refilled.refilled(one) is refilled


# -- days ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "day_start", "began"),
    [
        ("2025-03-04T00:00:00+00:00", 0, "2025-03-04T00:00:00+00:00"),
        ("2025-03-03T23:59:59.999999+00:00", 0, "2025-03-03T00:00:00+00:00"),
        ("2025-03-04T21:59:59.999999+00:00", 79_200, "2025-03-03T22:00:00+00:00"),
        ("2025-03-04T22:00:00+00:00", 79_200, "2025-03-04T22:00:00+00:00"),
        ("2025-03-04T01:00:00+02:00", 0, "2025-03-03T00:00:00+00:00"),
        ("2025-01-01T00:00:00+00:00", 1, "2024-12-31T00:00:01+00:00"),
    ],
)
def test_a_day_begins_at_its_time_of_day_in_utc(now: str, day_start: int, began: str) -> None:
    assert day_of(datetime.fromisoformat(now), D(day_start)) == datetime.fromisoformat(began)


def test_the_first_value_starts_the_day_and_both_highs() -> None:
    state = FRESH.valued(D(100), NOW, D(0))
    assert (state.day, state.day_start_equity, state.day_high, state.high) == (
        day_of(NOW, D(0)),
        D(100),
        D(100),
        D(100),
    )


def test_highs_only_rise_and_nothing_new_is_nothing_to_store() -> None:
    state = FRESH.valued(D(100), NOW, D(0)).valued(D(120), after(1), D(0))
    assert (state.day_start_equity, state.day_high, state.high) == (D(100), D(120), D(120))
    assert state.valued(D(90), after(2), D(0)) is state


def test_a_new_day_starts_from_what_the_account_is_worth_and_keeps_the_all_time_high() -> None:
    state = FRESH.valued(D(120), NOW, D(0)).valued(D(90), NOW + timedelta(hours=9), D(0))
    assert (state.day_start_equity, state.day_high, state.high) == (D(90), D(90), D(120))
    assert state.day == datetime(2025, 3, 5, tzinfo=UTC)


def test_a_clock_that_goes_back_over_midnight_starts_no_day() -> None:
    state = FRESH.valued(D(120), datetime(2025, 3, 5, tzinfo=UTC), D(0))
    assert state.valued(D(90), NOW, D(0)) is state


def test_a_new_day_forgets_the_buckets_that_are_full_by_then() -> None:
    slow, quick = RateLimit(1, D(86_400)), RateLimit(1, D(1))
    state = replace(FRESH, day=day_of(NOW, D(0)), day_start_equity=D(1))
    state = state.taken("REPEATED_EXECUTION:slow", slow, NOW).taken("ORDER_RATE", quick, NOW)
    assert set(state.valued(D(1), NOW + timedelta(hours=9), D(0)).buckets) == {"REPEATED_EXECUTION:slow"}
    assert not state.valued(D(1), NOW + timedelta(hours=24), D(0)).buckets


# -- losses ----------------------------------------------------------------------------------------------

STATE = RiskState("acct", NOW, D(1_000), D(1_250), D(2_000))
LIMITED = RiskProfile("acct", max_daily_loss=D(100), max_daily_drawdown_percent=D(28), max_drawdown_percent=D(55))


def test_losses_are_falls_from_where_each_is_counted() -> None:
    assert (STATE.daily_loss(D(900)), STATE.daily_drawdown(D(900)), STATE.drawdown(D(900))) == (D(100), D(28), D(55))


def test_a_gain_is_no_loss_and_what_is_not_known_is_not_zero() -> None:
    assert (STATE.daily_loss(D(3_000)), STATE.daily_drawdown(D(3_000)), STATE.drawdown(D(3_000))) == (D(0), D(0), D(0))
    assert (FRESH.daily_loss(D(1)), FRESH.daily_drawdown(D(1)), FRESH.drawdown(D(1))) == (None, None, None)


def test_a_fall_from_nothing_is_a_whole_one() -> None:
    assert RiskState("acct", high=D(0)).drawdown(D(-1)) == 100
    assert RiskState("acct", high=D(0)).drawdown(D(0)) == 0


def test_at_the_limits_nothing_is_passed_and_a_cent_below_all_three_are() -> None:
    assert STATE.passed(LIMITED, D(900)) == frozenset()
    assert STATE.passed(LIMITED, D("899.99")) == {"MAX_DAILY_LOSS", "MAX_DAILY_DRAWDOWN", "MAX_DRAWDOWN"}
    assert STATE.passed(RiskProfile("acct"), D(0)) == frozenset()
    assert FRESH.passed(LIMITED, D(0)) == frozenset()


@given(st.integers(1, 2_000), st.integers(-1_999, 5_000))
def test_cash_that_comes_or_goes_changes_no_loss_and_no_drawdown(equity: int, amount: int) -> None:
    worth, moved = D(equity), D(amount)
    then = STATE.cash_moved(moved, worth)
    assert then.daily_loss(worth + moved) == STATE.daily_loss(worth)
    if worth + moved > 0:
        for before, after_it in (
            (STATE.daily_drawdown(worth), then.daily_drawdown(worth + moved)),
            (STATE.drawdown(worth), then.drawdown(worth + moved)),
        ):
            assert before is not None
            assert after_it is not None
            assert abs(before - after_it) < D("1e-14")


def test_cash_of_an_account_that_was_never_valued_changes_nothing() -> None:
    assert FRESH.cash_moved(D(5), D(0)) == FRESH
