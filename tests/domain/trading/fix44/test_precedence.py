"""FIX 4.4 ranks the states that an order is in at the same time; the highest is the one that is shown."""

from dataclasses import replace

import pytest

from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import CLOSED, OrderStatus
from tests.support.trading import Desk, terms

S = OrderStatus

# Each with its rank; DoneForDay (10), Stopped (7) and the like have no state here.
RANKS = {
    S.PENDING_CANCEL: 12,
    S.PENDING_REPLACE: 11,
    S.FILLED: 8,
    S.CANCELED: 5,
    S.PARTIALLY_FILLED: 4,
    S.NEW: 2,
    S.PENDING_NEW: 2,
    S.REJECTED: 2,
}
# A request can only be pending while the order is open, or has filled under it.
UNDER_A_REQUEST = [S.PENDING_NEW, S.NEW, S.PARTIALLY_FILLED, S.FILLED]


@pytest.fixture
def order() -> Order:
    return Desk().place()


@pytest.mark.parametrize("state", UNDER_A_REQUEST)
def test_a_pending_replace_outranks_every_state_under_it(order: Order, state: OrderStatus) -> None:
    pending = replace(order, state=state, replace_terms=terms(quantity=5))
    assert pending.status is S.PENDING_REPLACE
    assert RANKS[pending.status] > RANKS[state]


@pytest.mark.parametrize("state", UNDER_A_REQUEST)
def test_a_pending_cancel_outranks_a_pending_replace(order: Order, state: OrderStatus) -> None:
    pending = replace(order, state=state, replace_terms=terms(quantity=5), cancel_pending=True)
    assert pending.status is S.PENDING_CANCEL
    assert RANKS[pending.status] > RANKS[S.PENDING_REPLACE] > RANKS[state]


@pytest.mark.parametrize("state", OrderStatus)
def test_without_a_request_the_state_itself_is_shown(order: Order, state: OrderStatus) -> None:
    assert replace(order, state=state).status is state


@pytest.mark.parametrize("state", sorted(CLOSED, key=str))
def test_a_closed_order_has_nothing_left_whatever_was_not_filled(order: Order, state: OrderStatus) -> None:
    assert replace(order, state=state).leaves_quantity == 0
