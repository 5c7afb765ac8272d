"""Reading orders, fills and events: filters, both directions, pages, and tokens that fit no other list."""

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.trading.v1 import order_pb2
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import (
    GetOrderRequest,
    ListFillsRequest,
    ListOrderEventsRequest,
    ListOrdersRequest,
)
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_NEWEST_FIRST, SORT_ORDER_OLDEST_FIRST
from tests.server.rig import ACCOUNT, Rig, limit, refusal, scripted

CODE = grpc.StatusCode


def orders(**fields: Any) -> ListOrdersRequest:
    return ListOrdersRequest(account_id=ACCOUNT, **fields)


def names(answer: Any) -> list[str]:
    return [order.client_order_id for order in answer.orders]


async def some_orders(rig: Rig, count: int = 5) -> None:
    for i in range(count):
        await rig.place(f"c{i}", quantity="10")
        rig.clock.advance(1)


async def traded(rig: Rig, client_order_id: str, **more: Any) -> order_pb2.Order:
    order = await rig.place(client_order_id, quantity="10", **more)
    rig.tell(order, ExecType.NEW)
    rig.fill(order, f"of {client_order_id}", 10)
    await rig.settled()
    rig.clock.advance(1)
    return order


async def test_an_order_is_read_by_either_of_its_ids() -> None:
    async with scripted() as rig:
        placed = await rig.place()
        for ref in ({"order_id": placed.order_id}, {"client_order_id": "x"}):
            answer = await rig.client.orders.GetOrder(GetOrderRequest(account_id=ACCOUNT, **ref))
            assert answer.order == placed


@pytest.mark.parametrize("ref", [{"order_id": "01NOBODY"}, {"client_order_id": "nobody"}], ids=str)
async def test_an_unknown_order_is_not_found_and_named(ref: dict[str, str]) -> None:
    async with scripted() as rig:
        missing = await refusal(rig.client.orders.GetOrder(GetOrderRequest(account_id=ACCOUNT, **ref)))
        assert (missing.code, missing.reason, missing.metadata) == (CODE.NOT_FOUND, "ORDER_NOT_FOUND", ref)


async def test_an_order_of_another_account_is_not_found() -> None:
    async with scripted() as rig:
        await rig.create("other")
        placed = await rig.place(account_id="other")
        request = GetOrderRequest(account_id=ACCOUNT, order_id=placed.order_id)
        assert (await refusal(rig.client.orders.GetOrder(request))).code is CODE.NOT_FOUND


async def test_a_reference_is_required() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.GetOrder(GetOrderRequest(account_id=ACCOUNT)))
        assert list(refused.fields) == ["order_ref"]


async def test_orders_are_listed_newest_first_unless_asked_otherwise() -> None:
    async with scripted() as rig:
        await some_orders(rig, 3)
        assert names(await rig.client.orders.ListOrders(orders())) == ["c2", "c1", "c0"]
        newest = await rig.client.orders.ListOrders(orders(order_by=SORT_ORDER_NEWEST_FIRST))
        assert names(newest) == ["c2", "c1", "c0"]
        oldest = await rig.client.orders.ListOrders(orders(order_by=SORT_ORDER_OLDEST_FIRST))
        assert names(oldest) == ["c0", "c1", "c2"]


@pytest.mark.parametrize("order_by", [SORT_ORDER_NEWEST_FIRST, SORT_ORDER_OLDEST_FIRST])
async def test_pages_neither_repeat_nor_miss_an_order_that_was_there(order_by: Any) -> None:
    async with scripted() as rig:
        await some_orders(rig, 7)
        seen: list[str] = []
        token = ""
        while True:
            page = await rig.client.orders.ListOrders(orders(page_size=3, page_token=token, order_by=order_by))
            seen += names(page)
            await rig.place(f"meanwhile{len(seen)}", quantity="1")
            token = page.next_page_token
            if not token or len(seen) > 7:
                break
        expected = [f"c{i}" for i in range(7)]
        assert seen[:7] == (expected if order_by == SORT_ORDER_OLDEST_FIRST else expected[::-1])


async def test_a_full_last_page_has_no_token() -> None:
    async with scripted() as rig:
        await some_orders(rig, 4)
        first = await rig.client.orders.ListOrders(orders(page_size=2))
        second = await rig.client.orders.ListOrders(orders(page_size=2, page_token=first.next_page_token))
        assert (len(second.orders), second.next_page_token) == (2, "")


async def test_orders_are_filtered_by_each_field() -> None:
    async with scripted() as rig:
        await traded(rig, "filled")
        await rig.place("bolt", symbol="BOLT", price="20", quantity="10")
        await rig.place("sell", side=SIDE_SELL, price="60", quantity="10")
        rig.clock.advance(5)
        late = await rig.place("late", strategy_id="s", quantity="10")
        cases: list[tuple[dict[str, Any], list[str]]] = [
            ({"symbol": "BOLT"}, ["bolt"]),
            ({"side": SIDE_SELL}, ["sell"]),
            ({"side": SIDE_BUY, "open_only": True}, ["late", "bolt"]),
            ({"statuses": [order_pb2.ORDER_STATUS_FILLED]}, ["filled"]),
            ({"strategy_id": "s"}, ["late"]),
            ({"group_id": "none"}, []),
            ({"created_after": late.created_time}, ["late"]),
            ({"created_before": late.created_time}, ["sell", "bolt", "filled"]),
        ]
        for where, expected in cases:
            assert names(await rig.client.orders.ListOrders(orders(**where))) == expected, where


async def test_a_page_token_is_refused_where_it_was_not_given() -> None:
    async with scripted() as rig:
        await rig.create("other")
        await some_orders(rig, 3)
        token = (await rig.client.orders.ListOrders(orders(page_size=1))).next_page_token
        misuses = [
            rig.client.orders.ListOrders(orders(page_size=1, page_token=token, symbol="ACME")),
            rig.client.orders.ListOrders(orders(page_token=token, order_by=SORT_ORDER_OLDEST_FIRST)),
            rig.client.orders.ListOrders(ListOrdersRequest(account_id="other", page_token=token)),
            rig.client.orders.ListFills(ListFillsRequest(account_id=ACCOUNT, page_token=token)),
            rig.client.orders.ListOrderEvents(ListOrderEventsRequest(account_id=ACCOUNT, page_token=token)),
            rig.client.orders.ListOrders(orders(page_token=token[:-2] + "AA")),
            *(rig.client.orders.ListOrders(orders(page_token=garbage)) for garbage in ("garbage!", "é", "AA")),
        ]
        for misuse in misuses:
            refused = await refusal(misuse)
            assert (refused.code, refused.reason) == (CODE.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
            assert list(refused.fields) == ["page_token"]
        other_size = await rig.client.orders.ListOrders(orders(page_size=2, page_token=token))
        assert names(other_size) == ["c1", "c0"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("page_size", -1),
        ("page_size", 1001),
        ("page_token", "x" * 1025),
        ("symbol", "lower"),
        ("side", 9),
        ("statuses", [0]),
        ("statuses", [1, 1]),
        ("order_by", 7),
    ],
)
async def test_malformed_filters_are_named(field: str, value: Any) -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.ListOrders(orders(**{field: value})))
        assert refused.code is CODE.INVALID_ARGUMENT
        assert next(iter(refused.fields)).startswith(field)


async def test_times_out_of_order_or_out_of_the_calendar_are_malformed() -> None:
    async with scripted() as rig:
        swapped = orders(created_after=Timestamp(seconds=2), created_before=Timestamp(seconds=1))
        assert "must be before" in (await refusal(rig.client.orders.ListOrders(swapped))).status.message
        beyond = orders(created_after=Timestamp(seconds=10**15))
        assert (await refusal(rig.client.orders.ListOrders(beyond))).code is CODE.INVALID_ARGUMENT


async def test_fills_are_listed_in_both_directions_page_by_page_and_filtered() -> None:
    async with scripted() as rig:
        first = await traded(rig, "a", strategy_id="s")
        await traded(rig, "b", symbol="BOLT", price="20")
        await traded(rig, "c", side=SIDE_SELL)
        last_time = Timestamp()
        last_time.FromDatetime(rig.clock.now())

        async def fills(**where: Any) -> list[str]:
            answer = await rig.client.orders.ListFills(ListFillsRequest(account_id=ACCOUNT, **where))
            return [fill.client_order_id for fill in answer.fills]

        assert await fills() == ["c", "b", "a"]
        assert await fills(order_by=SORT_ORDER_OLDEST_FIRST) == ["a", "b", "c"]
        assert await fills(order_id=first.order_id) == ["a"]
        assert await fills(client_order_id="b") == ["b"]
        assert await fills(symbol="BOLT") == ["b"]
        assert await fills(side=SIDE_SELL) == ["c"]
        assert await fills(strategy_id="s") == ["a"]
        assert await fills(filled_after=last_time) == []
        page = await rig.client.orders.ListFills(ListFillsRequest(account_id=ACCOUNT, page_size=2))
        rest = ListFillsRequest(account_id=ACCOUNT, page_token=page.next_page_token)
        assert [fill.client_order_id for fill in (await rig.client.orders.ListFills(rest)).fills] == ["a"]
        for unknown in (
            ListFillsRequest(account_id=ACCOUNT, client_order_id="nobody"),
            ListFillsRequest(account_id=ACCOUNT, order_id="nobody"),
        ):
            assert (await refusal(rig.client.orders.ListFills(unknown))).code is CODE.NOT_FOUND


async def test_events_are_listed_in_order_from_a_sequence_on_and_for_one_order() -> None:
    async with scripted() as rig:
        order = await traded(rig, "a")
        await traded(rig, "b")
        request = ListOrderEventsRequest(account_id=ACCOUNT, after_sequence=1, page_size=2)
        page = await rig.client.orders.ListOrderEvents(request)
        assert [event.sequence for event in page.events] == [2, 3]
        assert page.sequence == 7
        request.page_token = page.next_page_token
        assert [e.sequence for e in (await rig.client.orders.ListOrderEvents(request)).events] == [4, 5]
        one = ListOrderEventsRequest(account_id=ACCOUNT, client_order_id="a")
        events = (await rig.client.orders.ListOrderEvents(one)).events
        assert {event.order.order_id for event in events} == {order.order_id}
        assert len(events) == 3
        future = ListOrderEventsRequest(account_id=ACCOUNT, after_sequence=99)
        refused = await refusal(rig.client.orders.ListOrderEvents(future))
        assert (refused.code, refused.reason) == (CODE.OUT_OF_RANGE, "SEQUENCE_IN_FUTURE")


async def test_what_is_listed_is_what_was_answered() -> None:
    async with scripted() as rig:
        tagged = limit("t", tags={"k": "v"}, strategy_id="s", trailing_stop={"percent": "2.5"})
        placed = await rig.place("p")
        other = (await rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=tagged))).order
        assert list((await rig.client.orders.ListOrders(orders())).orders) == [other, placed]
