"""FIX 4.4 Appendix D, group D: one replace request after another, and one upon another.

A broker may process chained requests (D.2.a-c) or refuse the second while one is pending (D.2.d). Here the
second is always refused before it is sent, so D.2.d is the only matrix of the two that can come about.
"""

from collections.abc import Sequence

from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from tests.support.fix44 import Row, accepted, each_of, follow, new, refused, replace, replace_rejected, replaced, trade

PART_FILLED = [
    Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000),
    Row(accepted, S.NEW, 10_000, 0, 10_000),
    Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000),
]
ASKED = [*PART_FILLED, Row(replace(8_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000)]
SECOND_ASKED_ON_10000 = [
    Row(trade(2_000), S.PARTIALLY_FILLED, 10_000, 3_500, 6_500),
    Row(replace(6_000), S.PENDING_REPLACE, 10_000, 3_500, 6_500),
    Row(replaced, S.PARTIALLY_FILLED, 6_000, 3_500, 2_500),
    Row(trade(1_500), S.PARTIALLY_FILLED, 6_000, 5_000, 1_000),
]
SECOND_IS_REFUSED = Row(refused(replace(7_000), "ORDER_NOT_REPLACEABLE"), S.PENDING_REPLACE, 10_000, 1_000, 9_000)

MATRICES = {
    "D.1.a accepted, and another accepted": [
        *ASKED,
        Row(trade(500), S.PENDING_REPLACE, 10_000, 1_500, 8_500),
        Row(replaced, S.PARTIALLY_FILLED, 8_000, 1_500, 6_500),
        Row(trade(2_000), S.PARTIALLY_FILLED, 8_000, 3_500, 4_500),
        Row(replace(6_000), S.PENDING_REPLACE, 8_000, 3_500, 4_500),
        Row(trade(500), S.PENDING_REPLACE, 8_000, 4_000, 4_000),
        Row(replaced, S.PARTIALLY_FILLED, 6_000, 4_000, 2_000),
        Row(trade(2_000), S.FILLED, 6_000, 6_000, 0),
    ],
    "D.1.b rejected at once, and another accepted": [
        *ASKED,
        Row(replace_rejected, S.PARTIALLY_FILLED, 10_000, 1_000, 9_000),
        Row(trade(500), S.PARTIALLY_FILLED, 10_000, 1_500, 8_500),
        *SECOND_ASKED_ON_10000,
    ],
    "D.1.c rejected after an execution, and another accepted": [
        *ASKED,
        Row(trade(500), S.PENDING_REPLACE, 10_000, 1_500, 8_500),
        Row(replace_rejected, S.PARTIALLY_FILLED, 10_000, 1_500, 8_500),
        *SECOND_ASKED_ON_10000,
    ],
    "D.2.d the second is refused while the first is pending": [
        *ASKED,
        SECOND_IS_REFUSED,
        Row(replaced, S.PARTIALLY_FILLED, 8_000, 1_000, 7_000),
        Row(trade(2_000), S.PARTIALLY_FILLED, 8_000, 3_000, 5_000),
    ],
    "D.2.c the first is rejected too": [
        *ASKED,
        SECOND_IS_REFUSED,
        Row(replace_rejected, S.PARTIALLY_FILLED, 10_000, 1_000, 9_000),
        Row(trade(6_000), S.PARTIALLY_FILLED, 10_000, 7_000, 3_000),
    ],
}


@each_of(MATRICES)
def test_an_order_changed_more_than_once_passes_through_the_states_of_its_matrix(rows: Sequence[Row]) -> None:
    follow(rows)
