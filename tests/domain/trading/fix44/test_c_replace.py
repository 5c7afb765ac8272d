"""FIX 4.4 Appendix D, group C: replace requests that change the quantity, or leave it."""

from collections.abc import Sequence

from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from tests.support.fix44 import (
    Row,
    accepted,
    each_of,
    follow,
    new,
    rejected,
    replace,
    replace_rejected,
    replaced,
    trade,
)

SENT = [Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000)]
WORKING = [*SENT, Row(accepted, S.NEW, 10_000, 0, 10_000)]
PART_FILLED = [*WORKING, Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000)]

UP_FROM_ZERO = [*WORKING, Row(replace(11_000), S.PENDING_REPLACE, 10_000, 0, 10_000)]
UP_WITH_A_FILL = [
    *PART_FILLED,
    Row(replace(12_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
    Row(trade(100), S.PENDING_REPLACE, 10_000, 1_100, 8_900),
]
SAME_QUANTITY = [
    *PART_FILLED,
    Row(replace(price=51), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
    Row(trade(9_000), S.PENDING_REPLACE, 10_000, 10_000, 0),
]
DOWN_WITH_FILLS = [
    *PART_FILLED,
    Row(replace(8_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
    Row(trade(500), S.PENDING_REPLACE, 10_000, 1_500, 8_500),
    Row(trade(100), S.PENDING_REPLACE, 10_000, 1_600, 8_400),
]
DOWN_TO_7000 = [*WORKING, Row(replace(7_000), S.PENDING_REPLACE, 10_000, 0, 10_000)]

MATRICES = {
    "C.1.a up, then executions": [
        *UP_FROM_ZERO,
        Row(replaced, S.NEW, 11_000, 0, 11_000),
        Row(trade(1_000), S.PARTIALLY_FILLED, 11_000, 1_000, 10_000),
        Row(trade(2_000), S.PARTIALLY_FILLED, 11_000, 3_000, 8_000),
    ],
    "C.1.a replace rejected": [*UP_FROM_ZERO, Row(replace_rejected, S.NEW, 10_000, 0, 10_000)],
    "C.1.a order rejected": [*SENT, Row(rejected, S.REJECTED, 10_000, 0, 0)],
    "C.1.b up with an execution meanwhile": [
        *UP_WITH_A_FILL,
        Row(replaced, S.PARTIALLY_FILLED, 12_000, 1_100, 10_900),
        Row(trade(10_900), S.FILLED, 12_000, 12_000, 0),
    ],
    "C.1.b replace rejected": [*UP_WITH_A_FILL, Row(replace_rejected, S.PARTIALLY_FILLED, 10_000, 1_100, 8_900)],
    # C.1.c as far as the request was sent before the fill; see the deviations for one that is sent after it.
    "C.1.c up, filled meanwhile": [
        *WORKING,
        Row(replace(12_000), S.PENDING_REPLACE, 10_000, 0, 10_000),
        Row(trade(10_000), S.PENDING_REPLACE, 10_000, 10_000, 0),
        Row(replaced, S.PARTIALLY_FILLED, 12_000, 10_000, 2_000),
        Row(trade(2_000), S.FILLED, 12_000, 12_000, 0),
    ],
    "C.1.c up, filled meanwhile, replace rejected": [
        *WORKING,
        Row(replace(12_000), S.PENDING_REPLACE, 10_000, 0, 10_000),
        Row(trade(10_000), S.PENDING_REPLACE, 10_000, 10_000, 0),
        Row(replace_rejected, S.FILLED, 10_000, 10_000, 0),
    ],
    "C.2.a same quantity, filled meanwhile: too late": [
        *SAME_QUANTITY,
        Row(replace_rejected, S.FILLED, 10_000, 10_000, 0),
    ],
    "C.3.a down, above what has filled": [
        *DOWN_WITH_FILLS,
        Row(replaced, S.PARTIALLY_FILLED, 8_000, 1_600, 6_400),
        Row(trade(6_400), S.FILLED, 8_000, 8_000, 0),
    ],
    "C.3.a replace rejected": [*DOWN_WITH_FILLS, Row(replace_rejected, S.PARTIALLY_FILLED, 10_000, 1_600, 8_400)],
    "C.3.b down to what has filled meanwhile": [
        *DOWN_TO_7000,
        Row(trade(7_000), S.PENDING_REPLACE, 10_000, 7_000, 3_000),
        Row(replaced, S.FILLED, 7_000, 7_000, 0),
    ],
    "C.3.c down to less than has filled meanwhile": [
        *DOWN_TO_7000,
        Row(trade(8_000), S.PENDING_REPLACE, 10_000, 8_000, 2_000),
        Row(replaced, S.FILLED, 8_000, 8_000, 0),
    ],
}


@each_of(MATRICES)
def test_an_order_asked_to_change_passes_through_the_states_of_its_matrix(rows: Sequence[Row]) -> None:
    follow(rows)
