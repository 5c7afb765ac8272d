"""FIX 4.4 Appendix D, group J: executions that are cancelled (busted) or corrected.

J.1.a decides what a bust does to a filled order: it is filled no more, and what was busted can fill again.
J.1.b and J.1.d decide the same for a cancelled and for an ended one: it stays that.
"""

from collections.abc import Sequence

from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from domain.trading.value_objects.order_type import TimeInForce
from tests.support.fix44 import (
    Row,
    accepted,
    bust,
    cancel,
    canceled,
    correct,
    each_of,
    expired,
    follow,
    new,
    replace,
    replaced,
    trade,
)

WORKING = [
    Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000),
    Row(accepted, S.NEW, 10_000, 0, 10_000),
]
PART_FILLED = [*WORKING, Row(trade(5_000, 50, "B"), S.PARTIALLY_FILLED, 10_000, 5_000, 5_000)]

MATRICES = {
    "J.1.a filled, then busted and corrected": [
        *WORKING,
        Row(trade(1_000, 100, "C"), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000, 100),
        Row(trade(9_000, 110, "D"), S.FILLED, 10_000, 10_000, 0, 109),
        Row(bust("C"), S.PARTIALLY_FILLED, 10_000, 9_000, 1_000, 110),
        Row(correct("D", "F", 9_000, 100), S.PARTIALLY_FILLED, 10_000, 9_000, 1_000, 100),
        Row(trade(1_000, 120, "G"), S.FILLED, 10_000, 10_000, 0, 102),
        Row(correct("F", "H", 9_000, 120), S.FILLED, 10_000, 10_000, 0, 120),
    ],
    # The matrix goes on with a replace of the filled order, which is refused here (see the deviations): sent
    # before the last execution instead, it leads to the same rows.
    "J.1.a replaced, then corrected in quantity": [
        *WORKING,
        Row(replace(12_000), S.PENDING_REPLACE, 10_000, 0, 10_000),
        Row(trade(1_000, 120, "G"), S.PENDING_REPLACE, 10_000, 1_000, 9_000, 120),
        Row(trade(9_000, 120, "H"), S.PENDING_REPLACE, 10_000, 10_000, 0, 120),
        Row(replaced, S.PARTIALLY_FILLED, 12_000, 10_000, 2_000, 120),
        Row(correct("H", "K", 9_500, 120), S.PARTIALLY_FILLED, 12_000, 10_500, 1_500, 120),
    ],
    "J.1.b canceled, then busted, then an execution": [
        *PART_FILLED,
        Row(cancel(), S.PENDING_CANCEL, 10_000, 5_000, 5_000),
        Row(canceled, S.CANCELED, 10_000, 5_000, 0),
        Row(bust("B"), S.CANCELED, 10_000, 0, 0),
        Row(trade(4_000, 51, "F"), S.CANCELED, 10_000, 4_000, 0, 51),
    ],
    "J.1.c GTC, both executions corrected in quantity": [
        Row(new(10_000, TimeInForce.GTC), S.PENDING_NEW, 10_000, 0, 10_000),
        Row(accepted, S.NEW, 10_000, 0, 10_000),
        Row(trade(2_000, 50, "B"), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000),
        Row(trade(1_000, 50, "E"), S.PARTIALLY_FILLED, 10_000, 3_000, 7_000),
        Row(correct("B", "F", 1_500), S.PARTIALLY_FILLED, 10_000, 2_500, 7_500),
        Row(correct("E", "G", 500), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000),
    ],
    "J.1.d done for day, then corrected and busted": [
        *PART_FILLED,
        Row(expired, S.EXPIRED, 10_000, 5_000, 0),
        Row(correct("B", "D", 4_000), S.EXPIRED, 10_000, 4_000, 0, 50),
        Row(bust("D"), S.EXPIRED, 10_000, 0, 0),
    ],
}


@each_of(MATRICES)
def test_busts_and_corrections_pass_an_order_through_the_states_of_their_matrix(rows: Sequence[Row]) -> None:
    follow(rows)
