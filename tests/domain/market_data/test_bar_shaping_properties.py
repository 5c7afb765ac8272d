"""What is true of the bars of any rows, intervals and hours."""

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, rows_needed, shape
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from tests.support.bar_shapes import (
    DAY_1,
    DEALERS,
    HOUR_1,
    HOUR_4,
    LATER,
    MINUTE,
    MINUTE_1,
    MINUTE_30,
    MONTH_1,
    NEW_YORK,
    WEEK_1,
    shaped,
    utc,
)

STARTS = {NEW_YORK: utc("2026-11-23 00:00"), DEALERS: utc("2026-03-06 00:00"), ALWAYS_OPEN: utc("2026-11-27 00:00")}
PRICES = st.decimals(Decimal("0.01"), Decimal(1000), places=2)
VOLUMES = st.decimals(Decimal(0), Decimal(10_000), places=3)


@st.composite
def tapes(draw: st.DrawFn) -> tuple[TradingHours, list[RawBar]]:
    """Sound rows of minutes of six days, in order and each time once."""
    hours = draw(st.sampled_from(list(STARTS)))
    minutes = draw(st.lists(st.integers(0, 6 * 24 * 60), unique=True, max_size=40).map(sorted))
    rows = []
    for minute in minutes:
        first, second, last, volume = draw(PRICES), draw(PRICES), draw(PRICES), draw(VOLUMES)
        high, low = max(first, second, last), min(first, second, last)
        average = draw(st.none() | st.just((high + low) / 2))
        rows.append(RawBar(STARTS[hours] + minute * MINUTE, first, high, low, last, volume, average, minute))
    return hours, rows


INTERVALS = st.sampled_from([MINUTE_1, BarInterval.MINUTE_5, MINUTE_30, HOUR_1, HOUR_4, DAY_1, WEEK_1, MONTH_1])


@given(tapes(), INTERVALS, st.data())
def test_neither_order_nor_repetition_of_the_rows_matters(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, data: st.DataObject
) -> None:
    hours, rows = tape
    again = data.draw(st.lists(st.sampled_from(rows), max_size=10)) if rows else []
    shuffled = data.draw(st.permutations([*rows, *again]))
    assert shaped(shuffled, interval, MINUTE_1, hours) == shaped(rows, interval, MINUTE_1, hours)


@given(tapes(), INTERVALS, st.booleans())
def test_every_bar_is_consistent_in_order_and_in_its_session(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, extended: bool
) -> None:
    hours, rows = tape
    bars, invalid = shaped(rows, interval, MINUTE_1, hours, extended=extended)
    longest = interval.fixed_length or timedelta(days=31)
    open_hours = hours.extended() if extended and interval.fixed_length else hours
    for bar in bars:
        session = open_hours.session_at(bar.open_time)
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.vwap is None or bar.low <= bar.vwap <= bar.high
        assert timedelta(0) < bar.close_time - bar.open_time <= longest
        assert session is not None
        if interval.fixed_length is not None:
            assert (bar.open_time - session.open) % interval.fixed_length == timedelta(0)
            assert bar.close_time == min(bar.open_time + interval.fixed_length, session.close)
    assert all(before.close_time <= after.open_time for before, after in pairwise(bars))
    assert invalid == []


@given(tapes(), INTERVALS)
def test_gaps_are_not_filled_and_no_trade_of_the_sessions_is_lost(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval
) -> None:
    hours, rows = tape
    bars, _ = shaped(rows, interval, MINUTE_1, hours)
    inside = [row for row in rows if hours.session_at(row.open_time) is not None and (row.trade_count or row.volume)]
    for bar in bars:
        assert any(bar.open_time <= row.open_time < bar.close_time for row in inside)
    assert sum(bar.volume for bar in bars) == sum(row.volume for row in inside)
    assert sum(bar.trade_count or 0 for bar in bars) == sum(row.trade_count or 0 for row in inside)


@given(tapes(), st.sampled_from([HOUR_1, HOUR_4, DAY_1, WEEK_1, MONTH_1]), st.sampled_from([MINUTE_1, MINUTE_30]))
def test_a_bar_made_by_way_of_finer_bars_is_the_one_made_of_the_rows(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, way: BarInterval
) -> None:
    hours, rows = tape
    finer, _ = shaped(rows, way, MINUTE_1, hours)
    again = [
        RawBar(one.open_time, one.open, one.high, one.low, one.close, one.volume, None, one.trade_count)
        for one in finer
    ]
    direct, _ = shaped([row._replace(vwap=None) for row in rows], interval, MINUTE_1, hours)
    assert shaped(again, interval, way, hours)[0] == direct


@given(tapes(), INTERVALS, st.integers(0, 6 * 24 * 60))
def test_nothing_of_the_future_shows_and_only_the_last_bar_can_be_partial(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, minute: int
) -> None:
    hours, rows = tape
    now = STARTS[hours] + minute * MINUTE
    bars, _ = shaped(rows, interval, MINUTE_1, hours, now=now)
    past, _ = shaped([row for row in rows if row.open_time <= now], interval, MINUTE_1, hours, now=now)
    assert bars == past
    assert [bar.partial for bar in bars] == [bar.close_time > now for bar in bars]
    assert not any(bar.partial for bar in bars[:-1])


@given(tapes(), INTERVALS, st.integers(0, 6 * 24 * 60), st.integers(0, 6 * 24 * 60))
def test_the_rows_that_are_said_to_be_needed_are_enough(
    tape: tuple[TradingHours, list[RawBar]], interval: BarInterval, first: int, second: int
) -> None:
    hours, rows = tape
    start, end = (STARTS[hours] + minute * MINUTE for minute in sorted((first, second + 1)))
    wanted = Shape("ACME", interval, MINUTE_1, hours, start, end, LATER, PriceAdjustment.RAW)
    since, until = rows_needed(wanted)
    assert shape([row for row in rows if since <= row.open_time < until], wanted) == shape(rows, wanted)
