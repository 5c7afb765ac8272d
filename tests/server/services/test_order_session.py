"""OrderSession: answers in order with many commands under way, leases, and every way in which a session ends."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo

from application.trading.command import OrderRef
from application.trading.commands.place_order_command import PlaceOrder
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import CancelReason
from quantmesh.trading.v1 import order_pb2
from quantmesh.trading.v1.order_session_pb2 import (
    CancelAllCommand,
    CancelCommand,
    KeepAlive,
    OpenSession,
    OrderSessionRequest,
    OrderSessionResponse,
    PlaceCommand,
    ReplaceCommand,
)
from tests.server.rig import ACCOUNT, Refusal, Rig, limit, refusal, rest, scripted, take, until, within
from tests.support.server import Client
from tests.support.trading import terms

LEASE = Duration(nanos=150_000_000)


class Session:
    """A caller's end of one session, already open."""

    def __init__(self, rig: Rig, **opening: Any) -> None:
        self.call = rig.client.orders.OrderSession()
        self._opening = OpenSession(account_id=ACCOUNT, **opening)

    async def open(self) -> Any:
        await self.send("open", open=self._opening)
        return (await self.answer()).opened

    async def send(self, command_id: str, **command: Any) -> None:
        await self.call.write(OrderSessionRequest(command_id=command_id, **command))

    async def place(self, client_order_id: str, **more: Any) -> None:
        await self.send(client_order_id, place=PlaceCommand(order=limit(client_order_id, **more)))

    async def answer(self) -> Any:
        return await within(self.call.read())

    async def answers(self, count: int) -> Sequence[Any]:
        return await take(self.call, count)


def book_order(rig: Rig, client_order_id: str) -> Order:
    return OrderRef(client_order_id=client_order_id).find(rig.engine.writer(ACCOUNT).book)


async def test_a_session_opens_with_the_sequence_that_a_stream_can_go_on_from() -> None:
    async with scripted() as rig:
        await rig.place("before")
        opened = await Session(rig).open()
        assert opened.sequence == 2
        assert opened.session_id
        assert not opened.HasField("lease_expire_time")


async def test_a_thousand_commands_under_way_are_answered_once_each_and_in_order() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.open()
        count = 1_500

        async def send() -> None:
            for i in range(count):
                await session.place(f"c{i}", quantity="0.5" if i % 7 == 0 else "1")

        sending = asyncio.create_task(send())
        answers = await session.answers(count)
        await sending
        assert [answer.command_id for answer in answers] == [f"c{i}" for i in range(count)]
        # Every seventh is off the lot size: refused, and the session goes on.
        assert [a.WhichOneof("answer") for a in answers] == ["done" if i % 7 else "error" for i in range(count)]
        placed = [answer.done for answer in answers if answer.HasField("done")]
        assert [done.sequence for done in placed] == sorted(done.sequence for done in placed)
        assert all(done.order.order_id for done in placed)


async def test_place_replace_cancel_and_cancel_all_are_answered_as_the_unary_calls_are() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.open()
        await session.place("a")
        placed = (await session.answer()).done
        rig.tell(book_order(rig, "a"), ExecType.NEW)
        await rig.settled()
        await session.send("r", replace=ReplaceCommand(client_order_id="a", limit_price="51"))
        await session.send("c", cancel=CancelCommand(order_id=placed.order.order_id))
        await session.place("b")
        await session.send("all", cancel_all=CancelAllCommand(symbol="ACME"))
        await session.send("k", keep_alive=KeepAlive())
        replaced, canceled, second, all_canceled, renewed = await session.answers(5)
        assert replaced.done.order.status == order_pb2.ORDER_STATUS_PENDING_REPLACE
        assert canceled.done.order.status == order_pb2.ORDER_STATUS_PENDING_CANCEL
        assert second.done.sequence == 6
        assert [result.client_order_id for result in all_canceled.cancel_all_done.results] == ["a", "b"]
        assert renewed.WhichOneof("answer") == "lease_renewed"


async def test_a_repeated_place_is_replayed() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.open()
        await session.place("a")
        await session.place("a")
        first, again = await session.answers(2)
        assert (first.done.replayed, again.done.replayed) == (False, True)
        assert first.done.order == again.done.order


async def test_bad_commands_are_answered_with_their_fields_and_the_session_goes_on() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.open()
        await session.place("a", quantity="-1")
        await session.place("b", post_only=True, market={})
        await session.send("r", replace=ReplaceCommand(client_order_id="nobody", stop_price="1"))
        await session.send("again", open=OpenSession(account_id=ACCOUNT))
        await session.send("", keep_alive=KeepAlive())
        await session.place("good")
        *bad, good = await session.answers(6)
        errors = [Refusal(answer.error) for answer in bad]
        assert [error.reason for error in errors] == [
            "INVALID_REQUEST",
            "INVALID_REQUEST",
            "ORDER_NOT_FOUND",
            "COMMAND_OUT_OF_PLACE",
            "INVALID_REQUEST",
        ]
        assert list(errors[0].fields) == ["place.order.quantity"]
        assert list(errors[1].fields) == ["place.order.post_only"]
        assert list(errors[4].fields) == ["command_id"]
        assert good.done.order.client_order_id == "good"


async def test_bytes_that_are_no_message_are_answered_with_an_error() -> None:
    async with scripted() as rig:
        call: Any = rig.client.channel.stream_stream("/quantmesh.trading.v1.OrderService/OrderSession")()
        await call.write(OrderSessionRequest(command_id="o", open=OpenSession(account_id=ACCOUNT)).SerializeToString())
        await within(call.read())
        await call.write(b"\xff\xff\xff")
        answer = OrderSessionResponse.FromString(await within(call.read()))
        assert Refusal(answer.error).reason == "INVALID_REQUEST"


async def test_the_first_message_must_be_a_valid_open() -> None:
    async with scripted() as rig:
        early = rig.client.orders.OrderSession()
        await early.write(OrderSessionRequest(command_id="x", keep_alive=KeepAlive()))
        assert (await refusal(early)).reason == "COMMAND_OUT_OF_PLACE"
        malformed = rig.client.orders.OrderSession()
        await malformed.write(OrderSessionRequest(command_id="x", open=OpenSession(account_id="a b")))
        assert list((await refusal(malformed)).fields) == ["open.account_id"]
        denied = rig.client.orders.OrderSession()
        await denied.write(OrderSessionRequest(command_id="x", open=OpenSession(account_id="nobody")))
        assert (await refusal(denied)).code is grpc.StatusCode.PERMISSION_DENIED
        silent = rig.client.orders.OrderSession()
        await silent.done_writing()
        assert (await refusal(silent)).reason == "COMMAND_OUT_OF_PLACE"


async def test_half_close_answers_what_was_sent_and_leaves_the_session_open() -> None:
    async with scripted() as rig:
        session = Session(rig, cancel_on_disconnect=True)
        await session.open()
        await session.place("a")
        await session.call.done_writing()
        assert (await session.answer()).done.order.client_order_id == "a"
        reading = asyncio.create_task(session.call.read())
        await asyncio.sleep(0.2)
        assert not reading.done()
        assert not book_order(rig, "a").cancel_pending
        await rig.stop()
        assert (await within(reading)).WhichOneof("answer") == "goodbye"


async def test_after_a_half_close_the_lease_ends_the_session() -> None:
    async with scripted() as rig:
        session = Session(rig, lease=LEASE)
        await session.open()
        await session.call.done_writing()
        [last] = await rest(session.call)
        assert last.WhichOneof("answer") == "lease_expired"
        assert await session.call.code() is grpc.StatusCode.OK


async def test_a_lease_that_runs_out_cancels_the_sessions_orders_and_no_others() -> None:
    async with scripted() as rig:
        mine = await rig.place("mine")
        session = Session(rig, lease=LEASE, cancel_on_disconnect=True)
        opened = await session.open()
        assert opened.HasField("lease_expire_time")
        await session.place("a")
        await session.place("mine")
        await session.answers(2)
        [last] = await rest(session.call)
        session_order = book_order(rig, "a")
        assert list(last.lease_expired.canceled_order_ids) == [session_order.order_id]
        assert last.lease_expired.sequence == 4
        assert session_order.cancel_reason is CancelReason.LEASE_EXPIRED
        assert not book_order(rig, "mine").cancel_pending
        assert rig.broker.times("cancel", mine.order_id) == 0
        assert await session.call.code() is grpc.StatusCode.OK


async def test_every_message_renews_the_lease() -> None:
    async with scripted() as rig:
        session = Session(rig, lease=Duration(nanos=400_000_000))
        await session.open()
        for i in range(8):
            await asyncio.sleep(0.1)
            await session.send(f"k{i}", keep_alive=KeepAlive())
            answer = await session.answer()
            assert answer.WhichOneof("answer") == "lease_renewed"
            assert answer.lease_renewed.HasField("lease_expire_time")
        assert (await session.answer()).WhichOneof("answer") == "lease_expired"


async def test_a_lease_without_cancel_on_disconnect_leaves_the_orders() -> None:
    async with scripted() as rig:
        session = Session(rig, lease=LEASE)
        await session.open()
        await session.place("a")
        *_, last = await rest(session.call)
        assert list(last.lease_expired.canceled_order_ids) == []
        assert not book_order(rig, "a").cancel_pending


async def test_a_disconnect_cancels_the_orders_placed_in_the_session() -> None:
    async with scripted() as rig:
        await rig.place("outside")
        session = Session(rig, cancel_on_disconnect=True)
        await session.open()
        await session.place("a")
        await session.answer()
        session.call.cancel()
        await until(lambda: book_order(rig, "a").cancel_pending)
        assert book_order(rig, "a").cancel_reason is CancelReason.DISCONNECTED
        assert not book_order(rig, "outside").cancel_pending


async def test_a_disconnect_without_the_option_leaves_the_orders() -> None:
    async with scripted() as rig:
        session = Session(rig)
        await session.open()
        await session.place("a")
        await session.answer()
        session.call.cancel()
        await until(lambda: rig.lifecycle.under_way == 0)
        assert book_order(rig, "a").status is OrderStatus.PENDING_NEW


async def test_orders_whose_answers_nobody_waited_for_are_cancelled_too() -> None:
    async with scripted() as rig:
        session = Session(rig, cancel_on_disconnect=True)
        await session.open()
        for i in range(200):
            await session.place(f"c{i}", quantity="1")
        session.call.cancel()
        await until(lambda: rig.lifecycle.under_way == 0)
        orders = list(rig.engine.writer(ACCOUNT).book.orders.values())
        assert all(order.cancel_pending for order in orders)


async def test_a_deadline_is_a_disconnect() -> None:
    async with scripted() as rig:
        call = rig.client.orders.OrderSession(timeout=0.3)
        opening = OpenSession(account_id=ACCOUNT, cancel_on_disconnect=True)
        await call.write(OrderSessionRequest(command_id="o", open=opening))
        await call.write(OrderSessionRequest(command_id="p", place=PlaceCommand(order=limit("a"))))
        await take(call, 2)
        await until(lambda: book_order(rig, "a").cancel_pending)


async def test_a_shutdown_says_goodbye_and_keeps_the_orders() -> None:
    async with scripted() as rig:
        session = Session(rig, cancel_on_disconnect=True)
        await session.open()
        await session.place("a")
        await session.answer()
        stopping = asyncio.create_task(rig.stop())
        [last] = await rest(session.call)
        assert last.goodbye.sequence == 2
        assert await session.call.code() is grpc.StatusCode.OK
        await within(stopping)
        assert not book_order(rig, "a").cancel_pending


async def test_a_session_that_was_never_opened_does_not_hold_up_a_shutdown() -> None:
    async with scripted() as rig:
        call = rig.client.orders.OrderSession()
        await until(lambda: rig.lifecycle.under_way == 1)
        await within(rig.stop(), 2)
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPING")
        assert refused.detail(ErrorInfo) is not None
        assert refused.detail(BadRequest) is None


async def test_a_caller_that_sends_and_does_not_read_is_held_back_and_its_lease_kept() -> None:
    narrow = (("grpc.http2.lookahead_bytes", 65_536), ("grpc.http2.bdp_probe", 0))
    async with scripted() as rig, grpc.aio.insecure_channel(rig.transport.address, options=narrow) as channel:
        rig.client = Client(channel)
        session = Session(rig, lease=LEASE)
        await session.open()
        count = 3_000

        async def flood() -> None:
            for i in range(count):
                await session.place(f"c{i}", quantity="1", tags={"note": "n" * 128})

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(1.5)
        assert rig.engine.writer(ACCOUNT).book.sequence < 2_500
        assert not flooding.done()
        answers = await session.answers(count)
        assert [answer.command_id for answer in answers] == [f"c{i}" for i in range(count)]
        await flooding


async def test_replies_to_commands_of_others_do_not_mix_in() -> None:
    async with scripted() as rig:
        one, two = Session(rig), Session(rig)
        await one.open()
        await two.open()
        for i in range(50):
            await one.place(f"one{i}", quantity="1")
            await two.place(f"two{i}", quantity="1")
            await rig.engine.execute(PlaceOrder(ACCOUNT, "user:t", book_terms(f"direct{i}")))
        assert [answer.command_id for answer in await one.answers(50)] == [f"one{i}" for i in range(50)]
        assert [answer.command_id for answer in await two.answers(50)] == [f"two{i}" for i in range(50)]


def book_terms(client_order_id: str) -> Any:
    return terms(client_order_id, quantity=1)
