"""FIX 4.4 Appendix D, group B: cancel requests."""

from collections.abc import Sequence

import pytest

from domain.errors import NotFound
from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from tests.support.fix44 import (
    Row,
    accepted,
    cancel,
    cancel_rejected,
    canceled,
    each_of,
    follow,
    new,
    rejected,
    trade,
)
from tests.support.trading import Desk

SENT = [Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000)]
WORKING = [*SENT, Row(accepted, S.NEW, 10_000, 0, 10_000)]
ASKED = [*WORKING, Row(cancel(), S.PENDING_CANCEL, 10_000, 0, 10_000)]
PART_FILLED = [*WORKING, Row(trade(2_000), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000)]
# The execution for 3000 passes the request on the connection: here the order is pending already.
PART_FILLED_AND_ASKED = [
    *PART_FILLED,
    Row(cancel(), S.PENDING_CANCEL, 10_000, 2_000, 8_000),
    Row(trade(3_000), S.PENDING_CANCEL, 10_000, 5_000, 5_000),
]
FILLED_WHILE_ASKED = [*PART_FILLED_AND_ASKED, Row(trade(5_000), S.PENDING_CANCEL, 10_000, 10_000, 0)]
ASKED_AT_ONCE = [*SENT, Row(cancel(), S.PENDING_CANCEL, 10_000, 0, 10_000)]

MATRICES = {
    "B.1.a canceled": [*ASKED, Row(canceled, S.CANCELED, 10_000, 0, 0)],
    "B.1.a cancel rejected": [*ASKED, Row(cancel_rejected, S.NEW, 10_000, 0, 10_000)],
    "B.1.b canceled after executions": [
        *PART_FILLED_AND_ASKED,
        Row(trade(1_000), S.PENDING_CANCEL, 10_000, 6_000, 4_000),
        Row(canceled, S.CANCELED, 10_000, 6_000, 0),
    ],
    "B.1.b cancel rejected at once": [
        *PART_FILLED_AND_ASKED,
        Row(cancel_rejected, S.PARTIALLY_FILLED, 10_000, 5_000, 5_000),
    ],
    "B.1.b cancel rejected after executions": [
        *PART_FILLED_AND_ASKED,
        Row(trade(1_000), S.PENDING_CANCEL, 10_000, 6_000, 4_000),
        Row(cancel_rejected, S.PARTIALLY_FILLED, 10_000, 6_000, 4_000),
    ],
    "B.1.c filled before the cancel: too late": [
        *FILLED_WHILE_ASKED,
        Row(cancel_rejected, S.FILLED, 10_000, 10_000, 0),
    ],
    "B.1.d canceled after its acknowledgement": [
        *ASKED_AT_ONCE,
        Row(accepted, S.PENDING_CANCEL, 10_000, 0, 10_000),
        Row(canceled, S.CANCELED, 10_000, 0, 0),
    ],
    "B.1.d canceled before it is accepted": [*ASKED_AT_ONCE, Row(canceled, S.CANCELED, 10_000, 0, 0)],
    "B.1.d rejected although a cancel is pending": [*ASKED_AT_ONCE, Row(rejected, S.REJECTED, 10_000, 0, 0)],
    "B.1.e request and acknowledgement cross": [*ASKED, Row(canceled, S.CANCELED, 10_000, 0, 0)],
}


@each_of(MATRICES)
def test_an_order_asked_to_cancel_passes_through_the_states_of_its_matrix(rows: Sequence[Row]) -> None:
    follow(rows)


def test_b_1_f_a_cancel_of_an_unknown_order_is_refused_and_uses_up_no_id() -> None:
    desk = Desk()
    with pytest.raises(NotFound):
        desk.cancel("x")
    assert desk.place(client_order_id="x").status is S.PENDING_NEW
