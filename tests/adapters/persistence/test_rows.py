from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table

from adapters.persistence import tables
from adapters.persistence.codec import encode
from adapters.persistence.rows import microseconds, rows_of
from application.ports.journal import Batch
from domain.trading.value_objects.money import Money
from domain.trading.value_objects.order_type import Side
from tests.support.ledger import D, Ledger


def named(batch: Batch, table: Table) -> list[dict[str, Any]]:
    """The rows of `table`, by the names of its columns."""
    [rows] = [rows for written, rows in rows_of(batch) if written is table]
    return [dict(zip(table.columns.keys(), row, strict=True)) for row in rows]


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger()
    ledger.opened()
    return ledger


def test_an_orders_columns_are_what_lists_filter_by(ledger: Ledger) -> None:
    order = ledger.change(ledger.place("c-1", side=Side.SELL, strategy_id="s-1", group_id="g-1"), cancel_pending=True)
    assert named(ledger.batch, tables.orders) == [
        {
            "account_id": "desk",
            "order_id": "desk-000002",
            "client_order_id": "c-1",
            "created_sequence": 2,
            "created_time": 1_748_874_602_000_000,
            "symbol": "ACME",
            "side": "SELL",
            "status": "PENDING_CANCEL",
            "strategy_id": "s-1",
            "group_id": "g-1",
            "is_open": True,
            "body": encode(order),
        }
    ]


def test_a_fills_columns_are_what_lists_filter_by(ledger: Ledger) -> None:
    fill = ledger.fill(ledger.place("c-1", strategy_id="s-1"), "x-1")
    assert named(ledger.batch, tables.fills) == [
        {
            "account_id": "desk",
            "sequence": 3,
            "execution_id": "x-1",
            "order_id": "desk-000002",
            "symbol": "ACME",
            "side": "BUY",
            "strategy_id": "s-1",
            "fill_time": 1_748_874_603_000_000,
            "busted": False,
            "body": encode(fill),
        }
    ]


def test_what_an_order_lacks_is_null_so_that_indexes_leave_it_out(ledger: Ledger) -> None:
    ledger.cancel(ledger.place("c-1"))
    [row] = named(ledger.batch, tables.orders)
    assert (row["strategy_id"], row["group_id"], row["is_open"]) == (None, None, False)


def test_the_event_and_the_order_share_one_body(ledger: Ledger) -> None:
    placed = ledger.place("c-1")
    ledger.change(placed)
    (_, [first, second]), (_, [order]) = rows_of(ledger.batch)
    assert [first[2], second[2]] == ["desk-000002"] * 2
    assert first[-1] == encode(placed)
    assert second[-1] is order[-1]


def test_an_event_of_the_account_has_no_order(ledger: Ledger) -> None:
    [event] = named(Ledger().opened(), tables.journal)
    assert (event["order_id"], event["order_body"]) == (None, None)


def test_a_position_is_flat_without_a_quantity(ledger: Ledger) -> None:
    ledger.hold("ACME", -1)
    ledger.hold("OTHER", 0)
    assert [row["is_flat"] for row in named(ledger.batch, tables.positions)] == [False, True]


def test_cash_is_kept_as_its_digits() -> None:
    batch = Batch(cash={("desk", "USD"): Money(D("-0.10"), "USD")})
    assert named(batch, tables.cash) == [{"account_id": "desk", "currency": "USD", "amount": "-0.10"}]


def test_tables_that_a_batch_does_not_touch_are_left_out(ledger: Ledger) -> None:
    ledger.place("c-1")
    assert [table for table, _ in rows_of(ledger.batch)] == [tables.journal, tables.orders]
    assert rows_of(Batch()) == []


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 zone is given
def test_microseconds_are_exact(time: datetime) -> None:
    assert datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(time)) == time
