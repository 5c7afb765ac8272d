"""Kill -9 on the way of many calls: a change and its record are there together, or neither is."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest

from quantmesh.risk.v1 import audit_pb2
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import ListOrderEventsRequest
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from tests.support.server import Client, Site

pytestmark = pytest.mark.timeout(120)

ACCOUNT = "desk"
ACTOR = "user:caller"
_CALLERS = 8
_MOST_CALLS = 2_000


async def place_until_it_dies(client: Client) -> set[int]:
    """The sequences that were answered; every fifth order is refused by a rule."""
    answered: set[int] = set()
    numbers = iter(range(_MOST_CALLS))

    async def caller() -> None:
        for number in numbers:
            quantity = "1" if number % 5 else "999999999"
            order = NewOrder(client_order_id=f"c{number}", symbol="AAPL", side=SIDE_BUY, quantity=quantity)
            order.limit.price = "1"
            request = PlaceOrderRequest(account_id=ACCOUNT, order=order)
            try:
                placed = await client.orders.PlaceOrder(request, metadata=(("x-quantmesh-actor", "caller"),))
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    return
            else:
                answered.add(placed.sequence)

    await asyncio.gather(*(caller() for _ in range(_CALLERS)))
    return answered


async def every(call: Any, request: Any, field: str) -> list[Any]:
    """All items of a list, page by page."""
    found: list[Any] = []
    while True:
        answer = await call(request)
        found += getattr(answer, field)
        if not answer.next_page_token:
            return found
        request.page_token = answer.next_page_token


@pytest.mark.parametrize("point", ["journal_insert_done", "journal_commit", "journal_commit_done", "ack"])
async def test_each_change_has_its_record_and_each_record_its_change(point: str, tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.start(crash_at=f"{point}:40") as server:
        async with server.client() as client:
            await client.accounts.CreateAccount(
                CreateAccountRequest(account_id=ACCOUNT, broker="paper", base_currency="USD", starting_cash="1000000")
            )
            answered = await place_until_it_dies(client)
        assert await asyncio.to_thread(server.exit_status, 10) == -signal.SIGKILL
    with site.start() as server:
        async with server.client() as client:
            lists = audit_pb2.ListAuditRecordsRequest(actor=ACTOR, page_size=1_000)
            records = await every(client.risk.ListAuditRecords, lists, "audit_records")
            asked = ListOrderEventsRequest(account_id=ACCOUNT, page_size=1_000)
            events = await every(client.orders.ListOrderEvents, asked, "events")
    changes = Counter(event.sequence for event in events if event.actor == ACTOR)
    assert Counter(record.sequence for record in records) == changes
    assert answered
    assert answered <= changes.keys()
