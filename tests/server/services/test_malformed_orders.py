"""Every way in which one order can be malformed: refused by its field and rule, and nothing is changed."""

from typing import Any

import grpc
import pytest

from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.type.v1.side_pb2 import SIDE_UNSPECIFIED
from tests.server.rig import ACCOUNT, limit, refusal, scripted

MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"client_order_id": ""}, "order.client_order_id"),
    ({"client_order_id": "with space"}, "order.client_order_id"),
    ({"client_order_id": "x" * 65}, "order.client_order_id"),
    ({"client_order_id": "é"}, "order.client_order_id"),
    ({"symbol": ""}, "order.symbol"),
    ({"symbol": "acme"}, "order.symbol"),
    ({"side": SIDE_UNSPECIFIED}, "order.side"),
    ({"side": 9}, "order.side"),
    ({"quantity": ""}, "order.quantity"),
    ({"quantity": "0"}, "order.quantity"),
    ({"quantity": "0.00"}, "order.quantity"),
    ({"quantity": "-1"}, "order.quantity"),
    ({"quantity": "+1"}, "order.quantity"),
    ({"quantity": "1e3"}, "order.quantity"),
    ({"quantity": "1,5"}, "order.quantity"),
    ({"quantity": "NaN"}, "order.quantity"),
    ({"quantity": "Infinity"}, "order.quantity"),
    ({"quantity": " 1"}, "order.quantity"),
    ({"quantity": "1\n"}, "order.quantity"),
    ({"quantity": "\u0661"}, "order.quantity"),
    ({"quantity": "1.1234567890123456789"}, "order.quantity"),
    ({"quantity": "123456789012345678901"}, "order.quantity"),
    ({"limit": {"price": ""}}, "order.limit.price"),
    ({"limit": {"price": "-1"}}, "order.limit.price"),
    ({"stop": {"stop_price": "0"}}, "order.stop.stop_price"),
    ({"stop_limit": {"stop_price": "1", "price": "x"}}, "order.stop_limit.price"),
    ({"trailing_stop": {}}, "order.trailing_stop.distance"),
    ({"trailing_stop": {"percent": "100"}}, "order.trailing_stop.percent"),
    ({"trailing_stop": {"percent": "0"}}, "order.trailing_stop.percent"),
    ({"trailing_stop": {"offset": "-1"}}, "order.trailing_stop.offset"),
    ({"time_in_force": 9}, "order.time_in_force"),
    ({"time_in_force": 5}, "order.expire_time"),
    ({"expire_time": {"seconds": 2_000_000_000}}, "order.expire_time"),
    ({"time_in_force": 5, "expire_time": {"seconds": 10**15}}, "order.expire_time"),
    ({"strategy_id": "x" * 65}, "order.strategy_id"),
    ({"tags": {"": "v"}}, "order.tags['']"),
    ({"tags": {"k": "v" * 129}}, "order.tags['k']"),
    ({"tags": {f"k{i}": "v" for i in range(17)}}, "order.tags"),
    ({"post_only": True, "market": {}}, "order.post_only"),
    ({"post_only": True, "time_in_force": 3}, "order.post_only"),
]


@pytest.mark.parametrize(("more", "field"), MALFORMED, ids=lambda value: value if isinstance(value, str) else None)
async def test_a_malformed_order_is_refused_by_its_field(more: dict[str, Any], field: str) -> None:
    async with scripted() as rig:
        request = PlaceOrderRequest(account_id=ACCOUNT, order=limit(**more))
        refused = await refusal(rig.client.orders.PlaceOrder(request))
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert list(refused.fields) == [field]
        assert rig.engine.writer(ACCOUNT).book.sequence == 1


async def test_all_that_is_wrong_with_a_request_is_named_at_once() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(PlaceOrderRequest(order=NewOrder())))
        assert set(refused.fields) == {
            *("account_id", "order.client_order_id", "order.symbol", "order.side", "order.quantity", "order.type")
        }


async def test_an_order_is_required() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT)))
        assert refused.fields == {"order": "value is required"}
