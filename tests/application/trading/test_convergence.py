"""What a broker reports may come late, twice and out of order: all of it leads to one state."""

from dataclasses import dataclass, field
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.trading import ACCOUNT, START, Desk, terms

QUANTITY = 20
X = ExecType


@dataclass
class Venue:
    """A broker that does one thing after the other to the order x of QUANTITY, and reports each."""

    is_stop: bool
    reports: list[ExecutionReport] = field(default_factory=list)
    counting: dict[str, int] = field(default_factory=dict)
    made: int = 0
    worked: bool = True

    def say(self, type: ExecType, **details: Any) -> None:
        self.reports.append(ExecutionReport(ACCOUNT, "id-000001", type, START, "broker-1", **details))

    @property
    def leaves(self) -> int:
        return QUANTITY - sum(self.counting.values()) if self.worked else 0

    def trade(self, quantity: int) -> None:
        if 0 < quantity <= self.leaves:
            self.counting[self._execution(X.TRADE, quantity)] = quantity

    def bust(self, which: int) -> None:
        if self.counting:
            busted = self._pick(which)
            del self.counting[busted]
            self.say(X.TRADE_CANCEL, reference_id=busted)

    def correct(self, which: int, quantity: int) -> None:
        if self.counting:
            corrected = self._pick(which)
            if quantity - self.counting[corrected] <= self.leaves:
                del self.counting[corrected]
                made = self._execution(X.TRADE_CORRECT, quantity, reference_id=corrected)
                self.counting[made] = quantity

    def close(self, type: ExecType) -> None:
        if self.leaves:
            self.worked = False
            self.say(type)

    def _pick(self, which: int) -> str:
        return list(self.counting)[which % len(self.counting)]

    def _execution(self, type: ExecType, quantity: int, **details: Any) -> str:
        self.made += 1
        price, fee = Decimal(40 + self.made), Decimal(self.made) / 100
        made = f"execution {self.made}"
        self.say(
            type, execution_id=made, quantity=Decimal(quantity), price=price, fee=fee, fee_currency="USD", **details
        )
        return made


@st.composite
def histories(draw: st.DrawFn) -> list[ExecutionReport]:
    """Everything that one broker reports of one order."""
    venue = Venue(is_stop=draw(st.booleans()))
    venue.say(X.NEW)
    if venue.is_stop:
        venue.say(X.TRIGGERED)
    for _ in range(draw(st.integers(0, 8))):
        match draw(st.integers(0, 6)):
            case 0 | 1 | 2:
                venue.trade(draw(st.integers(1, QUANTITY)))
            case 3:
                venue.trade(venue.leaves)
            case 4:
                venue.bust(draw(st.integers(0, 9)))
            case 5:
                venue.correct(draw(st.integers(0, 9)), draw(st.integers(1, QUANTITY)))
            case 6:
                venue.close(draw(st.sampled_from([X.CANCELED, X.EXPIRED])))
    return venue.reports


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[ExecutionReport], list[ExecutionReport]]:
    """A history as it was, and the same as it may arrive."""
    history = draw(histories())
    repeated = draw(st.lists(st.sampled_from(history), max_size=5))
    return history, draw(st.permutations(history + repeated))


def delivered(reports: list[ExecutionReport], is_stop: bool, asked_to_cancel: bool) -> Desk:
    desk = Desk()
    if is_stop:
        desk.place(terms("x", Side.BUY, QUANTITY, None, type=OrderType.STOP, stop_price=Decimal(60)))
    else:
        desk.place(terms("x", Side.BUY, QUANTITY, 60))
    if asked_to_cancel:
        desk.cancel()
    for report in reports:
        desk.tell(report)
    return desk


def state(desk: Desk) -> dict[str, Any]:
    order = desk.order()
    fills = desk.records.fills.values()
    return {
        "status": order.status,
        "filled": (order.filled_quantity, order.filled_notional, order.fees),
        "leaves": order.leaves_quantity,
        "cancel_reason": order.cancel_reason,
        "broker_order_id": order.broker_order_id,
        "fills": {(fill.execution_id, fill.quantity, fill.price, fill.fee, fill.busted) for fill in fills},
        "cash": desk.book.portfolio.cash,
        "position": desk.book.portfolio.position("ACME", "USD").quantity,
        "reserved": {s: (o.buy_quantity, o.sell_quantity) for s, o in desk.book.open_orders.items()},
    }


def is_stop(reports: list[ExecutionReport]) -> bool:
    return any(report.type is X.TRIGGERED for report in reports)


@given(deliveries(), st.booleans())
def test_reports_converge_to_one_state_whatever_their_order_and_however_often_they_come(
    reports: tuple[list[ExecutionReport], list[ExecutionReport]], asked_to_cancel: bool
) -> None:
    history, arriving = reports
    in_order = delivered(history, is_stop(history), asked_to_cancel)
    event(in_order.order().status.value)
    assert state(delivered(arriving, is_stop(history), asked_to_cancel)) == state(in_order)


@given(histories(), st.booleans())
def test_a_whole_history_told_again_changes_and_records_nothing(
    history: list[ExecutionReport], asked_to_cancel: bool
) -> None:
    desk = delivered(history, is_stop(history), asked_to_cancel)
    before, recorded = state(desk), desk.records.sequence
    for report in history:
        desk.tell(report)
    assert (state(desk), desk.records.sequence) == (before, recorded)


@given(deliveries(), st.integers(0, 20))
def test_a_restart_between_two_reports_makes_no_difference_to_the_order(
    reports: tuple[list[ExecutionReport], list[ExecutionReport]], at: int
) -> None:
    history, _ = reports
    desk = delivered(history[:at], is_stop(history), False)
    desk.restart()
    for report in history[at:]:
        desk.tell(report)
    assert state(desk) == state(delivered(history, is_stop(history), False))


@pytest.mark.parametrize("arriving", [*permutations(["replaced", "most", "some"])])
@pytest.mark.parametrize("lost", [False, True])
def test_a_replace_and_the_fills_that_it_allows_lead_to_one_state_though_its_answer_comes_late_or_never(
    arriving: tuple[str, ...], lost: bool
) -> None:
    desk = Desk()
    desk.place(quantity=10)
    desk.report(X.NEW)
    desk.replace(quantity=Decimal(12), limit_price=Decimal(51))
    answer = desk.says(X.REPLACED)
    for report in arriving:
        if report != "replaced":
            desk.trade(report, 8 if report == "most" else 3)
        elif not lost:
            desk.tell(answer)
    order = desk.order()
    assert (order.status, order.terms.quantity, order.terms.limit_price) == (
        OrderStatus.PARTIALLY_FILLED,
        Decimal(12),
        Decimal(51),
    )
    assert (order.leaves_quantity, order.reserve_price) == (Decimal(1), Decimal(51))
    assert (desk.book.open_orders["ACME"].buy_quantity, desk.book.open_count) == (Decimal(1), 1)


def told(*types: ExecType) -> Order:
    """The order x after a full fill and reports of `types`, in which CANCEL means a bust of that fill."""
    desk = Desk()
    desk.place(quantity=10)
    for type in types:
        match type:
            case X.TRADE:
                desk.trade("t", 10)
            case X.TRADE_CANCEL:
                desk.report(type, reference_id="t")
            case X.TRADE_CORRECT:
                desk.report(type, reference_id="t", execution_id="c", quantity=Decimal(6), price=Decimal(51))
            case _:
                desk.report(type)
    return desk.order()


def test_a_correction_that_overtakes_its_trade_follows_it() -> None:
    order = told(X.NEW, X.TRADE_CORRECT, X.TRADE)
    assert (order.status, order.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal(6))


def test_a_bust_that_overtakes_its_trade_leaves_the_record_of_both() -> None:
    desk = Desk()
    desk.place(quantity=10)
    desk.report(X.TRADE_CANCEL, reference_id="t")
    desk.trade("t", 10)
    assert desk.order().filled_quantity == 0
    assert desk.records.fills["t"].busted
    assert [e.type.value for e in desk.records.events[1:]] == ["ORDER_PLACED", "ORDER_FILLED", "FILL_BUSTED"]


def test_a_cancel_between_a_fill_and_its_bust_holds() -> None:
    assert told(X.NEW, X.TRADE, X.CANCELED, X.TRADE_CANCEL).status is OrderStatus.CANCELED


def test_a_fill_after_a_cancel_is_booked_and_the_status_stays_canceled() -> None:
    desk = Desk()
    desk.place(quantity=10)
    desk.report(X.CANCELED)
    desk.trade("t", 10)
    assert desk.order().status is OrderStatus.CANCELED
    assert desk.book.portfolio.position("ACME", "USD").quantity == 10
