"""No account, or none that one may use: every call of OrderService says the same, and changes nothing."""

from typing import Any

import grpc
import pytest

from quantmesh.trading.v1 import (
    order_change_pb2,
    order_placement_pb2,
    order_query_pb2,
    order_service_pb2,
    order_stream_pb2,
)
from tests.server.rig import ACCOUNT, limit, refusal, scripted

NOBODY = "nobody"

REQUESTS: dict[str, Any] = {
    "PlaceOrder": order_placement_pb2.PlaceOrderRequest(account_id=NOBODY, order=limit()),
    "PlaceOrders": order_placement_pb2.PlaceOrdersRequest(account_id=NOBODY, orders=[limit()]),
    "PlaceOrderGroup": order_placement_pb2.PlaceOrderGroupRequest(
        account_id=NOBODY, oco=order_placement_pb2.OcoGroup(orders=[limit("a"), limit("b")])
    ),
    "ReplaceOrder": order_change_pb2.ReplaceOrderRequest(account_id=NOBODY, client_order_id="x", quantity="1"),
    "CancelOrder": order_change_pb2.CancelOrderRequest(account_id=NOBODY, client_order_id="x"),
    "CancelOrders": order_change_pb2.CancelOrdersRequest(account_id=NOBODY),
    "GetOrder": order_query_pb2.GetOrderRequest(account_id=NOBODY, client_order_id="x"),
    "ListOrders": order_query_pb2.ListOrdersRequest(account_id=NOBODY),
    "ListFills": order_query_pb2.ListFillsRequest(account_id=NOBODY),
    "ListOrderEvents": order_query_pb2.ListOrderEventsRequest(account_id=NOBODY),
    "StreamOrderEvents": order_stream_pb2.StreamOrderEventsRequest(account_id=NOBODY),
    "StreamFills": order_stream_pb2.StreamFillsRequest(account_id=NOBODY),
}


def test_every_call_about_an_account_is_among_these() -> None:
    service = order_service_pb2.DESCRIPTOR.services_by_name["OrderService"]
    named = {method.name for method in service.methods if "account_id" in method.input_type.fields_by_name}
    assert named == REQUESTS.keys()


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_an_unknown_account_is_denied(rpc: str) -> None:
    async with scripted() as rig:
        denied = await refusal(getattr(rig.client.orders, rpc)(REQUESTS[rpc]))
        assert (denied.code, denied.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
        assert denied.metadata == {"account_id": NOBODY}
        assert rig.engine.writer(ACCOUNT).book.sequence == 1


@pytest.mark.parametrize("rpc", REQUESTS)
async def test_a_malformed_account_id_is_named(rpc: str) -> None:
    async with scripted(account=False) as rig:
        request = type(REQUESTS[rpc])()
        request.CopyFrom(REQUESTS[rpc])
        for bad in ("", "with space", "x" * 65, "é"):
            request.account_id = bad
            refused = await refusal(getattr(rig.client.orders, rpc)(request))
            assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["account_id"])
