import asyncio
from collections.abc import Awaitable, Callable

import pytest

from adapters.persistence.store import Store
from application.ports.journal import Batch, Fenced, JournalUnavailable
from domain.trading.events.order_events import Event, EventType
from tests.support.ledger import FailingAt, Ledger, events, loaded

OpenStore = Callable[..., Awaitable[Store]]

BEFORE_COMMIT = [
    "journal_begin",
    "journal_begin_done",
    "journal_insert",
    "journal_insert_done",
    "journal_commit",
]


# -- what is refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sequence", [1, 2, 4, 5])
async def test_an_event_that_is_not_the_next_is_refused(store: Store, ledger: Ledger, sequence: int) -> None:
    ledger.place("c-1")
    await store.journal.append(ledger.take())
    ledger.sequence = sequence - 1
    ledger.place("c-2")
    with pytest.raises(JournalUnavailable):
        await store.journal.append(ledger.take())
    assert [event.sequence for event in await events(store)] == [1, 2]


async def test_a_gap_within_a_batch_is_refused(store: Store, ledger: Ledger) -> None:
    ledger.place("c-1")
    ledger.place("c-2")
    del ledger.batch.events[0]
    with pytest.raises(JournalUnavailable):
        await store.journal.append(ledger.take())
    assert len(await events(store)) == 1


async def test_a_callers_id_is_never_used_twice(store: Store, ledger: Ledger) -> None:
    first = ledger.cancel(ledger.place("c-1"))
    await store.journal.append(ledger.take())
    ledger.place("c-2")
    ledger.place("c-1")
    with pytest.raises(JournalUnavailable) as refused:
        await store.journal.append(ledger.take())
    assert refused.value.__cause__ is not None
    assert [event.sequence for event in await events(store)] == [1, 2, 3]
    assert list(await store.journal.orders_by_client_id("desk", ["c-1", "c-2"])) == [first]


async def test_an_execution_is_never_booked_by_two_events(store: Store, ledger: Ledger) -> None:
    order = ledger.place("c-1")
    fill = ledger.fill(order, "x-1")
    await store.journal.append(ledger.take())
    ledger.fill(order, "x-1")
    with pytest.raises(JournalUnavailable) as refused:
        await store.journal.append(ledger.take())
    assert refused.value.__cause__ is not None
    assert list(await store.journal.fills_of_symbol("desk", "ACME")) == [fill]


async def test_the_same_execution_id_may_come_from_two_accounts(store: Store, ledger: Ledger) -> None:
    other = Ledger("other")
    await store.journal.append(other.opened())
    for each in (ledger, other):
        each.fill(each.place("c-1"), "x-1")
        await store.journal.append(each.take())
        assert len((await loaded(store, each.account_id)).fills) == 1


# -- failures -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", BEFORE_COMMIT)
async def test_what_fails_before_its_commit_leaves_nothing(
    store: Store, ledger: Ledger, failing: FailingAt, point: str
) -> None:
    before = await loaded(store)
    failing.point = point
    ledger.fill(ledger.place("c-1"), "x-1")
    ledger.hold("ACME", 1)
    failed = ledger.take()
    with pytest.raises(JournalUnavailable) as refused:
        await store.journal.append(failed)
    assert isinstance(refused.value.__cause__, OSError)
    assert await loaded(store) == before

    await store.journal.append(failed)
    assert (await loaded(store)).sequence == 3


async def test_what_fails_after_its_commit_is_found_when_it_is_read_back(
    store: Store, ledger: Ledger, failing: FailingAt
) -> None:
    failing.point = "journal_commit_done"
    order = ledger.place("c-1")
    with pytest.raises(JournalUnavailable):
        await store.journal.append(ledger.take())
    snapshot = await loaded(store)
    assert (snapshot.sequence, list(snapshot.orders)) == (2, [order])
    ledger.cancel(order)
    await store.journal.append(ledger.take())
    assert (await loaded(store)).sequence == 3


async def test_who_does_not_read_back_can_not_write_the_same_events_twice(
    store: Store, ledger: Ledger, failing: FailingAt
) -> None:
    failing.point = "journal_commit_done"
    ledger.place("c-1")
    batch = ledger.take()
    for _ in range(2):
        with pytest.raises(JournalUnavailable):
            await store.journal.append(batch)
    assert len(await events(store)) == 2


async def test_a_caller_that_is_cancelled_neither_stops_its_append_nor_harms_the_next(
    store: Store, ledger: Ledger
) -> None:
    for number in range(20):
        ledger.place(f"cancelled-{number}")
        append = asyncio.ensure_future(store.journal.append(ledger.take()))
        await asyncio.sleep(0)
        append.cancel()
        await asyncio.wait([append])
        ledger.place(f"kept-{number}")
        await store.journal.append(ledger.take())
    assert [event.sequence for event in await events(store)] == list(range(1, 42))
    assert len((await loaded(store)).orders) == 40


async def test_appends_that_are_asked_for_at_once_are_written_in_turn(store: Store, ledger: Ledger) -> None:
    batches = []
    for number in range(20):
        ledger.place(f"c-{number}")
        batches.append(ledger.take())
    await asyncio.gather(*map(store.journal.append, batches))
    assert [event.sequence for event in await events(store)] == list(range(1, 22))


# -- one writer -----------------------------------------------------------------------------------------


async def test_each_take_over_raises_the_epoch_by_one(open_another: OpenStore) -> None:
    first, second = await open_another(), await open_another()
    assert [await first.journal.take_over(), await second.journal.take_over()] == [1, 2]
    assert await first.journal.take_over() == 3


async def test_who_never_took_over_writes_nothing(open_another: OpenStore) -> None:
    store = await open_another()
    with pytest.raises(Fenced):
        await store.journal.append(Ledger().opened())
    assert list(await store.journal.account_ids()) == []


async def test_a_newer_writer_fences_the_older_one_for_good(
    store: Store, ledger: Ledger, open_another: OpenStore
) -> None:
    newer = await open_another()
    await newer.journal.take_over()
    await loaded(newer)
    ledger.place("from-the-older")
    refused = ledger.take()
    for _ in range(2):
        with pytest.raises(Fenced):
            await store.journal.append(refused)
    ledger.sequence = 1
    order = ledger.place("from-the-newer")
    await newer.journal.append(ledger.take())
    assert list((await loaded(store)).orders) == [order]
    assert [event.sequence for event in await events(newer)] == [1, 2]


async def test_while_two_writers_fight_every_answer_is_true(open_another: OpenStore) -> None:
    """Each takes over again and again and appends until it is fenced. Whatever it was told was written is there,
    by nobody else, and whatever it was told was not is not.
    """
    first, second = await open_another(), await open_another()
    await first.journal.take_over()
    await first.journal.append(Ledger().opened())
    said = await asyncio.gather(_fight(first, "first"), _fight(second, "second"))
    written = [event.reason for event in (await events(first))[1:]]
    assert sorted(written) == sorted([*said[0], *said[1]])
    assert [event.sequence for event in await events(second)] == list(range(1, len(written) + 2))
    assert all(said)


async def _fight(store: Store, name: str) -> list[str]:
    """What `store` was told was written, by the reasons that its events give."""
    written: list[str] = []
    turn = 0
    while turn < 8 or not written:
        turn += 1
        await store.journal.take_over()
        sequence = (await loaded(store)).sequence
        for number in range(1, 20):
            reason = f"{name}-{turn}-{number}"
            time = Ledger().account.created_time
            event = Event("desk", sequence + number, time, "user:test", EventType.ORDER_PLACED, reason=reason)
            try:
                await store.journal.append(Batch(events=[event]))
            except Fenced:
                break
            written.append(reason)
            await asyncio.sleep(0)
    return written
