import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from application.market_data.backfill import Backfill, BackfillState, BackfillTerms
from application.market_data.backfill_failure import failure
from application.ports.backfills import BackfillFilter, BackfillStore
from domain.errors import PreconditionFailed, Violation
from domain.market_data.bar import BarInterval, PriceAdjustment
from tests.support.market_stores import KINDS, OpenMarketStore, market_stores

START = datetime(2026, 1, 5, tzinfo=UTC)
EVERY = BackfillFilter()


@pytest.fixture(params=KINDS)
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenMarketStore]:
    async with market_stores(request.param, tmp_path) as opens:
        yield opens


@pytest.fixture
async def store(open_another: OpenMarketStore) -> BackfillStore:
    return (await open_another()).backfills


def backfill(backfill_id: str = "b-1", seconds: int = 0, symbols: tuple[str, ...] = ("ACME",), **more: Any) -> Backfill:
    terms = BackfillTerms(symbols, BarInterval.DAY_1, START - timedelta(days=30))
    made = START + timedelta(seconds=seconds)
    return Backfill(backfill_id, terms, START, made, made, **more)


def ended(backfill_id: str, seconds: int, state: BackfillState, **more: Any) -> Backfill:
    return backfill(backfill_id, seconds, **more).finished(state, START + timedelta(hours=1))


async def ids(store: BackfillStore, where: BackfillFilter = EVERY) -> list[str]:
    return [one.backfill_id for one in await store.page(where, None, 100)]


async def test_what_is_stored_comes_back_equal(store: BackfillStore) -> None:
    violation = Violation("PROVIDER_NOT_CAPABLE", "interval", "has no bars of 1s", unit="x")
    refused = PreconditionFailed("it cannot", [violation], reason="PROVIDER_NOT_CAPABLE", provider="vendor")
    told = Backfill(
        "b-1",
        BackfillTerms(
            ("ACME", "EUR/USD", "日本"),
            BarInterval.MONTH_1,
            START,
            START + timedelta(microseconds=7),
            PriceAdjustment.ALL,
            "vendor",
            extended_hours=True,
        ),
        START + timedelta(microseconds=7),
        START,
        START,
        BackfillState.RUNNING,
        ("ACME",),
        {"EUR/USD": START + timedelta(microseconds=3)},
        stored_bars=2**40,
        current_symbol="EUR/USD",
        failures=(failure("日本", refused),),
        finished_time=None,
        owner="me",
        owned_until=START + timedelta(seconds=1.5),
    )
    assert await store.add(told)
    assert await store.get("b-1") == told
    assert list(await store.unfinished()) == [told]
    assert await store.get("b-2") is None


async def test_an_id_is_taken_for_ever(store: BackfillStore) -> None:
    first = ended("b-1", 0, BackfillState.SUCCEEDED)
    assert await store.add(first)
    assert not await store.add(backfill("b-1", 5, symbols=("BOLT",)))
    assert await store.get("b-1") == first
    assert await ids(store, BackfillFilter(symbol="BOLT")) == []


async def test_a_change_is_stored_only_on_the_newest_version(store: BackfillStore) -> None:
    await store.add(backfill())
    second = replace(backfill(), version=1, stored_bars=5)
    assert await store.save(second)
    assert not await store.save(replace(second, stored_bars=9))
    assert not await store.save(replace(second, version=3))
    assert not await store.save(replace(second, backfill_id="b-2"))
    assert await store.get("b-1") == second
    assert await store.get("b-2") is None


async def test_of_many_who_change_it_at_once_one_does(open_another: OpenMarketStore) -> None:
    stores = [(await open_another()).backfills for _ in range(2)]
    await stores[0].add(backfill())
    changes = [replace(backfill(), version=1, owner=f"o-{number}") for number in range(10)]
    done = await asyncio.gather(*(stores[place % 2].save(change) for place, change in enumerate(changes)))
    assert sum(done) == 1
    assert await stores[0].get("b-1") == changes[done.index(True)]


async def test_another_server_reads_it(store: BackfillStore, open_another: OpenMarketStore) -> None:
    await store.add(backfill())
    assert await (await open_another()).backfills.get("b-1") == backfill()


async def test_the_unfinished_come_oldest_first(store: BackfillStore) -> None:
    for one in (
        backfill("c", 3),
        ended("b", 2, BackfillState.FAILED),
        backfill("a", 1, state=BackfillState.RUNNING),
        ended("d", 0, BackfillState.CANCELED),
    ):
        await store.add(one)
    assert [one.backfill_id for one in await store.unfinished()] == ["a", "c"]
    found = await store.get("b")
    assert found is not None
    await store.save(replace(found.resumed(START), version=1))
    assert [one.backfill_id for one in await store.unfinished()] == ["a", "b", "c"]


async def test_pages_go_from_the_newest_back_and_new_ones_do_not_shift_them(store: BackfillStore) -> None:
    for name, seconds in (("a", 1), ("b", 3), ("c", 2), ("d", 2), ("e", 2), ("f", 0)):
        await store.add(backfill(name, seconds))
    found: list[Backfill] = []
    place = None
    while page := await store.page(EVERY, place, 2):
        assert len(page) <= 2
        found += page
        place = page[-1].created_time, page[-1].backfill_id
        await store.add(backfill(f"new {len(found)}", 99))
    assert [one.backfill_id for one in found] == ["b", "e", "d", "c", "a", "f"]


async def test_filters_are_joined_by_and(store: BackfillStore) -> None:
    await store.add(backfill("a", 1, symbols=("ACME", "BOLT")))
    await store.add(ended("b", 2, BackfillState.FAILED, symbols=("BOLT",)))
    await store.add(ended("c", 3, BackfillState.FAILED, symbols=("acme", "ACME_")))
    failed = BackfillState.FAILED
    for where, expected in (
        (BackfillFilter(), ["c", "b", "a"]),
        (BackfillFilter(symbol="BOLT"), ["b", "a"]),
        (BackfillFilter(symbol="ACME"), ["a"]),
        (BackfillFilter(symbol="ACM%"), []),
        (BackfillFilter(failed), ["c", "b"]),
        (BackfillFilter(failed, "BOLT"), ["b"]),
        (BackfillFilter(BackfillState.CANCELED), []),
    ):
        assert await ids(store, where) == expected


async def test_one_of_a_thousand_instruments_is_stored_whole(store: BackfillStore) -> None:
    symbols = tuple(f"S{number}" for number in range(1000))
    await store.add(backfill(symbols=symbols))
    assert (await ids(store, BackfillFilter(symbol="S999"))) == ["b-1"]
    assert await store.get("b-1") == backfill(symbols=symbols)
