"""The trader's desk: the calls that change something, each with a line in the log."""

from collections.abc import Sequence
from typing import Any, Final

import grpc

from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_change_pb2 import CancelOrderRequest, CancelOrdersRequest, ReplaceOrderRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderGroupRequest, PlaceOrderRequest, PlaceOrdersRequest
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest
from server.demo.api import Api
from server.demo.failures import DemoFailed, read_status, refusal_in
from server.demo.orders import described
from server.demo.view import View

_REFUSED: Final = "yellow"
_PATIENCE_SECONDS: Final = 10.0


class Desk:
    """`sent` holds each order that was placed alone, by its client_order_id.

    Calls fail with grpc.aio.AioRpcError, or with DemoFailed when the answer is not what it should be.
    """

    def __init__(self, api: Api, view: View) -> None:
        self.sent: dict[str, NewOrder] = {}
        self._api = api
        self._view = view

    async def open_account(self, broker: str, base_currency: str, starting_cash: str) -> None:
        request = CreateAccountRequest(
            account_id=self._api.account_id, broker=broker, base_currency=base_currency, starting_cash=starting_cash
        )
        await self._api.accounts.CreateAccount(request, timeout=_PATIENCE_SECONDS)
        self._view.title = "account"
        self._view.say(f"{self._api.account_id} with {starting_cash} {base_currency} at {broker}")

    async def place(self, order: NewOrder) -> None:
        await self._api.orders.PlaceOrder(self._request(order))
        self.sent[order.client_order_id] = order
        self._view.say(described(order))

    async def repeat(self, client_order_id: str) -> None:
        """Place an order once more, as a caller does whose first call timed out."""
        answer = await self._api.orders.PlaceOrder(self._request(self.sent[client_order_id]))
        if not answer.replayed:
            raise DemoFailed(f"the order {client_order_id} was placed twice")
        self._view.say("the first answer again: not done twice")

    async def place_refused(self, order: NewOrder, rule: str) -> None:
        """Place an order that fails `rule`."""
        try:
            await self._api.orders.PlaceOrder(self._request(order))
        except grpc.aio.AioRpcError as error:
            refusal = refusal_in(error)
            if rule not in refusal.rules:
                raise
            self._view.say(described(order))
            for failed in refusal.rules:
                self._view.say(f"{refusal.code}: {failed}", _REFUSED)
        else:
            raise DemoFailed(f"the risk check let an order pass that fails {rule}: {described(order)}")

    async def place_all(self, orders: Sequence[NewOrder]) -> None:
        request = PlaceOrdersRequest(account_id=self._api.account_id, orders=orders)
        answer = await self._api.orders.PlaceOrders(request)
        for order, result in zip(orders, answer.results, strict=True):
            if result.HasField("error"):
                raise DemoFailed(f"{described(order)} was refused: {read_status(result.error)}")
            self._view.say(described(order))

    async def place_group(self, **group: Any) -> None:
        request = PlaceOrderGroupRequest(account_id=self._api.account_id, **group)
        answer = await self._api.orders.PlaceOrderGroup(request)
        for order in answer.orders:
            self._view.say(described(order))

    async def replace(self, client_order_id: str, *, quantity: str, limit_price: str) -> None:
        """Change an order in the version that is read just before."""
        account_id = self._api.account_id
        current = await self._api.orders.GetOrder(
            GetOrderRequest(account_id=account_id, client_order_id=client_order_id)
        )
        request = ReplaceOrderRequest(
            account_id=account_id,
            client_order_id=client_order_id,
            expected_version=current.order.version,
            quantity=quantity,
            limit_price=limit_price,
        )
        try:
            await self._api.orders.ReplaceOrder(request)
        except grpc.aio.AioRpcError as error:
            self._say_too_late(error, described(current.order))
        else:
            self._view.say(f"{described(current.order)} -> {quantity} at {limit_price}")

    async def cancel(self, client_order_id: str) -> None:
        request = CancelOrderRequest(account_id=self._api.account_id, client_order_id=client_order_id)
        try:
            await self._api.orders.CancelOrder(request)
        except grpc.aio.AioRpcError as error:
            self._say_too_late(error, client_order_id)
        else:
            self._view.say(described(self.sent[client_order_id]))

    async def cancel_what_is_open(self, reason: str) -> int:
        """Answers for how many orders a cancel was recorded."""
        request = CancelOrdersRequest(account_id=self._api.account_id, reason=reason)
        answer = await self._api.orders.CancelOrders(request, timeout=_PATIENCE_SECONDS)
        return sum(result.HasField("order") for result in answer.results)

    def _request(self, order: NewOrder) -> PlaceOrderRequest:
        return PlaceOrderRequest(account_id=self._api.account_id, order=order)

    def _say_too_late(self, error: grpc.aio.AioRpcError, order: str) -> None:
        """An order that has filled or expired meanwhile is no failure of the demo; anything else is."""
        refusal = refusal_in(error)
        if refusal.reason != "ORDER_NOT_OPEN":
            raise error
        self._view.say(f"{order}: too late, {refusal.message}", _REFUSED)
