"""What only reduces does not let another order of its side turn the position round."""

import pytest

from domain.errors import OrderNotPlaced
from domain.trading.value_objects.order_type import Side
from tests.support.trading import Desk


def long_desk() -> Desk:
    desk = Desk(short_selling=False)
    desk.place(client_order_id="entry", quantity=10)
    desk.trade("t", 10, client_order_id="entry")
    return desk


def test_a_plain_sell_beside_one_that_only_reduces_the_same_position_is_refused() -> None:
    desk = long_desk()
    desk.place(client_order_id="exit", side=Side.SELL, quantity=10, reduce_only=True)
    with pytest.raises(OrderNotPlaced) as refused:
        desk.place(client_order_id="more", side=Side.SELL, quantity=10)
    assert "SHORT_SELLING" in [violation.rule for violation in refused.value.violations]


def test_both_are_taken_as_far_as_the_position_reaches() -> None:
    desk = long_desk()
    desk.place(client_order_id="exit", side=Side.SELL, quantity=4, reduce_only=True)
    assert desk.place(client_order_id="rest", side=Side.SELL, quantity=6).version == 1
