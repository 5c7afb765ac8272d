"""StreamOrderEvents and StreamFills: three starts, exact resume, filters, heartbeats and goodbye."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.trading.v1 import order_pb2
from quantmesh.trading.v1.order_change_pb2 import CancelOrderRequest, ReplaceOrderRequest
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamOrderEventsRequest
from quantmesh.type.v1.side_pb2 import SIDE_SELL
from quantmesh.type.v1.stream_pb2 import Live, SnapshotThenLive
from tests.server.rig import ACCOUNT, Rig, kinds, refusal, rest, scripted, take, within
from tests.support.trading import D

SOON = Duration(nanos=100_000_000)


def events(rig: Rig, **start: Any) -> Any:
    return rig.client.orders.StreamOrderEvents(StreamOrderEventsRequest(account_id=ACCOUNT, **start))


def fills(rig: Rig, **start: Any) -> Any:
    return rig.client.orders.StreamFills(StreamFillsRequest(account_id=ACCOUNT, **start))


async def filled(
    rig: Rig, client_order_id: str, execution_id: str, quantity: int = 100, **more: Any
) -> order_pb2.Order:
    order = await rig.place(client_order_id, **more)
    rig.tell(order, ExecType.NEW)
    rig.fill(order, execution_id, quantity)
    await rig.settled()
    return order


async def test_after_sequence_zero_sends_the_whole_journal_and_goes_on_live() -> None:
    async with scripted() as rig:
        await filled(rig, "a", "e1")
        stream = events(rig, after_sequence=0)
        told = [message.event for message in await take(stream, 4)]
        assert [event.sequence for event in told] == [1, 2, 3, 4]
        assert kinds(told, "event") == ["account_created", "placed", "accepted", "filled"]
        assert not told[0].HasField("order")
        assert told[3].order.status == order_pb2.ORDER_STATUS_FILLED
        assert told[3].actor == "broker:scripted"
        await rig.place("b")
        assert (await within(stream.read())).event.sequence == 5


async def test_resuming_gives_exactly_what_follows() -> None:
    async with scripted() as rig:
        for i in range(20):
            await rig.place(f"c{i}", quantity="1")
        for cursor in (0, 7, 20):
            [first] = await take(events(rig, after_sequence=cursor), 1)
            assert first.event.sequence == cursor + 1


async def test_a_live_stream_says_at_once_where_it_stands() -> None:
    async with scripted() as rig:
        await rig.place("a")
        stream = events(rig, live=Live())
        assert (await within(stream.read())).heartbeat.sequence == 2
        await rig.place("b")
        assert (await within(stream.read())).event.order.client_order_id == "b"


async def test_without_a_start_the_stream_is_live() -> None:
    async with scripted() as rig:
        assert kinds(await take(events(rig), 1)) == ["heartbeat"]
        assert kinds(await take(fills(rig), 1)) == ["heartbeat"]


async def test_a_stream_with_nothing_to_tell_yet_is_accepted_at_once() -> None:
    async with scripted() as rig:
        stream = events(rig, after_sequence=1)
        await within(stream.initial_metadata())


async def test_a_snapshot_is_the_open_orders_as_of_its_sequence_and_then_what_follows() -> None:
    async with scripted() as rig:
        await filled(rig, "done", "e1")
        await rig.place("open-1")
        await rig.place("open-2", symbol="BOLT", price="20")
        stream = events(rig, snapshot_then_live=SnapshotThenLive())
        first, second, end = await take(stream, 3)
        assert [first.snapshot_order.client_order_id, second.snapshot_order.client_order_id] == ["open-1", "open-2"]
        assert end.snapshot_end.sequence == 6
        await rig.place("next")
        assert (await within(stream.read())).event.sequence == 7


async def test_snapshots_taken_while_orders_pour_in_neither_miss_nor_repeat_any() -> None:
    async with scripted() as rig:

        async def pour() -> None:
            for i in range(150):
                await rig.place(f"p{i}", quantity="1")

        pouring = asyncio.create_task(pour())
        for _ in range(5):
            stream = events(rig, snapshot_then_live=SnapshotThenLive())
            known = set()
            while (message := await within(stream.read())).WhichOneof("message") == "snapshot_order":
                known.add(message.snapshot_order.client_order_id)
            cursor = message.snapshot_end.sequence
            assert len(known) == cursor - 1
            [following] = await take(stream, 1)
            assert following.event.sequence == cursor + 1
            assert following.event.order.client_order_id not in known
            stream.cancel()
        await pouring


async def test_event_filters_leave_out_other_orders_and_the_account() -> None:
    async with scripted() as rig:
        stream = events(rig, after_sequence=0, symbol="BOLT")
        by_strategy = events(rig, after_sequence=0, strategy_id="s")
        await rig.place("a", strategy_id="s")
        await rig.place("b", symbol="BOLT", price="20")
        assert [message.event.order.client_order_id for message in await take(stream, 1)] == ["b"]
        assert [message.event.order.client_order_id for message in await take(by_strategy, 1)] == ["a"]


async def test_a_heartbeat_carries_what_was_filtered_out_as_well() -> None:
    async with scripted() as rig:
        stream = events(rig, after_sequence=0, symbol="BOLT", heartbeat_interval=SOON)
        await rig.place("a")
        message = await within(stream.read())
        while message.heartbeat.sequence < 2:
            message = await within(stream.read())
        assert message.heartbeat.sequence == 2


async def test_heartbeats_come_also_while_only_others_events_happen() -> None:
    async with scripted() as rig:
        stream = fills(rig, live=Live(), heartbeat_interval=SOON)
        await within(stream.read())

        async def chatter() -> None:
            for i in range(60):
                await rig.place(f"p{i}", quantity="1")
                await asyncio.sleep(0.01)

        chattering = asyncio.create_task(chatter())
        message = await within(stream.read(), 0.5)
        assert message.WhichOneof("message") == "heartbeat"
        await chattering


async def test_fills_are_sent_with_their_sequence_and_filters() -> None:
    async with scripted() as rig:
        stream = fills(rig, after_sequence=0)
        bolts = fills(rig, after_sequence=0, symbol="BOLT")
        strategy = fills(rig, after_sequence=0, strategy_id="s")
        await filled(rig, "a", "e1", strategy_id="s")
        await filled(rig, "b", "e2", 40, symbol="BOLT", price="20")
        first, second = [message.fill for message in await take(stream, 2)]
        assert (first.client_order_id, first.sequence, first.quantity, first.price) == ("a", 4, "100", "50")
        assert (first.fee, first.fee_currency, first.execution_id, first.busted) == ("0.1", "USD", "e1", False)
        assert (second.client_order_id, second.quantity) == ("b", "40")
        assert (await within(bolts.read())).fill.client_order_id == "b"
        assert (await within(strategy.read())).fill.client_order_id == "a"


async def test_a_bust_sends_the_fill_again_and_a_correction_a_fill_of_its_own() -> None:
    async with scripted() as rig:
        order = await rig.place()
        rig.tell(order, ExecType.NEW)
        rig.fill(order, "e1", 60)
        rig.fill(order, "e2", 40)
        rig.tell(order, ExecType.TRADE_CANCEL, reference_id="e1", reason="clearly erroneous")
        rig.tell(order, ExecType.TRADE_CORRECT, reference_id="e2", execution_id="e3", quantity=D(40), price=D(49))
        await rig.settled()
        first, second, busted, corrected = [m.fill for m in await take(fills(rig, after_sequence=0), 4)]
        assert (busted.fill_id, busted.busted, busted.sequence) == (first.fill_id, True, 6)
        assert (corrected.corrects_fill_id, corrected.price, corrected.sequence) == (second.fill_id, "49", 7)
        told = [m.event for m in await take(events(rig, after_sequence=5), 2)]
        assert kinds(told, "event") == ["fill_busted", "fill_corrected"]
        assert told[0].fill_busted.text == "clearly erroneous"
        assert told[1].fill_corrected.corrected_fill.busted


async def test_a_fill_snapshot_is_the_positions_that_are_not_flat() -> None:
    async with scripted() as rig:
        await filled(rig, "a", "e1")
        await filled(rig, "b", "e2", symbol="BOLT", price="20")
        await filled(rig, "c", "e3", symbol="BOLT", price="20", side=SIDE_SELL)
        stream = fills(rig, snapshot_then_live=SnapshotThenLive())
        held, end = await take(stream, 2)
        assert (held.snapshot_position.symbol, held.snapshot_position.quantity) == ("ACME", "100")
        assert end.snapshot_end.sequence == 10


async def test_every_kind_of_change_is_told_by_its_own_event() -> None:
    async with scripted() as rig:
        stop = await rig.place("stop", stop={"stop_price": "51"})
        rig.tell(stop, ExecType.NEW)
        rig.tell(stop, ExecType.TRIGGERED, price=D("51.25"))
        rig.tell(stop, ExecType.EXPIRED)
        lost = await rig.place("lost")
        rig.tell(lost, ExecType.UNCLEAR, reason="no answer")
        rig.tell(lost, ExecType.REJECTED, reason="margin")
        await rig.settled()
        told = [m.event for m in await take(events(rig, after_sequence=1), 8)]
        assert kinds(told, "event") == [
            *("placed", "accepted", "triggered", "expired", "placed", "submission_unknown", "rejected"),
            "submission_resolved",
        ]
        assert told[1].order.active_stop_price == "51"
        assert told[2].triggered.trigger_price == "51.25"
        assert told[2].order.active_stop_price == ""
        assert told[5].submission_unknown.text == "no answer"
        assert told[6].order.reject_reason == "BROKER_REJECTED"
        assert told[6].order.reject_text == "margin"
        assert told[7].submission_resolved.found


async def test_a_replace_request_tells_only_what_is_to_change() -> None:
    async with scripted() as rig:
        order = await rig.place()
        rig.tell(order, ExecType.NEW)
        await rig.settled()
        asked = ReplaceOrderRequest(account_id=ACCOUNT, client_order_id="x", limit_price="51", quantity="100")
        version = (await rig.client.orders.ReplaceOrder(asked)).order.version
        rig.tell(order, ExecType.REPLACE_REJECTED, request_version=version, reason="too late")
        await rig.settled()
        await rig.client.orders.CancelOrder(
            CancelOrderRequest(account_id=ACCOUNT, client_order_id="x", reason="enough")
        )
        rig.tell(order, ExecType.CANCEL_REJECTED, reason="too late as well")
        await rig.settled()
        replace, refused, cancel, kept = [m.event for m in await take(events(rig, after_sequence=3), 4)]
        assert replace.replace_requested.limit_price == "51"
        assert not replace.replace_requested.HasField("quantity")
        assert refused.replace_rejected.text == "too late"
        assert cancel.cancel_requested.text == "enough"
        assert cancel.cancel_requested.reason == order_pb2.CANCEL_REASON_REQUESTED
        assert kept.cancel_rejected.text == "too late as well"
        assert kept.order.cancel_reason == order_pb2.CANCEL_REASON_UNSPECIFIED


@pytest.mark.parametrize("open_stream", [events, fills])
async def test_a_cursor_from_the_future_is_out_of_range(open_stream: Any) -> None:
    async with scripted() as rig:
        refused = await refusal(open_stream(rig, after_sequence=99))
        assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "SEQUENCE_IN_FUTURE")
        assert refused.metadata == {"current_sequence": "1"}


@pytest.mark.parametrize("kind", ["StreamOrderEvents", "StreamFills"])
async def test_a_stream_of_an_unknown_account_is_denied_and_a_malformed_one_refused(kind: str) -> None:
    async with scripted() as rig:
        call = getattr(rig.client.orders, kind)
        message = StreamOrderEventsRequest if kind == "StreamOrderEvents" else StreamFillsRequest
        for start in ({}, {"after_sequence": 0}, {"snapshot_then_live": SnapshotThenLive()}):
            denied = await refusal(call(message(account_id="nobody", **start)))
            assert (denied.code, denied.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
        malformed = await refusal(call(message(account_id=ACCOUNT, heartbeat_interval=Duration(nanos=1))))
        assert list(malformed.fields) == ["heartbeat_interval"]


async def test_a_shutdown_says_goodbye_with_the_cursor_and_ends_well() -> None:
    async with scripted() as rig:
        await rig.place()
        streams = [events(rig, live=Live()), events(rig, after_sequence=0), fills(rig, live=Live())]
        for stream in streams:
            await within(stream.read())
        stopping = asyncio.create_task(rig.stop())
        for stream in streams:
            *_, last = await rest(stream)
            assert last.WhichOneof("message") == "goodbye"
            assert await stream.code() is grpc.StatusCode.OK
        await within(stopping)
        assert last.goodbye.sequence == 2


async def test_a_hundred_subscribers_get_every_fill_in_order() -> None:
    async with scripted() as rig:
        streams = [fills(rig, live=Live()) for _ in range(100)]
        for stream in streams:
            await within(stream.read())
        order = await rig.place()
        for i in range(5):
            rig.fill(order, f"e{i}", 10)
        for stream in streams:
            assert [message.fill.execution_id for message in await take(stream, 5)] == [f"e{i}" for i in range(5)]


async def test_a_reader_that_stalls_costs_no_other_and_misses_nothing_itself() -> None:
    async with scripted() as rig:
        stalled, lively = events(rig, after_sequence=0), events(rig, after_sequence=0)
        await within(stalled.read())
        for i in range(600):
            await rig.place(f"p{i}", quantity="1", tags={"note": "n" * 100})
        assert [m.event.sequence for m in await take(lively, 601)] == list(range(1, 602))
        assert [m.event.sequence for m in await take(stalled, 600)] == list(range(2, 602))
