"""What a Subscribe stream answers to its caller's requests."""

from collections.abc import Callable
from typing import Any, Final

from application.market_data.subscriptions import Subscriptions, SubscriptionsChanged
from domain.errors import DomainError
from quantmesh.marketdata.v1 import subscription_pb2 as pb
from server.errors import status_of
from server.interceptors.handlers import Received
from server.mapping.common import seconds_of
from server.mapping.instruments import INTERVAL_OF
from server.mapping.market_data import CHANNEL_OF, to_failure, to_subscription
from server.services.market_data_streams import Pulse


class SubscribeAnswers:
    """Carries out one request after the other. A refused one changes nothing, and ends nothing."""

    def __init__(self, subscriptions: Subscriptions, pulse: Pulse, provider: str) -> None:
        self._subscriptions = subscriptions
        self._pulse = pulse
        self._provider = provider
        self._actions: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "list": self._list,
        }

    def answer(self, received: Received[pb.SubscribeRequest]) -> bytes:
        request = received.message
        try:
            if received.error is not None:
                raise received.error
            action = request.WhichOneof("action") or ""
            answer = self._actions[action](getattr(request, action))
        except DomainError as error:
            answer = {"error": status_of(error)}
        else:
            if request.HasField("heartbeat_interval"):
                self._pulse.change(seconds_of(request.heartbeat_interval))
        return pb.SubscribeResponse(request_id=request.request_id, **answer).SerializeToString()

    def _subscribe(self, request: pb.AddSubscriptions) -> dict[str, Any]:
        changed = self._subscriptions.add(
            CHANNEL_OF[request.channel],
            request.symbols,
            INTERVAL_OF.get(request.interval),
            request.depth,
            request.provider,
        )
        return {"ack": self._ack(changed)}

    def _unsubscribe(self, request: pb.RemoveSubscriptions) -> dict[str, Any]:
        changed = self._subscriptions.remove(
            CHANNEL_OF.get(request.channel), request.symbols, INTERVAL_OF.get(request.interval), request.provider
        )
        return {"ack": self._ack(changed)}

    def _list(self, request: pb.ListSubscriptions) -> dict[str, Any]:
        topics = self._subscriptions.topics()
        subscriptions = [to_subscription(topic, self._provider) for topic in topics]
        return {"subscriptions": pb.SubscriptionList(subscriptions=subscriptions)}

    def _ack(self, changed: SubscriptionsChanged) -> pb.SubscriptionAck:
        return pb.SubscriptionAck(
            added=[to_subscription(topic, self._provider) for topic in changed.added],
            removed=[to_subscription(topic, self._provider) for topic in changed.removed],
            failures=[to_failure(symbol, error) for symbol, error in changed.failures],
            active_count=changed.active,
        )
