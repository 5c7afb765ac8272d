"""Orders between contract and domain."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidArgument
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason, GroupType, OrderType, Side, TimeInForce
from quantmesh.trading.v1 import order_pb2
from quantmesh.trading.v1.order_change_pb2 import ReplaceOrderRequest
from server.mapping import orders as mapping
from server.mapping.orders import order_change, order_message, order_terms
from tests.server.rig import limit

NOW = datetime(2025, 6, 2, 14, 30, 0, 123456, tzinfo=UTC)
D = Decimal

prices = st.decimals("0.000000000000000001", "99999999999999999999", places=18)


def order(**changes: Any) -> Order:
    terms = changes.pop("terms", None) or OrderTerms("c", "ACME", Side.BUY, D(10), OrderType.LIMIT, D(5))
    return Order("id", "desk", terms, terms.quantity, "paper", "USD", NOW, NOW, **changes)


@given(
    quantity=prices,
    price=prices,
    side=st.sampled_from(Side),
    time_in_force=st.sampled_from(TimeInForce),
    tags=st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=5), max_size=3),
)
def test_terms_survive_the_way_out_and_in_again(
    quantity: Decimal, price: Decimal, side: Side, time_in_force: TimeInForce, tags: dict[str, str]
) -> None:
    terms = OrderTerms(
        *("c", "ACME", side, quantity, OrderType.STOP_LIMIT, price, price),
        time_in_force=time_in_force,
        expire_time=NOW if time_in_force is TimeInForce.GTD else None,
        tags=tuple(sorted(tags.items())),
    )
    shown = order_message(order(terms=terms))
    again = order_pb2.NewOrder(
        client_order_id=shown.client_order_id,
        symbol=shown.symbol,
        side=shown.side,
        quantity=shown.quantity,
        stop_limit=shown.stop_limit,
        time_in_force=shown.time_in_force,
        expire_time=shown.expire_time if shown.HasField("expire_time") else None,
        tags=dict(shown.tags),
    )
    assert order_terms(again) == terms


@pytest.mark.parametrize("name", ["SIDES", "TIMES_IN_FORCE", "STATUSES", "GROUP_TYPES", "CANCEL_REASONS"])
def test_every_member_has_a_number_of_its_own(name: str) -> None:
    table = getattr(mapping, name)
    members = type(next(member for member in table if member is not None))
    assert table.keys() >= set(members.__members__.values())
    assert len(set(table.values())) == len(table)


@pytest.mark.parametrize(
    ("state", "shown"),
    [(OrderStatus.PENDING_NEW, "5"), (OrderStatus.NEW, "5"), (OrderStatus.UNKNOWN, "5"), (OrderStatus.TRIGGERED, "")],
)
def test_a_stop_is_shown_until_it_has_triggered(state: OrderStatus, shown: str) -> None:
    terms = OrderTerms("c", "ACME", Side.SELL, D(10), OrderType.STOP, stop_price=D("5.00"))
    assert order_message(order(terms=terms, state=state)).active_stop_price == shown


def test_a_trailing_stop_is_shown_where_the_broker_says_it_stands() -> None:
    terms = OrderTerms("c", "ACME", Side.SELL, D(10), OrderType.TRAILING_STOP, trail_percent=D("2.50"))
    shown = order_message(order(terms=terms))
    assert (shown.trailing_stop.percent, shown.active_stop_price) == ("2.5", "")
    assert order_message(order(terms=terms, active_stop_price=D("97.5"))).active_stop_price == "97.5"


def test_reasons_are_shown_only_where_they_apply() -> None:
    asked = order(cancel_pending=True, cancel_reason=CancelReason.REQUESTED, reason_text="why", version=2)
    shown = order_message(asked)
    assert (shown.status, shown.cancel_reason) == (order_pb2.ORDER_STATUS_PENDING_CANCEL, 0)
    canceled = order(state=OrderStatus.CANCELED, cancel_reason=CancelReason.GROUP, reason_text="why", version=2)
    shown = order_message(canceled)
    assert (shown.cancel_reason, shown.reject_text, shown.leaves_quantity) == (order_pb2.CANCEL_REASON_GROUP, "", "0")
    rejected = order(state=OrderStatus.REJECTED, reject_reason="TICK_SIZE", reason_text="off the grid")
    shown = order_message(rejected)
    assert (shown.reject_reason, shown.reject_text) == ("TICK_SIZE", "off the grid")


def test_a_filled_order_shows_its_fills() -> None:
    shown = order_message(
        order(
            version=4,
            state=OrderStatus.PARTIALLY_FILLED,
            filled_quantity=D(4),
            filled_notional=D("20.10"),
            fees=D("0.50"),
            fee_currency="USD",
            broker_order_id="b-1",
        )
    )
    assert (shown.filled_quantity, shown.leaves_quantity, shown.average_fill_price) == ("4", "6", "5.025")
    assert (shown.fees, shown.fee_currency, shown.broker_order_id) == ("0.5", "USD", "b-1")
    assert shown.created_time.nanos == 123_456_000


def test_the_part_in_a_group_is_shown() -> None:
    child = order(group_id="g", group_type=GroupType.OTO, parent_order_id="p", held=True)
    shown = order_message(child)
    assert (shown.group_id, shown.parent_order_id, shown.held) == ("g", "p", True)
    assert shown.group_type == order_pb2.ORDER_GROUP_TYPE_OTO


def test_a_change_holds_only_what_is_set() -> None:
    change = order_change(ReplaceOrderRequest(limit_price="5.10"))
    assert (change.limit_price, change.quantity, change.time_in_force, change.expire_time) == (
        D("5.1"),
        None,
        None,
        None,
    )


def test_the_path_of_a_bad_expiry_is_where_the_order_stands() -> None:
    bad = limit()
    bad.expire_time.seconds = 10**15
    with pytest.raises(InvalidArgument) as refused:
        order_terms(bad, "orders[3]")
    assert refused.value.field == "orders[3].expire_time"
