"""What a Subscribe stream answers to its caller's requests."""

from collections.abc import Callable
from typing import Any

from application.market_data.subscriptions import Subscriptions, SubscriptionsChanged
from domain.errors import DomainError
from quantmesh.marketdata.v1 import subscription_pb2 as pb
from server.errors import status_of
from server.interceptors.handlers import Received
from server.mapping.common import seconds_of
from server.mapping.instruments import INTERVAL_OF
from server.mapping.market_data import CHANNEL_OF, to_failure, to_subscription
from server.services.market_data_streams import Pulse

Change = Callable[[], dict[str, Any]]
"""Carries a request out at once, and gives the fields of its answer."""


class SubscribeAnswers:
    """Carries out one request after the other. A refused one changes nothing, and ends nothing."""

    def __init__(self, subscriptions: Subscriptions, pulse: Pulse) -> None:
        self._subscriptions = subscriptions
        self._pulse = pulse

    async def prepare(self, received: Received[pb.SubscribeRequest]) -> Callable[[], bytes]:
        """What carries the request out and makes its answer; what must be asked of a provider is asked before."""
        request = received.message
        try:
            if received.error is not None:
                raise received.error
            change = await self._change(request)
        except DomainError as error:
            change = _refused(error)
        return lambda: self._answer(request, change)

    def _answer(self, request: pb.SubscribeRequest, change: Change) -> bytes:
        try:
            answer = change()
        except DomainError as error:
            answer = {"error": status_of(error)}
        if "error" not in answer and request.HasField("heartbeat_interval"):
            self._pulse.change(seconds_of(request.heartbeat_interval))
        return pb.SubscribeResponse(request_id=request.request_id, **answer).SerializeToString()

    async def _change(self, request: pb.SubscribeRequest) -> Change:
        match request.WhichOneof("action"):
            case "subscribe":
                add = request.subscribe
                wanted = await self._subscriptions.look_up(
                    CHANNEL_OF[add.channel], add.symbols, INTERVAL_OF.get(add.interval), add.depth, add.provider
                )
                return lambda: {"ack": _ack(self._subscriptions.add(wanted))}
            case "unsubscribe":
                return lambda: {"ack": _ack(self._removed(request.unsubscribe))}
            case _:
                return self._list

    def _removed(self, request: pb.RemoveSubscriptions) -> SubscriptionsChanged:
        return self._subscriptions.remove(
            CHANNEL_OF.get(request.channel), request.symbols, INTERVAL_OF.get(request.interval), request.provider
        )

    def _list(self) -> dict[str, Any]:
        subscriptions = map(to_subscription, self._subscriptions.topics())
        return {"subscriptions": pb.SubscriptionList(subscriptions=subscriptions)}


def _refused(error: DomainError) -> Change:
    return lambda: {"error": status_of(error)}


def _ack(changed: SubscriptionsChanged) -> pb.SubscriptionAck:
    return pb.SubscriptionAck(
        added=map(to_subscription, changed.added),
        removed=map(to_subscription, changed.removed),
        failures=[to_failure(symbol, error) for symbol, error in changed.failures],
        active_count=changed.active,
    )
