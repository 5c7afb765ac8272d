"""Callers who trade in one account, many at once, and remember every request and every answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import grpc

from quantmesh.risk.v1.risk_profile_pb2 import SELF_MATCH_ACTION_ALLOW, RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateRiskProfileRequest
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_change_pb2 import CancelOrderRequest, CancelOrdersRequest, ReplaceOrderRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import (
    PlaceOrderGroupRequest,
    PlaceOrderRequest,
    PlaceOrderResponse,
    PlaceOrdersRequest,
)
from quantmesh.trading.v1.order_session_pb2 import OpenSession, OrderSessionRequest, OrderSessionResponse, PlaceCommand
from tests.end_to_end.order_mix import OrderMix, markets
from tests.end_to_end.refusals import Refusal, read, refusal
from tests.support.server import Client

STARTING_CASH: Final = "1000000000"
_CALLERS: Final = 6
_SESSION_AHEAD: Final = 5
_HURRY_SECONDS: Final = 0.003
_TOO_LATE: Final = ("ORDER_NOT_OPEN", "ORDER_NOT_REPLACEABLE", "RISK_CHECK_FAILED")

T = TypeVar("T")


@dataclass
class Sent:
    """A request that places orders. With neither answer nor refusal nobody knows what came of it.

    `given_up`: its caller did not wait for an answer.
    """

    method: str
    request: Any
    answer: Any = None
    refusal: Refusal | None = None
    given_up: bool = False

    @property
    def cut_off(self) -> bool:
        """Whether its caller waited, and the server was gone."""
        return self.answer is None and self.refusal is None and not self.given_up


def orders_of(request: Any) -> list[NewOrder]:
    """The orders that a request would place."""
    if isinstance(request, PlaceOrderRequest):
        return [request.order]
    if isinstance(request, PlaceOrdersRequest):
        return list(request.orders)
    group = getattr(request, request.WhichOneof("group"))
    orders: list[NewOrder] = []
    for field, value in group.ListFields():
        orders += value if field.is_repeated else [value]
    return orders


class ServerGone(Exception):
    """The server died, stopped or lost its database before it answered: the request may be repeated."""


async def answered(call: Awaitable[T]) -> T:
    """What `call` answers; ServerGone when it is not known what came of it."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            raise ServerGone(error.details()) from None
        raise


class Traders:
    """`sent`: every request that places orders, in the order in which they were sent."""

    def __init__(self, account_id: str = "desk", seed: int = 1) -> None:
        self.account_id = account_id
        self.sent: list[Sent] = []
        self._random = random.Random(seed)
        self._mix = OrderMix(seed)

    async def open_account(self, client: Client) -> None:
        request = CreateAccountRequest(
            account_id=self.account_id, broker="paper", base_currency="USD", starting_cash=STARTING_CASH
        )
        await client.accounts.CreateAccount(request)
        both_sides = RiskProfile(self_match_action=SELF_MATCH_ACTION_ALLOW)
        await client.risk.UpdateRiskProfile(
            UpdateRiskProfileRequest(account_id=self.account_id, risk_profile=both_sides)
        )
        self._mix.listed = await markets(client)

    async def trade(self, client: Client, steps: int | None = None) -> None:
        """Each of the callers takes so many steps, or goes on until the server is gone."""
        async with asyncio.TaskGroup() as callers:
            callers.create_task(self._session(client, steps))
            for _ in range(_CALLERS):
                callers.create_task(self._call(client, steps))

    @property
    def acknowledged(self) -> list[Sent]:
        return [one for one in self.sent if one.answer is not None]

    # -- the callers ----------------------------------------------------------------------------------

    async def _call(self, client: Client, steps: int | None) -> None:
        taken = 0
        try:
            while steps is None or taken < steps:
                await self._random.choices(_STEPS, _WEIGHTS)[0](self, client)
                taken += 1
        except ServerGone:
            return

    async def place(self, client: Client) -> None:
        request = PlaceOrderRequest(account_id=self.account_id, order=self._mix.order())
        await self._send(client.orders.PlaceOrder, request)

    async def place_in_a_hurry(self, client: Client) -> None:
        """Hang up before the answer can come, at least mostly."""
        request = PlaceOrderRequest(account_id=self.account_id, order=self._mix.order())
        await self._send(client.orders.PlaceOrder, request, seconds=_HURRY_SECONDS)

    async def place_many(self, client: Client) -> None:
        orders = [self._mix.order() for _ in range(4)]
        await self._send(client.orders.PlaceOrders, PlaceOrdersRequest(account_id=self.account_id, orders=orders))

    async def place_group(self, client: Client) -> None:
        request = PlaceOrderGroupRequest(account_id=self.account_id, **self._mix.group())
        await self._send(client.orders.PlaceOrderGroup, request)

    async def _send(self, method: Any, request: Any, seconds: float | None = None) -> None:
        one = Sent(type(request).__name__.removesuffix("Request"), request)
        self.sent.append(one)
        try:
            one.answer = await answered(method(request, timeout=seconds))
        except grpc.aio.AioRpcError as error:
            one.given_up = seconds is not None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if not one.given_up:
                one.refusal = _rule_that_refused(refusal(error))

    async def replace(self, client: Client) -> None:
        order = self._one_of_mine()
        if order is not None:
            quantity = f"{2 * float(order.quantity):.5f}"
            request = ReplaceOrderRequest(
                account_id=self.account_id, client_order_id=order.client_order_id, quantity=quantity
            )
            await _unless_too_late(client.orders.ReplaceOrder(request))

    async def cancel(self, client: Client) -> None:
        order = self._one_of_mine()
        if order is not None:
            request = CancelOrderRequest(account_id=self.account_id, client_order_id=order.client_order_id)
            await _unless_too_late(client.orders.CancelOrder(request))

    async def cancel_many(self, client: Client) -> None:
        order = self._one_of_mine()
        if order is not None:
            request = CancelOrdersRequest(account_id=self.account_id, symbol=order.symbol, side=order.side)
            await answered(client.orders.CancelOrders(request))

    def _one_of_mine(self) -> Any:
        mine = [one.request.order for one in self.acknowledged[-50:] if one.method == "PlaceOrder"]
        return self._random.choice(mine) if mine else None

    # -- a session: several commands ahead of their answers ----------------------------------------------

    async def _session(self, client: Client, steps: int | None) -> None:
        call = client.orders.OrderSession()
        taken = 0
        try:
            await _write(call, OrderSessionRequest(command_id="open", open=OpenSession(account_id=self.account_id)))
            await _read(call)
            while steps is None or taken < steps:
                await self._place_in(call)
                taken += _SESSION_AHEAD
        except ServerGone:
            return
        finally:
            call.cancel()

    async def _place_in(self, call: Any) -> None:
        orders = [self._mix.order() for _ in range(_SESSION_AHEAD)]
        sent = [Sent("PlaceOrder", PlaceOrderRequest(account_id=self.account_id, order=order)) for order in orders]
        self.sent += sent
        for one in sent:
            command_id = one.request.order.client_order_id
            await _write(call, OrderSessionRequest(command_id=command_id, place=PlaceCommand(order=one.request.order)))
        for one in sent:
            answer = await _read(call)
            assert answer.command_id == one.request.order.client_order_id
            if answer.WhichOneof("answer") == "error":
                one.refusal = _rule_that_refused(read(answer.error))
            else:
                done = answer.done
                one.answer = PlaceOrderResponse(order=done.order, replayed=done.replayed, sequence=done.sequence)


def _rule_that_refused(refused: Refusal) -> Refusal:
    if refused.code is grpc.StatusCode.UNAVAILABLE:
        raise ServerGone(refused.message)
    assert refused.reason == "RISK_CHECK_FAILED", refused
    return refused


async def _write(call: Any, message: OrderSessionRequest) -> None:
    try:
        await call.write(message)
    except (asyncio.InvalidStateError, grpc.aio.AioRpcError):
        # grpc.aio has several words for a call that the server has ended, none of them the server's.
        raise ServerGone("the session has ended") from None


async def _read(call: Any) -> OrderSessionResponse:
    answer = await answered(call.read())
    if answer is grpc.aio.EOF or answer.WhichOneof("answer") == "goodbye":
        raise ServerGone("the session has ended")
    assert isinstance(answer, OrderSessionResponse)
    return answer


async def _unless_too_late(call: Awaitable[Any]) -> None:
    """Most orders have ended, or are being changed, when somebody wants to change them."""
    try:
        await answered(call)
    except grpc.aio.AioRpcError as error:
        if refusal(error).reason not in _TOO_LATE:
            raise


_MIX: Final[tuple[tuple[Callable[[Traders, Client], Awaitable[None]], int], ...]] = (
    (Traders.place, 10),
    (Traders.place_in_a_hurry, 2),
    (Traders.place_many, 2),
    (Traders.place_group, 3),
    (Traders.replace, 3),
    (Traders.cancel, 3),
    (Traders.cancel_many, 1),
)
_STEPS: Final = [step for step, _ in _MIX]
_WEIGHTS: Final = [weight for _, weight in _MIX]
