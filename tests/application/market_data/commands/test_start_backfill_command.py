import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from application.market_data.backfill import BackfillState
from application.market_data.commands.start_backfill_command import StartBackfill
from domain.errors import AlreadyExists, InvalidArgument, NotFound, PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval, PriceAdjustment
from tests.support.backfills import END, NOW, PACE, START, BackfillRig, terms


@pytest.fixture
async def rig() -> AsyncIterator[BackfillRig]:
    rig = BackfillRig()
    yield rig
    await rig.stop()


async def test_it_is_answered_at_once_and_stored(rig: BackfillRig) -> None:
    begun = await rig.begin("ACME", "BOLT")
    assert (begun.state, begun.end) == (BackfillState.PENDING, END)
    assert (begun.created_time, begun.updated_time, begun.finished_time) == (NOW, NOW, None)
    assert await rig.now() == begun
    assert rig.provider.asked == []


async def test_repeating_it_answers_with_the_backfill_as_it_is(rig: BackfillRig) -> None:
    await rig.begin(end=None)
    rig.runner.start()
    done = await rig.ended()
    rig.clock.advance(60)
    rig.provider.symbols.clear()
    assert await rig.begin(end=None) == done


@pytest.mark.parametrize(
    "other",
    [
        {"symbols": ("BOLT",)},
        {"symbols": ("ACME", "BOLT")},
        {"interval": BarInterval.HOUR_1},
        {"start": START + timedelta(seconds=1)},
        {"end": END + timedelta(seconds=1)},
        {"end": None},
        {"adjustment": PriceAdjustment.ALL},
        {"provider": "scripted"},
        {"extended_hours": True},
    ],
)
async def test_an_id_with_other_content_is_refused(rig: BackfillRig, other: dict[str, Any]) -> None:
    begun = await rig.begin()
    with pytest.raises(AlreadyExists) as refused:
        await rig.begin(**other)
    assert refused.value.reason == "JOB_ALREADY_EXISTS"
    assert await rig.now() == begun


async def test_without_an_id_each_is_another(rig: BackfillRig) -> None:
    one, other = [await rig.begin(backfill_id="") for _ in range(2)]
    assert one.backfill_id != other.backfill_id
    assert await rig.now(one.backfill_id) == one


async def test_two_who_start_the_same_at_once_get_the_same(rig: BackfillRig) -> None:
    one, other = await asyncio.gather(rig.begin(), rig.begin())
    assert one == other


@pytest.mark.parametrize(
    ("symbols", "more", "error", "reason", "says"),
    [
        (("ACME", "NONE"), {}, NotFound, "INSTRUMENT_NOT_FOUND", "symbols[1]: no instrument 'NONE' at scripted"),
        (("ACME",), {"provider": "nobody"}, NotFound, "PROVIDER_NOT_FOUND", "provider: no provider 'nobody'"),
        (("ACME",), {"interval": BarInterval.WEEK_1}, PreconditionFailed, "PROVIDER_NOT_CAPABLE", "symbols[0]: "),
        (("ACME",), {"extended_hours": True}, PreconditionFailed, "PROVIDER_NOT_CAPABLE", "extended_hours"),
    ],
)
async def test_it_begins_with_all_instruments_or_with_none(
    rig: BackfillRig,
    symbols: tuple[str, ...],
    more: dict[str, Any],
    error: type[NotFound] | type[PreconditionFailed],
    reason: str,
    says: str,
) -> None:
    with pytest.raises(error) as refused:
        await rig.begin(*symbols, **more)
    assert refused.value.reason == reason
    assert says in refused.value.message
    with pytest.raises(NotFound):
        await rig.now()


async def test_the_first_of_many_that_is_not_there_is_named(rig: BackfillRig) -> None:
    rig.provider.symbols = {f"S{number}" for number in range(1000)} - {"S777", "S778"}
    with pytest.raises(NotFound) as refused:
        await rig.begin(*(f"S{number}" for number in range(1000)))
    assert refused.value.message.startswith("symbols[777]: ")


async def test_a_range_that_has_not_begun_needs_an_end(rig: BackfillRig) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await rig.begin(start=NOW, end=None)
    assert refused.value.field == "start_time"


async def test_a_full_queue_refuses_more_and_still_answers_repeated_requests() -> None:
    rig = BackfillRig(pace=replace(PACE, most_unfinished=2))
    begun = [await rig.begin(backfill_id=name) for name in ("one", "two")]
    with pytest.raises(Throttled) as refused:
        await rig.begin(backfill_id="three")
    assert (refused.value.reason, refused.value.retry_after_seconds > 0) == ("QUEUE_FULL", True)
    assert await rig.begin(backfill_id="two") == begun[1]
    rig.runner.start()
    await rig.ended("one")
    await rig.ended("two")
    await rig.begin(backfill_id="three")
    await rig.stop()


async def test_a_provider_that_does_not_answer_starts_nothing(rig: BackfillRig) -> None:
    class Down:
        async def instrument(self, symbol: str) -> None:
            raise Unavailable("the line is dead", reason="MARKET_DATA_UNAVAILABLE")

    rig.provider.instrument = Down().instrument  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await StartBackfill("b-1", terms()).carry_out(rig.runner)
    assert await rig.runner.board.store.get("b-1") is None
