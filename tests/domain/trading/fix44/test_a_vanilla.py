"""FIX 4.4 Appendix D, group A: orders that nobody changes."""

from collections.abc import Sequence

from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from tests.support.fix44 import Row, accepted, each_of, expired, follow, new, rejected, trade

SENT = [Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000)]
WORKING = [*SENT, Row(accepted, S.NEW, 10_000, 0, 10_000)]
PART_FILLED = [
    *WORKING,
    Row(trade(2_000), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000),
    Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 3_000, 7_000),
]

MATRICES = {
    "A.1.a filled": [*PART_FILLED, Row(trade(7_000), S.FILLED, 10_000, 10_000, 0)],
    "A.1.a rejected by sales": [*SENT, Row(rejected, S.REJECTED, 10_000, 0, 0)],
    "A.1.a rejected by the trader or the exchange": [*WORKING, Row(rejected, S.REJECTED, 10_000, 0, 0)],
    # FIX says DoneForDay; an order for a day is EXPIRED here, and what follows is the same.
    "A.1.b part-filled day order, done for day": [*PART_FILLED, Row(expired, S.EXPIRED, 10_000, 3_000, 0)],
}


@each_of(MATRICES)
def test_an_order_that_nobody_changes_passes_through_the_states_of_its_matrix(rows: Sequence[Row]) -> None:
    follow(rows)
