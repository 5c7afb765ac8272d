"""Bars as a caller of the provider gets them, held against the bars and prints they consist of."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import Sessions, SimulationSettings
from application.ports.market_data import BarRequest
from domain.decimals import is_multiple
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.instrument import Instrument

START = datetime(2012, 1, 5, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
BEGINNING, END = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
LATE = datetime(2040, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=6_000)).map(lambda since: START + since)
SYMBOLS = st.sampled_from(["AAPL", "CAT", "SAP", "VOD", "EUR/USD", "EUR/JPY", "BTC/USD"])
SESSIONS = st.sampled_from(get_args(Sessions))
INTERVALS = st.sampled_from(BarInterval)
NESTED = st.sampled_from(
    [
        (BarInterval.SECOND_1, BarInterval.MINUTE_1),
        (BarInterval.MINUTE_1, BarInterval.MINUTE_5),
        (BarInterval.MINUTE_5, BarInterval.MINUTE_15),
        (BarInterval.MINUTE_15, BarInterval.MINUTE_30),
        (BarInterval.MINUTE_30, BarInterval.HOUR_1),
        (BarInterval.HOUR_1, BarInterval.HOUR_2),
        (BarInterval.HOUR_2, BarInterval.HOUR_4),
        (BarInterval.HOUR_4, BarInterval.DAY_1),
        (BarInterval.MINUTE_1, BarInterval.DAY_1),
        (BarInterval.DAY_1, BarInterval.WEEK_1),
        (BarInterval.DAY_1, BarInterval.MONTH_1),
    ]
)


def market(now: datetime, sessions: Sessions = "exchange") -> SimulatedMarketData:
    return SimulatedMarketData(ManualClock(now), SimulationSettings(sessions=sessions))


def instrument(provider: SimulatedMarketData, symbol: str) -> Instrument:
    known = provider.in_memory.instrument(symbol)
    assert known is not None
    return known


def bars(
    provider: SimulatedMarketData,
    symbol: str,
    interval: BarInterval,
    start: datetime,
    end: datetime = END,
    limit: int = 5_000,
) -> Sequence[Bar]:
    return asyncio.run(provider.bars(BarRequest(symbol, interval, start, end, limit))).bars


def aggregated(parts: Sequence[Bar]) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal, int]:
    return (
        parts[0].open,
        max(bar.high for bar in parts),
        min(bar.low for bar in parts),
        parts[-1].close,
        sum((bar.volume for bar in parts), Decimal(0)),
        sum(bar.trade_count or 0 for bar in parts),
    )


@given(SYMBOLS, SESSIONS, NESTED, MOMENTS, st.fractions(0, 1))
def test_a_bar_is_what_the_shorter_bars_in_it_make_together_also_while_it_runs(
    symbol: str, sessions: Sessions, nested: tuple[BarInterval, BarInterval], moment: datetime, passed: float
) -> None:
    fine, coarse = nested
    (whole,) = bars(market(LATE, sessions), symbol, coarse, moment, limit=1)
    provider = market(whole.open_time + (whole.close_time - whole.open_time) * float(passed), sessions)
    parts = bars(provider, symbol, fine, whole.open_time, whole.close_time)
    assert [aggregated([bar]) for bar in bars(provider, symbol, coarse, whole.open_time, whole.close_time)] == (
        [aggregated(parts)] if parts else []
    )


@given(SYMBOLS, SESSIONS, INTERVALS, MOMENTS)
def test_a_bar_lies_on_the_grid_inside_its_session_and_between_its_high_and_low(
    symbol: str, sessions: Sessions, interval: BarInterval, moment: datetime
) -> None:
    provider = market(LATE, sessions)
    listed = instrument(provider, symbol)
    found = bars(provider, symbol, interval, moment, limit=30)
    assert len(found) == 30
    for bar in found:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert all(is_multiple(price, listed.tick_size) for price in (bar.open, bar.high, bar.low, bar.close))
        assert is_multiple(bar.volume, listed.lot_size)
        assert bar.trade_count is not None
        assert bar.volume >= bar.trade_count * listed.lot_size > 0
        assert not bar.partial
        assert listed.hours.session_at(bar.open_time) is not None
        assert listed.hours.session_at(bar.close_time - timedelta(microseconds=1)) is not None
    assert all(bar.close_time <= following.open_time for bar, following in pairwise(found))


@given(SYMBOLS, st.sampled_from([i for i in BarInterval if i.fixed_length]), MOMENTS)
def test_bars_within_a_session_count_from_its_open_and_the_last_ends_at_its_close(
    symbol: str, interval: BarInterval, moment: datetime
) -> None:
    provider = market(LATE)
    (bar,) = bars(provider, symbol, interval, moment, limit=1)
    session = instrument(provider, symbol).hours.session_at(bar.open_time)
    assert session is not None
    assert interval.fixed_length is not None
    assert (bar.open_time - session.open) % interval.fixed_length == timedelta(0)
    assert bar.close_time == min(bar.open_time + interval.fixed_length, session.close)


@given(SYMBOLS, SESSIONS, INTERVALS, MOMENTS, st.integers(1, 60), st.integers(1, 60))
def test_pages_of_bars_join_without_a_gap_or_a_repeat(
    symbol: str, sessions: Sessions, interval: BarInterval, moment: datetime, first: int, second: int
) -> None:
    provider = market(LATE, sessions)
    whole = bars(provider, symbol, interval, moment, limit=first + second)
    page = bars(provider, symbol, interval, moment, limit=first)
    rest = bars(provider, symbol, interval, page[-1].open_time + timedelta(microseconds=1), limit=second)
    assert [*page, *rest] == whole
    assert bars(provider, symbol, interval, whole[0].open_time, whole[-1].open_time) == whole[:-1]


@given(SYMBOLS, SESSIONS, INTERVALS, MOMENTS, st.timedeltas(timedelta(0), timedelta(days=50)))
def test_only_the_last_bar_is_partial_and_what_is_complete_never_changes(
    symbol: str, sessions: Sessions, interval: BarInterval, now: datetime, later: timedelta
) -> None:
    start = now - 20 * (interval.fixed_length or timedelta(days=5))
    seen = bars(market(now, sessions), symbol, interval, start)
    seen_later = bars(market(now + later, sessions), symbol, interval, start, now)
    complete = [bar for bar in seen if not bar.partial]
    assert [bar.close_time > now for bar in seen] == [bar.partial for bar in seen]
    assert len(seen) - len(complete) <= 1
    assert all(bar.open_time <= now for bar in seen)
    assert seen_later[: len(complete)] == complete


@pytest.mark.parametrize("interval", list(BarInterval))
@pytest.mark.parametrize("sessions", get_args(Sessions))
def test_every_interval_reaches_back_more_than_ten_years(interval: BarInterval, sessions: Sessions) -> None:
    provider = market(datetime(2026, 11, 20, 15, tzinfo=UTC), sessions)
    (first,) = bars(provider, "AAPL", interval, BEGINNING, limit=1)
    assert first.open_time < datetime(2000, 2, 1, tzinfo=UTC)


def test_nothing_is_found_in_the_future_before_the_beginning_or_in_an_empty_range() -> None:
    now = datetime(2026, 11, 20, 15, tzinfo=UTC)
    provider = market(now, "always_open")
    for interval in BarInterval:
        assert not bars(provider, "AAPL", interval, now + timedelta(microseconds=1))
        assert not bars(provider, "AAPL", interval, BEGINNING, datetime(1999, 12, 31, tzinfo=UTC))
        assert not bars(provider, "AAPL", interval, now - timedelta(days=1), now - timedelta(days=1))


def test_an_unknown_symbol_has_no_bars() -> None:
    assert not bars(market(START), "NOPE", BarInterval.DAY_1, BEGINNING)


@pytest.mark.parametrize(
    ("day", "opens"), [("2026-03-06", 14), ("2026-03-09", 13), ("2026-10-30", 13), ("2026-11-02", 14)]
)
def test_the_first_bar_of_a_stocks_day_follows_new_york_over_changes_of_daylight_saving(day: str, opens: int) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    hours = bars(market(LATE), "AAPL", BarInterval.HOUR_1, midnight, midnight + timedelta(days=1))
    assert hours[0].open_time == midnight + timedelta(hours=opens, minutes=30)
    assert [bar.close_time - bar.open_time for bar in hours] == [timedelta(hours=1)] * 6 + [timedelta(minutes=30)]


def test_there_are_no_bars_at_weekends_and_on_holidays() -> None:
    thursday = datetime(2026, 11, 26, tzinfo=UTC)
    days = bars(market(LATE), "AAPL", BarInterval.DAY_1, thursday - timedelta(days=1), thursday + timedelta(days=5))
    assert [f"{bar.open_time:%a}" for bar in days] == ["Wed", "Fri", "Mon"]


def test_a_week_starts_on_monday_and_a_month_on_its_first_session_and_both_end_with_their_last() -> None:
    provider, start = market(LATE), datetime(2026, 11, 1, tzinfo=UTC)
    week = bars(provider, "AAPL", BarInterval.WEEK_1, start, limit=1)[0]
    month = bars(provider, "AAPL", BarInterval.MONTH_1, start, limit=1)[0]
    currency_week = bars(provider, "EUR/USD", BarInterval.WEEK_1, start, limit=1)[0]
    assert week.open_time.astimezone(NEW_YORK) == datetime(2026, 11, 2, 9, 30, tzinfo=NEW_YORK)
    assert week.close_time.astimezone(NEW_YORK) == datetime(2026, 11, 6, 16, tzinfo=NEW_YORK)
    assert month.open_time == week.open_time
    assert month.close_time.astimezone(NEW_YORK) == datetime(2026, 11, 30, 16, tzinfo=NEW_YORK)
    assert currency_week.open_time.astimezone(NEW_YORK) == datetime(2026, 11, 1, 17, tzinfo=NEW_YORK)
    assert currency_week.close_time.astimezone(NEW_YORK) == datetime(2026, 11, 6, 17, tzinfo=NEW_YORK)


@pytest.mark.parametrize("sessions", get_args(Sessions))
@pytest.mark.parametrize("interval", list(BarInterval))
def test_a_thousand_bars_of_any_interval_take_well_below_a_second(interval: BarInterval, sessions: Sessions) -> None:
    provider = market(datetime(2026, 11, 20, 15, tzinfo=UTC), sessions)
    started = time.process_time()
    found = bars(provider, "TSLA", interval, datetime(2003, 1, 1, tzinfo=UTC), limit=1_000)
    assert time.process_time() - started < 0.7
    assert len(found) == 1_000 or interval is BarInterval.MONTH_1
