"""kill -9 in the middle of appends: what was answered is there, and nothing is there by half."""

import subprocess
import sys
from pathlib import Path

import pytest

from adapters.persistence.store import Store, open_store
from domain.trading.repositories.order_repository import FillFilter, OrderFilter
from tests.support.ledger import Ledger
from tests.support.postgres import postgres_server

ROOT = Path(__file__).resolve().parents[3]
WRITER = Path(__file__).with_name("crashing_writer.py")
POINTS = [f"journal_{stage}{after}" for stage in ("begin", "insert", "commit") for after in ("", "_done")]


def start(url: str, point: str = "never", times: int = 0) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, str(WRITER), url, point, str(times)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )


async def whole(store: Store) -> int:
    """The last sequence number, once journal and read models are seen to agree."""
    events = await store.orders.events("desk", 0, 100_000)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    newest = {event.order.order_id: event.order for event in events if event.order}
    assert list(await store.orders.orders("desk", OrderFilter(), None, 100_000, False)) == list(newest.values())
    booked = [event.fill for event in events if event.fill]
    assert list(await store.orders.fills("desk", FillFilter(), None, 100_000, False)) == booked
    # A batch is 20 orders with a fill each, or the account's first event: never a part of one.
    assert len(events) % 40 == 1
    return len(events)


async def reopened(url: str, answered: int, at_most: int) -> None:
    """The store is whole, holds what was answered and at most one batch more, and goes on from there."""
    store = await open_store(url)
    await store.journal.take_over()
    last = await whole(store)
    assert answered <= last <= at_most
    snapshot = await store.journal.load("desk")
    assert snapshot is not None
    assert snapshot.sequence == last
    ledger = Ledger()
    ledger.sequence = last
    ledger.place("after")
    await store.journal.append(ledger.take())
    await store.close()


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_a_named_point_loses_nothing_that_was_answered(tmp_path: Path, point: str) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    printed, _ = start(url, point, times=4).communicate(timeout=30)
    answered = [int(line) for line in printed.split()]
    assert answered == [1, 41, 81]
    is_committed = point == "journal_commit_done"
    await reopened(url, answered=121 if is_committed else 81, at_most=121 if is_committed else 81)


@pytest.mark.parametrize("point", ["journal_commit", "journal_commit_done"])
async def test_a_kill_at_a_named_point_loses_nothing_in_postgresql(point: str) -> None:
    url = postgres_server().new_database()
    printed, _ = start(url, point, times=4).communicate(timeout=30)
    assert [int(line) for line in printed.split()] == [1, 41, 81]
    last = 121 if point == "journal_commit_done" else 81
    await reopened(url, answered=last, at_most=last)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("answers", [2, 9, 30])
async def test_a_kill_from_outside_loses_nothing_that_was_answered(tmp_path: Path, database: str, answers: int) -> None:
    is_sqlite = database == "sqlite"
    url = f"sqlite:///{tmp_path / 'store.db'}" if is_sqlite else postgres_server().new_database()
    writer = start(url)
    assert writer.stdout is not None
    answered = [int(writer.stdout.readline()) for _ in range(answers)]
    writer.kill()
    answered += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    writer.stdout.close()
    await reopened(url, answered[-1], at_most=answered[-1] + 40)
