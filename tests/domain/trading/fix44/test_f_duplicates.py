"""FIX 4.4 Appendix D, groups F and G: the same order sent twice, and an order asked about."""

from collections.abc import Sequence

from application.trading.commands.place_order_command import PlaceOrder
from application.trading.placement import Placed
from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from tests.support.fix44 import Row, accepted, each_of, follow, new, refused, trade
from tests.support.trading import ACCOUNT, Desk, terms

WORKING = [
    Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000),
    Row(accepted, S.NEW, 10_000, 0, 10_000),
]
PART_FILLED = [*WORKING, Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000)]

MATRICES = {
    "F.1.a a duplicate id with another quantity": [
        *PART_FILLED,
        Row(refused(new(15_000), "CLIENT_ORDER_ID_REUSED"), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000),
    ],
    "F.1.b the same order again": [*WORKING, Row(new(10_000), S.NEW, 10_000, 0, 10_000)],
    "F.1.b the same id with another quantity": [
        *WORKING,
        Row(refused(new(20_000), "CLIENT_ORDER_ID_REUSED"), S.NEW, 10_000, 0, 10_000),
    ],
    # FIX has an explicit message for these; here GetOrder shows the row's state at any time.
    "G.1.c the status through an order's life": [
        Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000),
        Row(accepted, S.NEW, 10_000, 0, 10_000),
        Row(trade(2_000), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000),
        Row(trade(8_000), S.FILLED, 10_000, 10_000, 0),
    ],
}


@each_of(MATRICES)
def test_a_duplicate_changes_nothing_about_the_order_that_came_first(rows: Sequence[Row]) -> None:
    follow(rows)


def test_f_1_b_a_resend_is_answered_by_the_first_order_and_reaches_no_broker_twice() -> None:
    desk = Desk()
    resend = PlaceOrder(ACCOUNT, "user:test", terms(quantity=10_000))
    first: Placed = desk.run(resend)
    again = desk.run(resend)
    assert again.replayed
    assert again.order == first.order
    assert desk.broker.handed == [("submit", first.order.order_id)]


def test_f_1_b_a_resend_of_an_order_that_never_came_is_a_new_order() -> None:
    desk = Desk()
    desk.place(client_order_id="x", quantity=10_000)
    assert not desk.run(PlaceOrder(ACCOUNT, "user:test", terms("y", quantity=15_000))).replayed
