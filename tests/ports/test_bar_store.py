import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from application.ports.bar_store import BarStore, SeriesKey, Span, Stretch
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from tests.support.market_stores import KINDS, OpenMarketStore, market_stores

START = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SERIES = SeriesKey("vendor", "1", "ACME", BarInterval.MINUTE_1, PriceAdjustment.RAW, False)
ALL = 10**6


@pytest.fixture(params=KINDS)
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenMarketStore]:
    async with market_stores(request.param, tmp_path) as opens:
        yield opens


@pytest.fixture
async def store(open_another: OpenMarketStore) -> BarStore:
    return (await open_another()).bars


def at(minute: float) -> datetime:
    return START + minute * MINUTE


def bar(minute: int, price: str = "10.50") -> Bar:
    p = Decimal(price)
    return Bar("ACME", BarInterval.MINUTE_1, at(minute), at(minute + 1), p, p + 1, p - 1, p, Decimal("1E+3"), None)


def bars(*minutes: int, price: str = "10.50") -> list[Bar]:
    return [bar(minute, price) for minute in minutes]


def stretch(start: int, end: int, *minutes: int, price: str = "10.50") -> Stretch:
    return Stretch(at(start), at(end), bars(*minutes, price=price))


def flat(stretches: Sequence[Stretch]) -> list[Bar]:
    return [one for stretch in stretches for one in stretch.bars]


async def read(store: BarStore, start: int = 0, end: int = 10**6, limit: int = ALL) -> list[Bar]:
    return flat(await store.read(SERIES, at(start), at(end), limit))


async def settled(store: BarStore, start: int = 0, end: int = 10**6) -> list[tuple[float, float]]:
    found = await store.settled(SERIES, at(start), at(end))
    return [((span.start - START) / MINUTE, (span.end - START) / MINUTE) for span in found]


async def test_of_a_series_that_was_never_kept_there_is_nothing(store: BarStore) -> None:
    assert list(await store.read(SERIES, at(0), at(9), ALL)) == []
    assert list(await store.settled(SERIES, at(0), at(9))) == []
    await store.keep(SERIES, [])
    assert list(await store.settled(SERIES, at(0), at(9))) == []


async def test_what_is_kept_comes_back_to_the_last_digit(store: BarStore) -> None:
    price = Decimal("12345678901234567890.123456789012345678")
    kept = Bar(
        "ACME",
        BarInterval.MINUTE_1,
        at(1) + timedelta(microseconds=1),
        at(2),
        price,
        price,
        Decimal("0.000000000000000001"),
        Decimal("1.10"),
        Decimal(0),
        7,
        vwap=Decimal("1.23"),
        adjustment=PriceAdjustment.SPLITS,
    )
    await store.keep(SERIES, [Stretch(at(0), at(5), [kept])])
    [found] = await read(store)
    assert found == kept
    assert str(found.close) == "1.10"
    assert found.open_time.tzinfo is UTC


async def test_an_empty_stretch_is_known_to_be_empty(store: BarStore) -> None:
    await store.keep(SERIES, [stretch(0, 10)])
    assert await settled(store) == [(0, 10)]
    assert await read(store) == []


async def test_a_read_is_cut_to_its_range(store: BarStore) -> None:
    await store.keep(SERIES, [stretch(0, 10, 1, 4, 5, 9)])
    [found] = await store.read(SERIES, at(4), at(9), ALL)
    assert (found.start, found.end, list(found.bars)) == (at(4), at(9), bars(4, 5))
    assert await settled(store, 3, 20) == [(3, 10)]
    assert list(await store.read(SERIES, at(10), at(20), ALL)) == []


async def test_stretches_that_touch_are_one_and_holes_stay_open(store: BarStore) -> None:
    await store.keep(SERIES, [stretch(0, 10, 1)])
    await store.keep(SERIES, [stretch(20, 30, 21)])
    await store.keep(SERIES, [stretch(10, 15, 11)])
    assert await settled(store) == [(0, 15), (20, 30)]
    assert await read(store) == bars(1, 11, 21)


async def test_several_stretches_are_kept_at_once(store: BarStore) -> None:
    await store.keep(SERIES, [stretch(0, 40, *range(40))])
    await store.keep(SERIES, [stretch(5, 10, 6, price="20"), stretch(20, 30, 25, price="20")])
    assert await settled(store) == [(0, 40)]
    kept = [*range(5), *range(10, 20), *range(30, 40)]
    expected = bars(*kept) + bars(6, 25, price="20")
    assert await read(store) == sorted(expected, key=lambda one: one.open_time)


async def test_what_is_kept_later_takes_the_place_of_what_was(store: BarStore) -> None:
    await store.keep(SERIES, [stretch(0, 10, *range(10))])
    await store.keep(SERIES, [stretch(3, 6, 4, price="99")])
    assert await read(store) == bars(0, 1, 2) + bars(4, price="99") + bars(6, 7, 8, 9)
    assert await settled(store) == [(0, 10)]


async def test_a_read_ends_with_the_stretch_that_fills_its_limit(store: BarStore) -> None:
    await store.keep(SERIES, [stretch(0, 3000, *range(3000))])
    for start, limit in ((0, 1), (0, 700), (499, 1), (1234, 1766), (2999, 5)):
        found = await read(store, start, limit=limit)
        assert len(found) >= min(limit, 3000 - start)
        assert found == bars(*range(start, start + len(found)))
    assert await read(store, 0, limit=0) == []


async def test_many_small_stretches_are_read_whole_and_in_order(store: BarStore) -> None:
    for start in range(0, 600, 20):
        await store.keep(SERIES, [stretch(start, start + 10, *range(start, start + 10))])
    expected = [minute for start in range(0, 600, 20) for minute in range(start, start + 10)]
    assert await read(store) == bars(*expected)
    assert (await read(store, limit=55))[:55] == bars(*expected[:55])


@pytest.mark.parametrize(
    "other",
    [
        SERIES._replace(provider="other"),
        SERIES._replace(revision="2"),
        SERIES._replace(symbol="acme"),
        SERIES._replace(interval=BarInterval.MINUTE_5),
        SERIES._replace(adjustment=PriceAdjustment.ALL),
        SERIES._replace(extended_hours=True),
    ],
)
async def test_series_that_differ_in_anything_are_apart(store: BarStore, other: SeriesKey) -> None:
    await store.keep(SERIES, [stretch(0, 10, 1)])
    assert list(await store.read(other, at(0), at(10), ALL)) == []
    await store.keep(other, [stretch(5, 20, 6)])
    assert await settled(store) == [(0, 10)]
    assert await read(store) == bars(1)


async def test_a_new_vintage_takes_the_place_of_the_whole_series(store: BarStore) -> None:
    monday, tuesday = SERIES._replace(vintage="2026-01-05"), SERIES._replace(vintage="2026-01-06")
    await store.keep(monday, [stretch(0, 1000, *range(1000))])
    assert list(await store.settled(tuesday, at(0), at(1000))) == []
    await store.keep(tuesday, [stretch(0, 5, 1, price="5")])
    assert flat(await store.read(tuesday, at(0), at(1000), ALL)) == bars(1, price="5")
    assert list(await store.read(monday, at(0), at(1000), ALL)) == []
    await store.keep(monday, [stretch(2, 9, 3)])
    assert flat(await store.read(tuesday, at(0), at(1000), ALL)) == bars(1, price="5")
    assert list(await store.settled(monday, at(0), at(1000))) == []


async def test_what_one_server_keeps_another_reads(open_another: OpenMarketStore) -> None:
    one, another = (await open_another()).bars, (await open_another()).bars
    await one.keep(SERIES, [stretch(0, 10, 1)])
    assert await read(another) == bars(1)
    await another.keep(SERIES, [stretch(10, 20, 11)])
    assert await read(one) == bars(1, 11)


async def test_nothing_is_lost_when_several_keep_parts_of_a_series_at_once(open_another: OpenMarketStore) -> None:
    stores = [(await open_another()).bars for _ in range(2)]
    parts = [stretch(start, start + 5, *range(start, start + 5)) for start in range(0, 60, 5)]
    await asyncio.gather(*(_keep(stores[i % 2], part) for i, part in enumerate(parts)))
    assert await read(stores[0]) == bars(*range(60))
    assert await settled(stores[1]) == [(0, 60)]


async def _keep(store: BarStore, part: Stretch) -> None:
    await store.keep(SERIES, [part])


_spans = st.tuples(st.integers(0, 60), st.integers(1, 30), st.integers(0, 9))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=st.lists(_spans, max_size=8))
async def test_the_store_is_a_map_from_moments_to_what_is_known_of_them(
    store: BarStore, kept: list[tuple[int, int, int]]
) -> None:
    series = SERIES._replace(revision=str(id(kept)) + str(kept))
    known: dict[int, int | None] = {}
    for place, (start, length, step) in enumerate(kept):
        minutes = range(start, start + length, step) if step else range(0)
        await store.keep(series, [stretch(start, start + length, *minutes, price=str(place + 2))])
        known |= dict.fromkeys(range(start, start + length)) | dict.fromkeys(minutes, place)
    found = flat(await store.read(series, at(0), at(100), ALL))
    assert found == [bar(m, str(place + 2)) for m, place in sorted(known.items()) if place is not None]
    spans = await store.settled(series, at(0), at(100))
    assert [m for span in spans for m in range(*_minutes(span))] == sorted(known)


def _minutes(span: Span) -> tuple[int, int]:
    return (span.start - START) // MINUTE, (span.end - START) // MINUTE
