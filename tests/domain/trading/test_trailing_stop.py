"""Where a trailing stop stands, for all that a broker says of it: late, twice and in another order."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import LIFECYCLE, OrderStatus
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.trading import START, Desk, terms

S = OrderStatus
X = ExecType
D = Decimal
WAITING = [S.PENDING_NEW, S.UNKNOWN, S.NEW]
SELL = terms(side=Side.SELL, quantity=10, price=None, type=OrderType.TRAILING_STOP, trail_offset=D(5))
REPLACE = 7


def trailing(side: Side = Side.SELL, stands: str | None = "95", **fields: Any) -> Order:
    stop = None if stands is None else D(stands)
    state = fields.pop("state", S.NEW)
    return replace(
        Desk().place(quantity=10), terms=replace(SELL, side=side), state=state, active_stop_price=stop, **fields
    )


def asked(**change: Any) -> Order:
    """An order whose replace is pending."""
    return trailing(replace_terms=replace(SELL, **change), replace_version=REPLACE)


def says(type: ExecType, price: str | None = None, version: int = 0) -> ExecutionReport:
    return ExecutionReport("desk", "x", type, START, price=None if price is None else D(price), request_version=version)


def after(order: Order, *reports: ExecutionReport) -> Order:
    for report in reports:
        changes = order.effect_of(report)
        if changes is not None:
            order = order.changed(START, order.sequence + 1, **changes)
    return order


@pytest.mark.parametrize("state", WAITING)
@pytest.mark.parametrize(("side", "better"), [(Side.SELL, "96"), (Side.BUY, "94")])
def test_a_stop_moves_in_the_orders_favour_and_its_status_stays(state: OrderStatus, side: Side, better: str) -> None:
    before = trailing(side, state=state)
    moved = after(before, says(X.STOP_MOVED, better))
    assert (moved.status, moved.active_stop_price, moved.version) == (state, D(better), before.version + 1)


@pytest.mark.parametrize(("side", "worse"), [(Side.SELL, "94"), (Side.BUY, "96"), (Side.SELL, "95"), (Side.BUY, "95")])
def test_a_stop_never_moves_back_and_a_repeat_is_no_news(side: Side, worse: str) -> None:
    assert trailing(side).effect_of(says(X.STOP_MOVED, worse)) is None


def test_where_a_trail_begins_is_news() -> None:
    assert after(trailing(stands=None), says(X.STOP_MOVED, "1")).active_stop_price == D(1)


@pytest.mark.parametrize("state", sorted(set(LIFECYCLE) - set(WAITING), key=str))
def test_what_comes_after_a_stop_has_triggered_or_ended_changes_nothing(state: OrderStatus) -> None:
    assert trailing(state=state).effect_of(says(X.STOP_MOVED, "99")) is None


def test_only_a_trailing_stop_moves_and_only_to_a_price() -> None:
    stop = replace(trailing(), terms=terms(price=None, type=OrderType.STOP, stop_price=D(95)))
    assert stop.effect_of(says(X.STOP_MOVED, "99")) is None
    assert trailing().effect_of(says(X.STOP_MOVED)) is None


def test_a_stop_moves_while_a_cancel_is_pending() -> None:
    moved = after(trailing(cancel_pending=True), says(X.STOP_MOVED, "99"))
    assert (moved.status, moved.active_stop_price) == (S.PENDING_CANCEL, D(99))


# -- replaces --------------------------------------------------------------------------------------


@pytest.mark.parametrize("distance", [{"trail_offset": D(9)}, {"trail_offset": None, "trail_percent": D(9)}])
def test_at_another_distance_nobody_knows_where_a_stop_stands_until_the_broker_says(distance: dict[str, Any]) -> None:
    replaced = after(asked(**distance), says(X.REPLACED, version=REPLACE))
    assert (replaced.status, replaced.active_stop_price) == (S.NEW, None)
    assert after(replaced, says(X.STOP_MOVED, "99")).active_stop_price is None
    assert after(replaced, says(X.STOP_MOVED, "91", REPLACE)).active_stop_price == D(91)


def test_the_first_word_of_a_new_trail_may_overtake_the_answer_to_the_replace() -> None:
    early = after(asked(trail_offset=D(9)), says(X.STOP_MOVED, "91", REPLACE))
    assert (early.status, early.active_stop_price) == (S.PENDING_REPLACE, D(91))
    replaced = after(early, says(X.REPLACED, version=REPLACE))
    assert (replaced.status, replaced.active_stop_price, replaced.terms.trail_offset) == (S.NEW, D(91), D(9))


@pytest.mark.parametrize("change", [{"quantity": D(3)}, {"trail_offset": D("5.0")}])
def test_a_replace_that_keeps_the_distance_keeps_the_stop(change: dict[str, Any]) -> None:
    replaced = after(asked(**change), says(X.REPLACED, version=REPLACE))
    assert (replaced.active_stop_price, replaced.trail_version) == (D(95), 0)
    assert after(replaced, says(X.STOP_MOVED, "96")).active_stop_price == D(96)


def test_a_fill_that_proves_a_replace_of_the_distance_begins_its_trail_and_the_answer_comes_too_late() -> None:
    pending = asked(trail_offset=D(9), quantity=D(20))
    proven = pending.changed(START, 2, **pending.with_fill_change(D(15), D(1), D(0), X.TRADE))
    assert (proven.status, proven.terms.trail_offset) == (S.PARTIALLY_FILLED, D(9))
    assert (proven.active_stop_price, proven.trail_version) == (None, REPLACE)
    assert proven.effect_of(says(X.REPLACED, version=REPLACE)) is None


def test_a_refused_replace_leaves_the_stop_where_it_is() -> None:
    refused = after(asked(trail_offset=D(9)), says(X.REPLACE_REJECTED, version=REPLACE))
    assert (refused.active_stop_price, refused.trail_version) == (D(95), 0)


@given(st.data())
def test_reports_lead_to_where_the_stop_stands_whatever_their_order_and_however_often_they_come(
    data: st.DataObject,
) -> None:
    levels = st.lists(st.integers(50, 150), min_size=1, max_size=5).map(sorted)
    first, second = data.draw(levels), data.draw(levels)
    history = [
        *(says(X.STOP_MOVED, str(level)) for level in first),
        says(X.REPLACED, version=REPLACE),
        *(says(X.STOP_MOVED, str(level), REPLACE) for level in second),
    ]
    repeated = data.draw(st.lists(st.sampled_from(history), max_size=5))
    order = after(asked(trail_offset=D(9)), *data.draw(st.permutations(history + repeated)))
    assert (order.status, order.active_stop_price) == (S.NEW, D(second[-1]))
