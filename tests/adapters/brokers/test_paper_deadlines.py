from datetime import timedelta

from adapters.brokers.paper_deadlines import Deadlines
from adapters.brokers.paper_order import PaperOrder
from tests.adapters.brokers.paper_desk import TUESDAY_NOON, Desk

_DESK = Desk()


def paper_order() -> PaperOrder:
    return PaperOrder(_DESK.order(), "B")


def test_orders_come_by_moment_and_those_of_one_moment_together() -> None:
    deadlines = Deadlines()
    late, early, early_too, later_still = (paper_order() for _ in range(4))
    deadlines.set(late, TUESDAY_NOON + timedelta(seconds=2))
    deadlines.set(early, TUESDAY_NOON)
    deadlines.set(early_too, TUESDAY_NOON)
    deadlines.set(later_still, TUESDAY_NOON + timedelta(seconds=3))
    assert deadlines.next() == TUESDAY_NOON
    assert list(deadlines.take_due(TUESDAY_NOON + timedelta(seconds=2))) == [[early, early_too], [late]]
    assert deadlines.next() == TUESDAY_NOON + timedelta(seconds=3)
    assert early.deadline is None


def test_an_order_has_one_deadline_the_last_one_set() -> None:
    deadlines = Deadlines()
    order = paper_order()
    deadlines.set(order, TUESDAY_NOON)
    deadlines.set(order, TUESDAY_NOON + timedelta(hours=1))
    assert list(deadlines.take_due(TUESDAY_NOON)) == []
    assert list(deadlines.take_due(TUESDAY_NOON + timedelta(hours=1))) == [[order]]


def test_deadlines_that_were_cleared_take_no_room() -> None:
    deadlines = Deadlines()
    for second in range(5000):
        order = paper_order()
        deadlines.set(order, TUESDAY_NOON + timedelta(seconds=second))
        deadlines.clear(order)
    assert deadlines.next() is None
    assert len(deadlines._moments) < 100
