"""FIX 4.4 Appendix D, groups H and I: orders that live on, and orders that live for a moment.

Done for day and restated the next morning are no states here: a GTC order goes on as it was, so those rows
are left out, and the rows after them are FIX's.
"""

from collections.abc import Sequence

from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from domain.trading.value_objects.order_type import CancelReason, TimeInForce
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
    replace,
    replace_rejected,
    replaced,
    trade,
)
from tests.support.trading import Desk

DAY_1 = [
    Row(new(10_000, TimeInForce.GTC), S.PENDING_NEW, 10_000, 0, 10_000),
    Row(accepted, S.NEW, 10_000, 0, 10_000),
    Row(trade(2_000), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000),
]
CANCEL_ASKED = [*DAY_1, Row(cancel(), S.PENDING_CANCEL, 10_000, 2_000, 8_000)]
REPLACE_ASKED = [
    *DAY_1,
    Row(replace(15_000), S.PENDING_REPLACE, 10_000, 2_000, 8_000),
    Row(trade(1_000), S.PENDING_REPLACE, 10_000, 3_000, 7_000),
]
FOK = [Row(new(10_000, TimeInForce.FOK), S.PENDING_NEW, 10_000, 0, 10_000)]
IOC = [Row(new(10_000, TimeInForce.IOC), S.PENDING_NEW, 10_000, 0, 10_000)]

MATRICES = {
    "H.1.a filled the following day": [
        *DAY_1,
        Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 3_000, 7_000),
        Row(trade(7_000), S.FILLED, 10_000, 10_000, 0),
    ],
    "H.1.c canceled the following day": [*CANCEL_ASKED, Row(canceled, S.CANCELED, 10_000, 2_000, 0)],
    "H.1.c cancel rejected": [*CANCEL_ASKED, Row(cancel_rejected, S.PARTIALLY_FILLED, 10_000, 2_000, 8_000)],
    "H.1.d replaced the following day": [*REPLACE_ASKED, Row(replaced, S.PARTIALLY_FILLED, 15_000, 3_000, 12_000)],
    "H.1.d replace rejected": [*REPLACE_ASKED, Row(replace_rejected, S.PARTIALLY_FILLED, 10_000, 3_000, 7_000)],
    "I.1.a FOK that cannot be filled": [
        *FOK,
        Row(accepted, S.NEW, 10_000, 0, 10_000),
        Row(canceled, S.CANCELED, 10_000, 0, 0),
    ],
    "I.1.a FOK rejected": [*FOK, Row(rejected, S.REJECTED, 10_000, 0, 0)],
    "I.1.b IOC that fills in part": [
        *IOC,
        Row(accepted, S.NEW, 10_000, 0, 10_000),
        Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000),
        Row(canceled, S.CANCELED, 10_000, 1_000, 0),
    ],
    "I.1.b IOC rejected": [*IOC, Row(rejected, S.REJECTED, 10_000, 0, 0)],
}


@each_of(MATRICES)
def test_time_in_force_passes_an_order_through_the_states_of_its_matrix(rows: Sequence[Row]) -> None:
    follow(rows)


def test_i_1_b_the_rest_of_an_ioc_order_is_canceled_because_it_was_not_filled_at_once() -> None:
    desk = Desk()
    for row in MATRICES["I.1.b IOC that fills in part"]:
        row.action(desk)
    assert desk.order().cancel_reason is CancelReason.NOT_FILLED_AT_ONCE
