"""The contract's rules on requests."""

import time

from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import (
    OcoGroup,
    PlaceOrderGroupRequest,
    PlaceOrderRequest,
    PlaceOrdersRequest,
)
from server.interceptors.validation import invalid
from tests.server.rig import limit


def test_a_good_request_has_nothing_wrong() -> None:
    assert invalid(PlaceOrderRequest(account_id="a", order=limit())) is None


def test_paths_are_spelled_with_places_and_keys() -> None:
    broken = invalid(
        PlaceOrdersRequest(account_id="a", orders=[limit("a"), limit("b", tags={"k": "v" * 200}, quantity="x")])
    )
    assert broken is not None
    assert [field for field, _ in broken.violations] == ["orders[1].quantity", "orders[1].tags['k']"]


def test_a_broken_key_is_told_from_a_broken_value() -> None:
    broken = invalid(PlaceOrderRequest(account_id="a", order=limit(tags={"": "v"})))
    assert broken is not None
    assert broken.rule.startswith("the key must be")


def test_a_rule_about_a_whole_field_names_it() -> None:
    group = OcoGroup(orders=[limit("a"), limit("b", symbol="OTHER")])
    broken = invalid(PlaceOrderGroupRequest(account_id="a", oco=group))
    assert broken is not None
    assert broken.violations == (("oco.orders", "must all have the same symbol and side"),)


def test_of_a_big_request_only_the_first_violation_is_looked_for() -> None:
    request = PlaceOrdersRequest(account_id="a", orders=[NewOrder()] * 200_000)
    started = time.perf_counter()
    broken = invalid(request)
    assert broken is not None
    assert len(broken.violations) == 1
    assert time.perf_counter() - started < 5
