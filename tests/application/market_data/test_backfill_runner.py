import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.persistence.market_store import memory_market_store
from adapters.persistence.memory_backfill_store import MemoryBackfillStore
from adapters.persistence.memory_bar_store import MemoryBarStore
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from application.market_data.backfill import Backfill, BackfillState
from application.market_data.bar_coverage import SETTLING
from application.market_data.commands.cancel_backfill_command import CancelBackfill
from application.market_data.commands.resume_backfill_command import ResumeBackfill
from domain.errors import NotFound, PreconditionFailed, Throttled, Unavailable
from tests.support.backfills import END, HOUR, LISTED, NOW, PACE, START, BackfillRig, terms
from tests.support.market_stores import market_stores
from tests.support.scripted_bars import capabilities

DOWN = Unavailable("the line is dead", reason="MARKET_DATA_UNAVAILABLE", provider="scripted")


@pytest.fixture
async def rig() -> AsyncIterator[BackfillRig]:
    rig = BackfillRig()
    yield rig
    await rig.stop()


async def test_a_backfill_fetches_all_of_its_instruments_in_order_and_in_chunks(rig: BackfillRig) -> None:
    await rig.begin("BOLT", "ACME")
    rig.runner.start()
    done = await rig.ended()
    assert (done.state, done.progress, done.stored_bars) == (BackfillState.SUCCEEDED, Decimal(1), 600)
    assert (done.settled, done.failures, done.current_symbol) == (("BOLT", "ACME"), (), "")
    assert [(one.symbol, one.limit) for one in rig.provider.asked] == [("BOLT", 100)] * 3 + [("ACME", 100)] * 3
    for symbol in ("ACME", "BOLT"):
        assert await rig.settled(symbol) == [(START, END)]


async def test_what_is_stored_already_is_not_fetched(rig: BackfillRig) -> None:
    await rig.begin(backfill_id="part", end=START + HOUR)
    rig.runner.start()
    await rig.ended("part")
    rig.provider.asked.clear()
    await rig.begin()
    done = await rig.ended()
    assert (done.progress, done.stored_bars) == (Decimal(1), 240)
    assert rig.provider.asked[0].start == START + HOUR


async def test_the_bars_of_local_providers_are_stored_too() -> None:
    rig = BackfillRig(capabilities(local=True))
    await rig.begin()
    rig.runner.start()
    assert (await rig.ended()).stored_bars == 300
    assert await rig.settled() == [(START, END)]
    await rig.stop()


async def test_a_range_up_to_now_ends_though_its_newest_bars_are_not_settled(rig: BackfillRig) -> None:
    begun = await rig.begin(end=None)
    assert begun.end == NOW
    rig.runner.start()
    done = await rig.ended()
    assert (done.state, done.progress) == (BackfillState.SUCCEEDED, Decimal(1))
    assert await rig.settled() == [(START, NOW.replace(second=0) - SETTLING)]


async def test_what_is_older_than_the_providers_history_is_a_known_gap() -> None:
    rig = BackfillRig(capabilities(history=6 * HOUR))
    await rig.begin("ACME")
    await rig.begin("BOLT", backfill_id="older", end=START + HOUR)
    rig.runner.start()
    assert (await rig.ended("older")).progress == 1
    done = await rig.ended()
    assert (done.progress, done.stored_bars) == (Decimal(1), 120)
    assert {one.symbol for one in rig.provider.asked} == {"ACME"}
    await rig.stop()


async def test_progress_never_falls_and_counts_all_instruments(rig: BackfillRig) -> None:
    await rig.begin("ACME", "BOLT")
    watching = asyncio.create_task(_all(rig.runner.board.follow("b-1")))
    await asyncio.sleep(0.001)
    rig.runner.start()
    seen = await watching
    shares = [one.progress for one in seen]
    assert shares == sorted(shares)
    assert {Decimal(0), Decimal("0.5"), Decimal(1)} < set(shares)
    assert seen[0].state is BackfillState.PENDING
    assert {one.current_symbol for one in seen if one.state is BackfillState.RUNNING} >= {"ACME", "BOLT"}


async def test_a_slow_watcher_sees_the_newest_and_the_end(rig: BackfillRig) -> None:
    await rig.begin()
    following = rig.runner.board.follow("b-1")
    first = await anext(following)
    rig.runner.start()
    await rig.ended()
    rest = await _all(following)
    assert first.state is BackfillState.PENDING
    assert [one.state for one in rest] == [BackfillState.SUCCEEDED]


async def test_nobody_watches_what_is_not_there(rig: BackfillRig) -> None:
    with pytest.raises(NotFound) as refused:
        await anext(rig.runner.board.follow("nothing"))
    assert refused.value.reason == "BACKFILL_NOT_FOUND"


async def test_a_rate_limit_is_waited_out(rig: BackfillRig) -> None:
    rig.provider.troubles.extend([Throttled("slow down", 30.0)] * 5)
    await rig.begin()
    rig.runner.start()
    for waits in range(1, 6):
        await rig.asked(waits)
        await asyncio.sleep(0.002)
        rig.clock.advance(29)
        await asyncio.sleep(0.002)
        assert len(rig.provider.asked) == waits
        assert (await rig.now()).state is BackfillState.RUNNING
        rig.clock.advance(1)
    done = await rig.ended()
    assert (done.state, done.failures) == (BackfillState.SUCCEEDED, ())


async def test_a_provider_that_is_down_for_a_moment_is_asked_again(rig: BackfillRig) -> None:
    rig.provider.troubles.extend([DOWN] * PACE.retries)
    await rig.begin()
    rig.runner.start()
    for waits, seconds in ((1, 1), (2, 2)):
        await rig.asked(waits)
        await asyncio.sleep(0.002)
        rig.clock.advance(seconds)
    assert (await rig.ended()).state is BackfillState.SUCCEEDED


async def test_an_instrument_that_fails_does_not_stop_the_others(rig: BackfillRig) -> None:
    refused = PreconditionFailed("not in the plan", [], reason="PROVIDER_NOT_CAPABLE", provider="scripted")
    await rig.begin("ACME", "BOLT", "CORK")
    rig.provider.symbols.discard("BOLT")  # it was delisted since
    rig.provider.troubles.append(refused)
    rig.runner.start()
    done = await rig.ended()
    assert (done.state, done.settled, done.stored_bars) == (BackfillState.FAILED, ("CORK",), 300)
    told = [(one.symbol, type(one.error()), one.error().reason, one.error().message) for one in done.failures]
    assert told == [
        ("ACME", PreconditionFailed, "PROVIDER_NOT_CAPABLE", "not in the plan"),
        ("BOLT", NotFound, "INSTRUMENT_NOT_FOUND", "symbol: no instrument 'BOLT' at scripted"),
    ]
    assert done.progress == Decimal("0.333333")


async def test_a_provider_that_stays_down_is_a_failure_in_the_end(rig: BackfillRig) -> None:
    rig.provider.troubles.extend([DOWN] * (PACE.retries + 1))
    await rig.begin()
    rig.runner.start()
    for waits in range(1, PACE.retries + 1):
        await rig.asked(waits)
        await asyncio.sleep(0.002)
        rig.clock.advance(4)
    done = await rig.ended()
    [failed] = done.failures
    assert (done.state, failed.error().reason) == (BackfillState.FAILED, "MARKET_DATA_UNAVAILABLE")


async def test_a_defect_of_a_provider_is_logged_and_told_without_its_text(
    rig: BackfillRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.provider.troubles.append(ZeroDivisionError("secret"))
    await rig.begin("ACME", "BOLT")
    rig.runner.start()
    done = await rig.ended()
    assert (done.settled, done.failures[0].error().reason) == (("BOLT",), "INTERNAL")
    assert "secret" not in done.failures[0].message
    assert "secret" in caplog.text


async def test_a_failed_one_goes_on_where_it_stopped(rig: BackfillRig) -> None:
    await rig.begin("ACME", "BOLT")
    rig.provider.answers = 2
    rig.runner.start()
    await rig.asked(3)
    rig.provider.answers = None
    rig.provider.troubles.append(PreconditionFailed("the plan has ended", []))
    rig.provider.gate.set()
    failed = await rig.ended()
    assert (failed.state, failed.settled, failed.stored_bars) == (BackfillState.FAILED, ("BOLT",), 500)
    progress = failed.progress
    rig.provider.asked.clear()
    resumed = await ResumeBackfill("b-1").carry_out(rig.runner)
    assert (resumed.state, resumed.failures, resumed.finished_time) == (BackfillState.PENDING, (), None)
    assert resumed.progress == progress
    done = await rig.ended()
    assert (done.state, done.progress, done.stored_bars) == (BackfillState.SUCCEEDED, Decimal(1), 600)
    assert {(one.symbol, one.start > START + 3 * HOUR) for one in rig.provider.asked} == {("ACME", True)}


async def test_a_canceled_one_ends_soon_keeps_what_is_stored_and_can_be_resumed(rig: BackfillRig) -> None:
    await rig.begin()
    rig.provider.gate.clear()
    rig.runner.start()
    await rig.asked(1)
    canceled = await CancelBackfill("b-1").carry_out(rig.runner)
    assert (canceled.state, canceled.ended) == (BackfillState.CANCELED, True)
    assert await CancelBackfill("b-1").carry_out(rig.runner) == canceled
    rig.provider.gate.set()
    await asyncio.sleep(0.02)
    assert await rig.now() == canceled
    assert len(rig.provider.asked) == 1
    await ResumeBackfill("b-1").carry_out(rig.runner)
    done = await rig.ended()
    assert (done.state, done.stored_bars) == (BackfillState.SUCCEEDED, 300)
    for verb in (CancelBackfill, ResumeBackfill):
        assert await verb("b-1").carry_out(rig.runner) == done


async def test_what_waits_is_canceled_at_once_and_resuming_what_waits_changes_nothing(rig: BackfillRig) -> None:
    waiting = await rig.begin()
    assert await ResumeBackfill("b-1").carry_out(rig.runner) == waiting
    assert (await CancelBackfill("b-1").carry_out(rig.runner)).state is BackfillState.CANCELED
    rig.runner.start()
    await asyncio.sleep(0.02)
    assert rig.provider.asked == []


@pytest.mark.parametrize("verb", [CancelBackfill, ResumeBackfill])
async def test_what_is_not_there_cannot_be_changed(
    rig: BackfillRig, verb: type[CancelBackfill] | type[ResumeBackfill]
) -> None:
    with pytest.raises(NotFound) as refused:
        await verb("nothing").carry_out(rig.runner)
    assert refused.value.reason == "BACKFILL_NOT_FOUND"


async def test_few_run_at_a_time_and_each_provider_is_asked_by_one_of_them(rig: BackfillRig) -> None:
    rig.provider.gate.clear()
    rig.other.gate.clear()
    for name, symbol in (("1", "ACME"), ("2", "BOLT"), ("3", "ECHO")):
        await rig.begin(symbol, backfill_id=name)
    rig.runner.start()
    await rig.until(lambda one: one.state is BackfillState.RUNNING, "2")
    await asyncio.sleep(0.03)
    assert (len(rig.provider.asked), len(rig.other.asked)) == (1, 0)
    assert (await rig.now("3")).state is BackfillState.PENDING
    await CancelBackfill("1").carry_out(rig.runner)
    await rig.asked(1, rig.other)
    assert len(rig.provider.asked) == 2
    rig.provider.gate.set()
    rig.other.gate.set()
    for name in ("2", "3"):
        assert (await rig.ended(name)).state is BackfillState.SUCCEEDED


async def test_what_a_stopped_process_has_left_goes_on_after_the_restart(rig: BackfillRig) -> None:
    await rig.begin("ACME", "BOLT")
    rig.provider.answers = 2
    rig.runner.start()
    await rig.asked(3)
    await rig.runner.stop()
    left = await rig.now()
    assert (left.state, left.owner, left.stored_bars) == (BackfillState.RUNNING, "", 200)
    rig.provider.answers = None
    rig.provider.gate.set()
    rig.provider.asked.clear()
    rig.another().start()
    done = await rig.ended()
    assert (done.state, done.stored_bars) == (BackfillState.SUCCEEDED, 600)
    assert rig.provider.asked[0].start > START + 3 * HOUR


async def test_what_a_dead_process_has_left_is_taken_over_once_its_time_is_up(rig: BackfillRig) -> None:
    begun = await rig.begin()
    dead = begun.taken("the dead", rig.clock.now() + timedelta(seconds=PACE.own_seconds), rig.clock.now())
    assert await rig.runner.board.save(dead) is not None
    rig.runner.start()
    await asyncio.sleep(0.05)
    rig.clock.advance(PACE.own_seconds - 1)
    await asyncio.sleep(0.05)
    assert rig.provider.asked == []
    rig.clock.advance(1)
    assert (await rig.ended()).state is BackfillState.SUCCEEDED


async def test_a_time_that_no_owner_can_have_set_keeps_nobody_waiting(rig: BackfillRig) -> None:
    begun = await rig.begin()
    dead = begun.taken("the dead", rig.clock.now() + timedelta(days=1), rig.clock.now())  # its clock ran faster
    assert await rig.runner.board.save(dead) is not None
    rig.runner.start()
    assert (await rig.ended()).state is BackfillState.SUCCEEDED


async def test_an_owner_that_waits_long_stays_the_owner(rig: BackfillRig) -> None:
    rig.provider.gate.clear()
    await rig.begin()
    rig.runner.start()
    await rig.asked(1)
    another = rig.another()
    another.start()
    for _ in range(12):
        rig.clock.advance(PACE.own_seconds / 3)
        await asyncio.sleep(0.01)
    assert len(rig.provider.asked) == 1
    rig.provider.gate.set()
    assert (await rig.ended()).stored_bars == 300


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_of_two_processes_on_one_database_one_runs_each_backfill(kind: str, tmp_path: Path) -> None:
    async with market_stores(kind, tmp_path) as opens:
        rig = BackfillRig(store=await opens())
        another = rig.another()
        another.board.store = (await opens()).backfills
        for number in range(4):
            await rig.begin("ACME", "BOLT", backfill_id=f"b-{number}", start=START - number * HOUR)
        rig.runner.start()
        another.start()
        for number in range(4):
            done = await rig.ended(f"b-{number}")
            assert (done.state, done.progress) == (BackfillState.SUCCEEDED, Decimal(1))
        assert await rig.settled() == [(START - 3 * HOUR, END)]
        await rig.stop()


async def test_one_that_another_process_has_canceled_stops_at_its_next_step(rig: BackfillRig) -> None:
    await rig.begin()
    rig.provider.gate.clear()
    rig.runner.start()
    await rig.asked(1)
    await CancelBackfill("b-1").carry_out(rig.another())
    rig.provider.gate.set()
    await asyncio.sleep(0.02)
    assert (len(rig.provider.asked), (await rig.now()).state) == (1, BackfillState.CANCELED)


async def test_what_another_process_runs_is_watched_by_looking(rig: BackfillRig) -> None:
    await rig.begin()
    watching = asyncio.create_task(_all(rig.another().board.follow("b-1")))
    rig.runner.start()
    assert (await watching)[-1].state is BackfillState.SUCCEEDED


async def _all(following: AsyncIterator[Backfill]) -> list[Backfill]:
    return [one async for one in following]


class BreakableStore(MemoryBackfillStore):
    broken = False

    async def save(self, backfill: Backfill) -> bool:
        if self.broken:
            raise Unavailable("the disk is gone")
        return await super().save(backfill)


async def test_a_store_that_fails_is_waited_for_and_is_no_failure_of_an_instrument(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = BreakableStore()
    rig = BackfillRig(store=memory_market_store(MemoryBarStore(), store, MemoryInstrumentStore()))
    await rig.begin()
    rig.provider.gate.clear()
    with caplog.at_level(logging.WARNING):
        rig.runner.start()
        await rig.asked(1)
        store.broken = True
        rig.provider.gate.set()
        await asyncio.sleep(0.06)
        store.broken = False
        done = await rig.ended()
    assert (done.state, done.progress, done.failures) == (BackfillState.SUCCEEDED, Decimal(1), ())
    assert "waits for the store" in caplog.text
    await rig.stop()


async def test_a_thousand_instruments_that_are_stored_already_are_settled_in_no_time() -> None:
    rig = BackfillRig(capabilities(history=HOUR))
    symbols = tuple(f"S{number}" for number in range(1000))
    rig.provider.symbols = set(symbols)
    await rig.begin(*symbols, start=LISTED, end=LISTED + HOUR)
    rig.runner.start()
    done = await rig.ended()
    assert (len(done.settled), done.progress, rig.provider.asked) == (1000, Decimal(1), [])
    await rig.stop()


def test_progress_is_a_share_of_all_ranges_rounded_down() -> None:
    begun = Backfill("b", terms("A", "B", "C"), END, NOW, NOW)
    assert begun.progress == 0
    assert begun.advanced("A", END, 5, NOW).progress == Decimal("0.333333")
    part = begun.advanced("A", START + (END - START) / 2, 5, NOW)
    assert (part.progress, part.reached_by("A"), part.settled) == (Decimal("0.166666"), START + 2.5 * HOUR, ())
    assert replace(begun, settled=("A", "B", "C")).progress == 1
