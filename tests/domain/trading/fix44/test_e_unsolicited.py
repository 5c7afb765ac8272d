"""FIX 4.4 Appendix D, groups E and K: what a broker does unasked."""

from collections.abc import Sequence

from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from domain.trading.value_objects.order_type import CancelReason
from tests.support.fix44 import Row, accepted, canceled, each_of, follow, new, trade
from tests.support.trading import Desk

WORKING = [
    Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000),
    Row(accepted, S.NEW, 10_000, 0, 10_000),
]

MATRICES = {
    "E.1.b unsolicited cancel of a part-filled order": [
        *WORKING,
        Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000),
        Row(canceled, S.CANCELED, 10_000, 1_000, 0),
    ],
    "E.1.e unsolicited cancel of an order that is not best any more": [
        *WORKING,
        Row(canceled, S.CANCELED, 10_000, 0, 0),
    ],
    "K.1.a reinstated after a trading halt": [*WORKING, Row(trade(10_000), S.FILLED, 10_000, 10_000, 0)],
    "K.1.b canceled by a trading halt": [*WORKING, Row(canceled, S.CANCELED, 10_000, 0, 0)],
}


@each_of(MATRICES)
def test_what_a_broker_does_unasked_passes_through_the_states_of_its_matrix(rows: Sequence[Row]) -> None:
    follow(rows)


def test_an_unsolicited_cancel_names_the_broker_as_its_cause() -> None:
    desk = Desk()
    for row in MATRICES["E.1.b unsolicited cancel of a part-filled order"]:
        row.action(desk)
    assert desk.order().cancel_reason is CancelReason.BROKER
