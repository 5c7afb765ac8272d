import base64
import json

import pytest

from domain.risk.aggregates.audit_record import AuditOutcome, AuditRecord
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest, PlaceOrdersRequest
from server.interceptors.audit import AUDITED, SESSION
from server.mapping.audit import audit_message, request_json
from tests.support.trading import START

PLACE = "quantmesh.trading.v1.OrderService/PlaceOrder"


def test_the_names_behind_the_slash_are_all_different() -> None:
    names = {name.rpartition("/")[2] for name in (*AUDITED, SESSION)}
    assert len(names) == len(AUDITED) + 1


def test_a_request_is_told_as_json() -> None:
    request = PlaceOrderRequest(account_id="desk", order=NewOrder(client_order_id="é", quantity="1"))
    told = request_json(PLACE, request.SerializeToString())
    assert json.loads(told) == {"accountId": "desk", "order": {"clientOrderId": "é", "quantity": "1"}}
    assert told.isascii()


def test_a_request_that_was_cut_is_told_as_far_as_it_goes() -> None:
    orders = [NewOrder(client_order_id=f"c{i}", symbol="ACME") for i in range(100)]
    request = PlaceOrdersRequest(account_id="desk", orders=orders).SerializeToString()
    told = json.loads(request_json("quantmesh.trading.v1.OrderService/PlaceOrders", request[:500]))
    assert told["accountId"] == "desk"
    whole = told["orders"][:-1]  # the last may be one that was cut
    assert [order["clientOrderId"] for order in whole] == [f"c{i}" for i in range(len(whole))]
    assert 10 < len(whole) < 100


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"hello world", b"\x0a\x02\xff\xfe"])
def test_bytes_that_tell_nothing_are_told_in_base64(data: bytes) -> None:
    assert json.loads(request_json(PLACE, data)) == base64.b64encode(data).decode()


def test_a_request_that_json_cannot_tell_is_told_in_base64() -> None:
    order = NewOrder(client_order_id="x")
    order.expire_time.seconds = 10**15
    data = PlaceOrderRequest(account_id="desk", order=order).SerializeToString()
    assert json.loads(request_json(PLACE, data)) == base64.b64encode(data).decode()


def test_a_call_that_the_contract_no_longer_has_is_told_in_base64() -> None:
    assert request_json("quantmesh.trading.v1.OrderService/Gone", b"\x0a\x04desk") == '"CgRkZXNr"'


def test_an_empty_request_is_an_empty_object() -> None:
    assert request_json(PLACE, b"") == "{}"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:50000", "127.0.0.1:50000"),
        ("ipv6:%5B::1%5D:50000", "[::1]:50000"),
        ("unix:/run/socket", "unix:/run/socket"),
        ("", ""),
    ],
)
def test_a_peer_is_told_as_an_address_and_a_port(peer: str, address: str) -> None:
    record = AuditRecord("r", START, "desk", "user:test", PLACE, AuditOutcome.ALLOWED, peer, b"")
    assert audit_message(record).peer == address
