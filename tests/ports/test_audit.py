from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.persistence.store import Store
from application.ports.audit import AuditFilter
from application.ports.journal import Batch, JournalUnavailable
from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord
from tests.support.domain_values import values
from tests.support.ledger import START, FailingAt, Ledger, loaded

EVERYTHING = AuditFilter()
PLACE = "quantmesh.trading.v1.OrderService/PlaceOrder"
CANCEL = "quantmesh.trading.v1.OrderService/CancelOrder"


def record(number: int, **more: Any) -> AuditRecord:
    fields: dict[str, Any] = {
        "record_time": START + timedelta(seconds=number),
        "account_id": "desk",
        "actor": "user:test",
        "rpc": PLACE,
        "outcome": AuditOutcome.ALLOWED,
        "peer": "ipv4:127.0.0.1:50000",
        "request": b"\x0a\x04desk\xff",
    }
    return AuditRecord(f"{number:026}", **fields | more)


async def write(store: Store, *records: AuditRecord) -> None:
    await store.journal.append(Batch(audit=list(records)))


async def listed(store: Store, newest_first: bool = False, **where: Any) -> list[AuditRecord]:
    return list(await store.audit.records(AuditFilter(**where), None, 100, newest_first))


async def test_a_record_is_written_without_an_event(store: Store) -> None:
    assert await listed(store) == []
    told = record(1, error=b"\x08\x07", reason="a \0 reason", sequence=7, account_id="")
    await write(store, told)
    assert await listed(store) == [told]


async def test_a_record_is_written_with_the_change_or_not_at_all(
    store: Store, ledger: Ledger, failing: FailingAt
) -> None:
    ledger.place("c-1")
    batch = ledger.take()
    batch.audit.append(record(1))
    failing.point = "journal_commit"
    with pytest.raises(JournalUnavailable):
        await store.journal.append(batch)
    assert ((await loaded(store)).sequence, await listed(store)) == (1, [])
    await store.journal.append(batch)
    assert ((await loaded(store)).sequence, await listed(store)) == (2, [record(1)])


async def test_of_two_records_of_one_call_the_first_stays(store: Store) -> None:
    await write(store, record(1))
    await write(store, record(2), record(1)._replace(outcome=AuditOutcome.FAILED))
    assert await listed(store) == [record(1), record(2)]


async def test_records_are_read_by_another_server(store: Store, open_another: Any) -> None:
    await write(store, record(1))
    assert await listed(await open_another()) == [record(1)]


@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_go_by_time_and_records_between_them_do_not_shift_them(store: Store, newest_first: bool) -> None:
    # Ids of several processes: they do not rise with the time, and some times are the same.
    times = [3, 1, 2, 2, 2, 5, 4]
    records = [record(i, record_time=START + timedelta(seconds=time)) for i, time in enumerate(times)]
    await write(store, *records)
    expected = sorted(records, key=lambda one: (one.record_time, one.audit_record_id), reverse=newest_first)
    found: list[AuditRecord] = []
    place = None
    while page := await store.audit.records(EVERYTHING, place, 2, newest_first):
        assert len(page) <= 2
        found += page
        place = page[-1].record_time, page[-1].audit_record_id
        await write(store, record(100 + len(found), record_time=START + timedelta(seconds=0 if newest_first else 99)))
        if len(found) >= len(records):
            break
    assert found[: len(records)] == expected


async def test_filters_are_joined_by_and(store: Store) -> None:
    records = [
        record(0),
        record(1, account_id="other"),
        record(2, actor="user:else"),
        record(3, rpc=CANCEL),
        record(4, outcome=AuditOutcome.DENIED),
        record(5, outcome=AuditOutcome.FAILED, actor="user:else", account_id=""),
    ]
    await write(store, *records)
    for where, numbers in (
        ({}, range(6)),
        ({"account_id": "desk"}, [0, 2, 3, 4]),
        ({"actor": "user:else"}, [2, 5]),
        ({"rpc": CANCEL}, [3]),
        ({"outcome": AuditOutcome.DENIED}, [4]),
        ({"outcome": AuditOutcome.FAILED}, [5]),
        ({"outcome": AuditOutcome.ALLOWED, "account_id": "desk", "actor": "user:test"}, [0, 3]),
        ({"recorded_from": START + timedelta(seconds=2)}, [2, 3, 4, 5]),
        ({"recorded_before": START + timedelta(seconds=2)}, [0, 1]),
        ({"recorded_from": START + timedelta(seconds=2), "recorded_before": START + timedelta(seconds=3)}, [2]),
        ({"account_id": "nobody"}, []),
    ):
        expected = [records[number] for number in numbers]
        assert await listed(store, **where) == expected
        assert await listed(store, newest_first=True, **where) == expected[::-1]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    told=values(
        AuditRecord,
        audit_record_id=st.just("one"),
    )
)
async def test_whatever_is_recorded_comes_back_equal(store: Store, told: AuditRecord) -> None:
    told = told._replace(audit_record_id=f"{len(await store.audit.records(EVERYTHING, None, 1000, True)):026}")
    await write(store, told)
    assert told in await store.audit.records(EVERYTHING, None, 1000, True)


async def test_many_records_fit_in_one_batch(store: Store) -> None:
    records = [record(number) for number in range(200)]
    await write(store, *records)
    assert list(await store.audit.records(EVERYTHING, None, 1000, False)) == records
