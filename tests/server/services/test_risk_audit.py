"""The audit as a list: pages, filters and sizes."""

from datetime import timedelta
from typing import Any

import grpc

from quantmesh.risk.v1 import audit_pb2 as pb
from quantmesh.trading.v1 import order_placement_pb2
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_NEWEST_FIRST, SORT_ORDER_OLDEST_FIRST
from server.mapping.common import to_timestamp
from tests.server.audit_calls import ALLOWED, DENIED, FAILED, NOBODY, PLACE, REQUESTS, placing, records, send
from tests.server.rig import Rig, limit, refusal, scripted


async def filled(rig: Rig) -> None:
    """Nine calls, a second apart."""
    for i in range(3):
        await rig.place(f"c{i}")
        rig.clock.advance(1)
        await send(rig, "CancelOrders", REQUESTS["CancelOrders"])
        rig.clock.advance(1)
        await refusal(rig.client.orders.PlaceOrder(placing(account_id=NOBODY)))
        rig.clock.advance(1)


async def test_the_list_goes_page_by_page_newest_first() -> None:
    async with scripted() as rig:
        await filled(rig)
        whole = (await rig.client.risk.ListAuditRecords(pb.ListAuditRecordsRequest())).audit_records
        assert len(whole) == 10
        times = [record.record_time.ToDatetime() for record in whole]
        assert times == sorted(times, reverse=True)
        for order_by, expected in (
            (SORT_ORDER_NEWEST_FIRST, list(whole)),
            (SORT_ORDER_OLDEST_FIRST, list(whole)[::-1]),
        ):
            request = pb.ListAuditRecordsRequest(page_size=4, order_by=order_by)
            pages: list[Any] = []
            while not pages or request.page_token:
                answer = await rig.client.risk.ListAuditRecords(request)
                pages.append(answer.audit_records)
                request.page_token = answer.next_page_token
            assert [len(page) for page in pages] == [4, 4, 2]
            assert [record for page in pages for record in page] == expected


async def test_the_list_is_filtered() -> None:
    async with scripted() as rig:
        start = rig.clock.now()
        await filled(rig)

        async def found(**where: Any) -> int:
            return len(await records(rig, **where))

        assert await found() == 9
        assert await found(account_id=NOBODY) == 3
        assert await found(actor="user:boss") == 3
        assert await found(rpc="PlaceOrder") == 6
        assert await found(rpc=PLACE, outcome=ALLOWED) == 3
        assert await found(rpc="Place") == 0
        assert await found(rpc="OrderService/PlaceOrder") == 0
        assert await found(outcome=DENIED) == 3
        assert await found(outcome=FAILED) == 0
        assert await found(actor="user:boss", outcome=DENIED) == 0
        second = to_timestamp(start + timedelta(seconds=1))
        assert await found(recorded_after=second) == 8
        assert await found(recorded_before=second) == 1
        assert await found(recorded_after=second, recorded_before=to_timestamp(start + timedelta(seconds=2))) == 1


async def test_a_page_is_not_larger_than_callers_take() -> None:
    async with scripted() as rig:
        tags = {f"k{i}": "v" * 128 for i in range(16)}
        orders = [limit(f"c{i}", tags=tags) for i in range(30)]
        request = order_placement_pb2.PlaceOrdersRequest(account_id=NOBODY, orders=orders)
        for _ in range(50):
            await refusal(rig.client.orders.PlaceOrders(request))
        asked = pb.ListAuditRecordsRequest(page_size=1_000, account_id=NOBODY)
        sizes: list[int] = []
        while not sizes or asked.page_token:
            answer = await rig.client.risk.ListAuditRecords(asked)
            assert answer.ByteSize() < 4 * 1024 * 1024
            sizes.append(len(answer.audit_records))
            asked.page_token = answer.next_page_token
        assert len(sizes) > 1
        assert sum(sizes) == 50


async def test_a_token_of_another_list_is_refused() -> None:
    async with scripted() as rig:
        await filled(rig)
        answer = await rig.client.risk.ListAuditRecords(pb.ListAuditRecordsRequest(page_size=1))
        other = pb.ListAuditRecordsRequest(page_size=1, actor="user:boss", page_token=answer.next_page_token)
        refused = await refusal(rig.client.risk.ListAuditRecords(other))
        assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
