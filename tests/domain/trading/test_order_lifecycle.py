import pytest

from domain.trading.aggregates.order_lifecycle import BY_QUANTITY, CLOSED, LIFECYCLE, OrderStatus
from domain.trading.value_objects.execution_report import ExecType

S = OrderStatus
REQUESTS = {S.PENDING_CANCEL, S.PENDING_REPLACE}


def test_every_status_is_a_state_of_its_own_or_a_request_over_one() -> None:
    assert set(LIFECYCLE) == set(OrderStatus) - REQUESTS


def test_no_report_leads_to_a_state_that_has_no_row() -> None:
    follows = {after for row in LIFECYCLE.values() for after in row.values()} - {BY_QUANTITY}
    assert follows <= set(LIFECYCLE)


@pytest.mark.parametrize("state", sorted(CLOSED - {S.FILLED}, key=str))
def test_nothing_leads_out_of_a_closed_state(state: OrderStatus) -> None:
    assert set(LIFECYCLE[state].values()) == {state}


def test_only_the_busts_and_changes_that_unfill_an_order_lead_out_of_filled() -> None:
    reopening = {report for report, after in LIFECYCLE[S.FILLED].items() if after is BY_QUANTITY}
    assert reopening == {ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT, ExecType.REPLACED}
    assert {after for after in LIFECYCLE[S.FILLED].values() if after} <= CLOSED


@pytest.mark.parametrize("state", LIFECYCLE)
def test_an_execution_is_taken_in_whatever_the_state(state: OrderStatus) -> None:
    assert ExecType.TRADE in LIFECYCLE[state]


@pytest.mark.parametrize("state", LIFECYCLE)
@pytest.mark.parametrize("report", [ExecType.NEW, ExecType.ABSENT, ExecType.UNCLEAR])
def test_what_is_said_about_a_submission_counts_only_until_it_is_answered(state: OrderStatus, report: ExecType) -> None:
    waits = state is S.PENDING_NEW or (state is S.UNKNOWN and report is not ExecType.UNCLEAR)
    assert (report in LIFECYCLE[state]) is waits
