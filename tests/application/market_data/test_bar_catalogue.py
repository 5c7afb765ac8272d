"""What the catalogue keeps of a provider's bars, and what it asks for again."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.clock import ManualClock
from application.market_data.bar_coverage import SETTLING
from application.ports.bar_store import Span
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from tests.support.catalogue_rig import ALL, DAY, HOUR, LISTED, MINUTE, NOW, Rig, request
from tests.support.scripted_bars import NEW_YORK, ScriptedBars, capabilities, source_of


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_what_was_fetched_once_is_not_asked_for_again(rig: Rig) -> None:
    start, end = NOW - 5 * HOUR, NOW - 4 * HOUR
    assert len((await rig.bars(start, end)).bars) == 60
    assert rig.asked == [(start, end, ALL)]
    await rig.bars(start, end)
    await rig.bars(start + 7 * MINUTE, end - 9 * MINUTE)
    assert rig.asked == []


async def test_only_the_missing_intervals_are_asked_for(rig: Rig) -> None:
    a, b, c, d = (NOW - hours * HOUR for hours in (9, 8, 6, 5))
    await rig.bars(b, c)
    assert rig.asked == [(b, c, ALL)]
    await rig.bars(a, d)
    assert rig.asked == [(a, b, ALL), (c, d, ALL - 60 - 120)]
    await rig.bars(a, d)
    assert rig.asked == []


async def test_a_span_without_a_bar_is_settled_too(rig: Rig) -> None:
    start, end = LISTED - 3 * DAY, LISTED - 2 * DAY
    assert list((await rig.bars(start, end)).bars) == []
    assert len(rig.asked) == 1
    await rig.bars(start, end)
    assert rig.asked == []


async def test_no_more_is_fetched_than_the_limit_needs(rig: Rig) -> None:
    start, end = NOW - 5 * DAY, NOW - DAY
    await rig.bars(start, end, limit=10)
    assert rig.asked == [(start, end, 10)]
    await rig.bars(start, end, limit=10)
    await rig.bars(start, start + 10 * MINUTE, limit=ALL)
    assert rig.asked == []
    await rig.bars(start, end, limit=25)
    first_open = start.replace(second=0) + MINUTE
    assert rig.asked == [(first_open + 10 * MINUTE, end, 15)]


async def test_a_limit_that_is_reached_in_what_is_kept_asks_for_nothing_behind_it(rig: Rig) -> None:
    start = NOW - 5 * HOUR
    await rig.bars(start, start + HOUR)
    assert len(rig.asked) == 1
    for limit in (1, 59, 60):
        await rig.bars(start, NOW, limit=limit)
    assert rig.asked == []


async def test_the_bar_that_runs_and_what_has_just_ended_are_asked_for_again(rig: Rig) -> None:
    start = NOW - 2 * HOUR
    assert (await rig.bars(start, NOW)).bars[-1].partial
    rig.asked  # noqa: B018 forget it
    rig.provider.price = Decimal(11)  # a late correction: of what is settled it is not seen
    found = await rig.catalogue.bars(rig.source, request(start, NOW))
    settled = NOW.replace(second=0) - SETTLING
    assert [bar.open_time for bar in found.bars if bar.open == 11] == [
        bar.open_time for bar in found.bars if bar.open_time >= settled
    ]
    [(asked, _, _)] = rig.asked
    assert asked == settled


async def test_what_ran_is_kept_once_it_has_settled(rig: Rig) -> None:
    await rig.bars(NOW - HOUR, NOW)
    rig.clock.advance(3600)
    await rig.bars(NOW - HOUR, NOW)
    assert len(rig.asked) == 2
    await rig.bars(NOW - HOUR, NOW)
    assert rig.asked == []


async def test_what_a_delayed_provider_does_not_have_yet_is_not_settled(rig: Rig) -> None:
    rig.source = source_of(rig.provider, capabilities(delay=HOUR))
    await rig.bars(NOW - 3 * HOUR, NOW)
    rig.asked  # noqa: B018 forget it
    await rig.bars(NOW - 3 * HOUR, NOW)
    [(asked, _, _)] = rig.asked
    assert asked == NOW.replace(second=0) - SETTLING - HOUR


async def test_while_the_market_is_closed_nothing_can_come_and_nobody_is_asked() -> None:
    rig = Rig(NEW_YORK)
    rig.clock.advance(9 * 3600)  # 19:00 in New York
    now = rig.clock.now()
    for interval in (BarInterval.MINUTE_1, BarInterval.DAY_1):
        await rig.bars(now - 3 * DAY, now, interval=interval)
        assert len(rig.asked) == 1
        await rig.bars(now - 3 * DAY, now, interval=interval)
        assert rig.asked == []
    rig.clock.advance(15 * 3600)  # 10:00 of the next day
    now = rig.clock.now()
    await rig.bars(now - 3 * DAY, now)
    [(asked, _, _)] = rig.asked
    assert now - DAY < asked <= datetime(2026, 1, 8, 14, 30, tzinfo=UTC)


async def test_a_daily_bar_is_kept_after_its_session_and_not_before() -> None:
    rig = Rig(NEW_YORK)
    start = NOW - 10 * DAY
    found = await rig.bars(start, NOW, interval=BarInterval.DAY_1)
    assert found.bars[-1].partial
    rig.asked  # noqa: B018 forget it
    await rig.bars(start, NOW, interval=BarInterval.DAY_1)
    [(asked, _, _)] = rig.asked
    assert asked == found.bars[-1].open_time


async def test_invalid_spans_are_told_and_asked_for_again(rig: Rig) -> None:
    start = (NOW - 5 * HOUR).replace(second=0)
    spoiled = (start + 10 * MINUTE, start + 12 * MINUTE)
    rig.provider.invalid.append(spoiled)
    found = await rig.bars(start, start + HOUR)
    assert (list(found.invalid), len(found.bars)) == ([spoiled], 58)
    assert len(rig.asked) == 1
    found = await rig.bars(start, start + HOUR)
    assert list(found.invalid) == [spoiled]
    assert [ask[:2] for ask in rig.asked] == [spoiled]
    rig.provider.invalid.clear()
    assert list((await rig.bars(start, start + HOUR)).invalid) == []
    rig.asked  # noqa: B018 forget it
    await rig.bars(start, start + HOUR)
    assert rig.asked == []


async def test_many_holes_are_asked_for_at_once(rig: Rig) -> None:
    start = (NOW - 9 * HOUR).replace(second=0)
    for place in range(0, 60, 2):
        await rig.bars(start + place * MINUTE, start + (place + 1) * MINUTE)
    rig.asked  # noqa: B018 forget it
    await rig.bars(start, start + 60 * MINUTE)
    assert rig.asked == [(start + MINUTE, start + 60 * MINUTE, ALL - 1)]
    await rig.bars(start, start + 60 * MINUTE)
    assert rig.asked == []


async def test_the_newest_answer_wins(rig: Rig) -> None:
    start = (NOW - 9 * HOUR).replace(second=0)
    for place in range(0, 60, 2):
        await rig.bars(start + place * MINUTE, start + (place + 1) * MINUTE)
    rig.provider.price = Decimal(12)
    found = await rig.catalogue.bars(rig.source, request(start, start + HOUR))
    assert [bar.open for bar in found.bars] == [10, *[12] * 59]
    again = await rig.catalogue.bars(rig.source, request(start, start + HOUR))
    assert list(again.bars) == list(found.bars)


async def test_older_than_its_history_a_provider_is_not_asked(rig: Rig) -> None:
    rig.source = source_of(rig.provider, capabilities(history=2 * DAY))
    found = await rig.catalogue.bars(rig.source, request(NOW - 5 * DAY, NOW - DAY))
    [(asked, _, _)] = rig.asked
    assert NOW - 2 * DAY < asked <= NOW - 2 * DAY + MINUTE
    assert found.bars[0].open_time == asked
    assert list((await rig.catalogue.bars(rig.source, request(NOW - 5 * DAY, NOW - 4 * DAY))).bars) == []
    assert rig.asked == []


async def test_what_was_kept_stays_when_the_providers_history_has_moved_on(rig: Rig) -> None:
    rig.source = source_of(rig.provider, capabilities(history=2 * DAY))
    await rig.bars(NOW - DAY, NOW - 12 * HOUR)
    rig.clock.advance(3 * 86_400)
    rig.asked  # noqa: B018 forget it
    await rig.bars(NOW - DAY, NOW - 12 * HOUR)
    assert rig.asked == []


async def test_the_future_is_not_asked_for(rig: Rig) -> None:
    assert list((await rig.bars(NOW + HOUR, NOW + DAY)).bars) == []
    assert rig.asked == []


async def test_adjusted_prices_are_good_for_the_venues_day_and_raw_ones_for_ever() -> None:
    rig = Rig(NEW_YORK)
    start, end = NOW - 9 * DAY, NOW - DAY
    for adjustment in PriceAdjustment:
        await rig.bars(start, end, adjustment=adjustment)
    assert len(rig.asked) == 3
    rig.clock.advance(13 * 3600)  # 23:00 in New York, tomorrow in UTC
    for adjustment in PriceAdjustment:
        await rig.bars(start, end, adjustment=adjustment)
    assert rig.asked == []
    rig.clock.advance(2 * 3600)
    rig.provider.price = Decimal(5)  # a split
    found = [
        await rig.catalogue.bars(rig.source, request(start, end, adjustment=adjustment))
        for adjustment in PriceAdjustment
    ]
    assert [one.bars[0].open for one in found] == [10, 5, 5]
    assert len(rig.asked) == 2


async def test_another_revision_of_a_provider_has_its_own_past(rig: Rig) -> None:
    await rig.bars(NOW - 5 * HOUR, NOW - 4 * HOUR)
    rig.provider.revision = "2"
    rig.provider.price = Decimal(77)
    await rig.bars(NOW - 5 * HOUR, NOW - 4 * HOUR)
    assert len(rig.asked) == 2


async def test_local_bars_are_not_kept_but_a_backfills_are_used(rig: Rig) -> None:
    rig.source = source_of(rig.provider, capabilities(local=True))
    start, end = NOW - 5 * HOUR, NOW - 4 * HOUR
    for _ in range(2):
        await rig.bars(start, end)
    assert len(rig.asked) == 2
    asked = request(start, end)
    fetched = await rig.provider.bars(asked)
    chunk = await rig.catalogue.keep(rig.source, asked, fetched, NOW)
    assert chunk == (end, 60)
    rig.asked  # noqa: B018 forget it
    await rig.bars(start, end)
    assert rig.asked == []


async def test_a_chunk_ends_where_its_limit_was_reached(rig: Rig) -> None:
    start = NOW.replace(second=0) - 5 * HOUR
    asked = request(start, NOW, limit=10)
    chunk = await rig.catalogue.keep(rig.source, asked, await rig.provider.bars(asked), NOW)
    assert chunk == (start + 10 * MINUTE, 10)
    assert await rig.catalogue.next_hole(rig.source, request(start, NOW)) == Span(start + 10 * MINUTE, NOW)


async def test_a_hole_is_where_the_provider_may_have_something(rig: Rig) -> None:
    source = source_of(rig.provider, capabilities(history=DAY))
    assert await rig.catalogue.next_hole(source, request(NOW - 5 * DAY, NOW - 3 * DAY)) is None
    assert await rig.catalogue.next_hole(source, request(NOW + HOUR, NOW + DAY)) is None
    hole = await rig.catalogue.next_hole(source, request(NOW - 5 * DAY, NOW - HOUR))
    assert hole is not None
    assert NOW - DAY < hole.start <= NOW - DAY + MINUTE
    assert hole.end == NOW - HOUR


_asks = st.tuples(st.integers(0, 4000), st.integers(1, 2000), st.integers(1, 400), st.integers(0, 4000))


@settings(max_examples=30, deadline=None)
@given(asks=st.lists(_asks, min_size=1, max_size=12), absent=st.sets(st.integers(0, 4000), max_size=50))
async def test_every_answer_is_the_providers_own_whatever_was_asked_before(
    asks: list[tuple[int, int, int, int]], absent: set[int]
) -> None:
    rig = Rig(NEW_YORK)
    base = NOW.replace(second=0) - 4000 * MINUTE
    rig.provider.absent = {base + place * MINUTE for place in absent}
    for start, length, limit, wait in asks:
        rig.clock.advance(wait)
        await rig.bars(base + start * MINUTE, base + (start + length) * MINUTE, limit=limit)


def test_bars_of_the_script_are_what_the_tests_think() -> None:
    clock = ManualClock(NOW)
    provider = ScriptedBars(clock, LISTED, NEW_YORK)
    bars: list[Bar] = list(provider.there(request(NOW - DAY, NOW)))
    assert bars[0].open_time == datetime(2026, 1, 6, 15, 1, tzinfo=UTC)
    assert (len(bars), bars[-1].partial) == (359 + 31, True)
