"""Where this system differs from FIX 4.4's matrices: each difference with its reason, held as strictly as they are."""

from collections.abc import Sequence

import pytest

from domain.errors import NotFound
from domain.trading.aggregates.order_lifecycle import OrderStatus as S
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import TimeInForce
from tests.support.fix44 import (
    Row,
    accepted,
    bust,
    cancel,
    canceled,
    each_of,
    expired,
    follow,
    new,
    refused,
    rejected,
    replace,
    replaced,
    reported,
    trade,
)
from tests.support.trading import Desk

SENT = [Row(new(10_000), S.PENDING_NEW, 10_000, 0, 10_000)]
WORKING = [*SENT, Row(accepted, S.NEW, 10_000, 0, 10_000)]
PART_FILLED = [*WORKING, Row(trade(1_000), S.PARTIALLY_FILLED, 10_000, 1_000, 9_000)]
FILLED = [*WORKING, Row(trade(10_000), S.FILLED, 10_000, 10_000, 0)]

DEVIATIONS = {
    # FIX shows New once, though by its own precedence PendingCancel (12) outranks New (2).
    "B.1.d row 4: an acknowledgement does not uncover a pending cancel": [
        *SENT,
        Row(cancel(), S.PENDING_CANCEL, 10_000, 0, 10_000),
        Row(accepted, S.PENDING_CANCEL, 10_000, 0, 10_000),
    ],
    # FIX lets a broker revive a filled order by a larger quantity, or refuse to: no broker here is asked.
    "C.1.c, J.1.a rows 9-12: a filled order cannot be increased": [
        *FILLED,
        Row(refused(replace(12_000), "ORDER_NOT_OPEN"), S.FILLED, 10_000, 10_000, 0),
    ],
    # FIX lets a broker work two replace requests at a time, or refuse the second (D.2.d): here it is refused.
    "D.2.a-c: a second replace is refused while one is pending": [
        *PART_FILLED,
        Row(replace(8_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
        Row(refused(replace(7_000), "ORDER_NOT_REPLACEABLE"), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
        Row(replaced, S.PARTIALLY_FILLED, 8_000, 1_000, 7_000),
        Row(replace(7_000), S.PENDING_REPLACE, 8_000, 1_000, 7_000),
        Row(replaced, S.PARTIALLY_FILLED, 7_000, 1_000, 6_000),
        Row(trade(6_000), S.FILLED, 7_000, 7_000, 0),
    ],
    # In FIX a cancel may also be sent while a replace is pending, and the other way round: only the first here.
    "a cancel may follow a pending replace": [
        *PART_FILLED,
        Row(replace(8_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
        Row(cancel(), S.PENDING_CANCEL, 10_000, 1_000, 9_000),
        Row(replaced, S.PENDING_CANCEL, 8_000, 1_000, 7_000),
        Row(canceled, S.CANCELED, 8_000, 1_000, 0),
    ],
    "a replace may not follow a pending cancel": [
        *PART_FILLED,
        Row(cancel(), S.PENDING_CANCEL, 10_000, 1_000, 9_000),
        Row(refused(replace(8_000), "ORDER_NOT_REPLACEABLE"), S.PENDING_CANCEL, 10_000, 1_000, 9_000),
    ],
    # By precedence Filled (8) outranks Canceled (5). Here closed is closed: the order of the reports decides nothing.
    "an execution of all that was left on a canceled order leaves it canceled": [
        *PART_FILLED,
        Row(canceled, S.CANCELED, 10_000, 1_000, 0),
        Row(trade(9_000), S.CANCELED, 10_000, 10_000, 0),
    ],
    "the same the other way round": [*FILLED, Row(canceled, S.CANCELED, 10_000, 10_000, 0)],
    "what a bust gives back to an ended order is not worked again": [
        *WORKING,
        Row(trade(10_000, execution_id="B"), S.FILLED, 10_000, 10_000, 0),
        Row(expired, S.EXPIRED, 10_000, 10_000, 0),
        Row(bust("B"), S.EXPIRED, 10_000, 0, 0),
    ],
    # FIX has no such case: what was filled stays filled, so the rest counts as cancelled by the broker.
    "a rejection after an execution cancels the rest": [*PART_FILLED, Row(rejected, S.CANCELED, 10_000, 1_000, 0)],
    # FIX has DoneForDay and restates the order in the morning; a GTC order just goes on here.
    "H: the night passes without a trace": [
        Row(new(10_000, TimeInForce.GTC), S.PENDING_NEW, 10_000, 0, 10_000),
        Row(accepted, S.NEW, 10_000, 0, 10_000),
        Row(trade(2_000), S.PARTIALLY_FILLED, 10_000, 2_000, 8_000),
        Row(trade(8_000), S.FILLED, 10_000, 10_000, 0),
    ],
    # In FIX no execution overtakes the answer to a replace. Here reports may: what fills beyond the old quantity proves
    # that the new one is in force, and the answer that comes later, or never, changes nothing.
    "an execution that only the replace allows proves it": [
        *PART_FILLED,
        Row(replace(12_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
        Row(trade(9_000), S.PENDING_REPLACE, 10_000, 10_000, 0),
        Row(trade(500), S.PARTIALLY_FILLED, 12_000, 10_500, 1_500),
        Row(replaced, S.PARTIALLY_FILLED, 12_000, 10_500, 1_500),
        Row(trade(1_500), S.FILLED, 12_000, 12_000, 0),
    ],
    "the same while a cancel is pending": [
        *PART_FILLED,
        Row(replace(12_000), S.PENDING_REPLACE, 10_000, 1_000, 9_000),
        Row(cancel(), S.PENDING_CANCEL, 10_000, 1_000, 9_000),
        Row(trade(10_000), S.PENDING_CANCEL, 12_000, 11_000, 1_000),
        Row(canceled, S.CANCELED, 12_000, 11_000, 0),
    ],
    # PendingNew, PendingCancel and PendingReplace are not reported but follow from the requests; and two
    # states are more than FIX has: an order whose submission got no clear answer, and one that never came.
    "a submission without a clear answer is UNKNOWN until it is proven": [
        *SENT,
        Row(reported(ExecType.UNCLEAR), S.UNKNOWN, 10_000, 0, 10_000),
        Row(accepted, S.NEW, 10_000, 0, 10_000),
    ],
    "an order that the broker never had is canceled": [
        *SENT,
        Row(reported(ExecType.UNCLEAR), S.UNKNOWN, 10_000, 0, 10_000),
        Row(reported(ExecType.ABSENT), S.CANCELED, 10_000, 0, 0),
    ],
}


@each_of(DEVIATIONS)
def test_a_difference_from_the_matrices_is_as_it_is_written_down(rows: Sequence[Row]) -> None:
    follow(rows)


def test_e_1_a_reports_on_an_order_that_was_never_sent_from_here_change_nothing() -> None:
    desk = Desk()
    order = desk.place()
    desk.report(ExecType.NEW)
    before = desk.records.sequence
    desk.tell(desk.says(ExecType.TRADE, execution_id="phoned")._replace(order_id="not ours"))
    assert desk.records.sequence == before
    assert desk.order().order_id == order.order_id


def test_g_1_a_an_unknown_order_has_no_status() -> None:
    with pytest.raises(NotFound):
        Desk().cancel("unknown")
