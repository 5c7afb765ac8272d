"""MarketDataService: what can be traded, and what its market shows, on request and live."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

from google.protobuf.message import Message

from application.market_data.bar_tape import BarTape
from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.subscriber import Delivery
from application.market_data.subscriptions import Subscriptions
from application.market_data.topics import Channel, Topic, Update
from application.ports.clock import Clock
from application.ports.market_data import LatestQuotes, MarketData
from domain.market_data.bar import Bar, BarInterval
from quantmesh.marketdata.v1 import market_data_stream_pb2 as pb
from quantmesh.marketdata.v1 import subscription_pb2
from server.interceptors.handlers import Context, Received
from server.interceptors.tracking import Lifecycle
from server.mapping.common import from_optional_timestamp, seconds_or
from server.mapping.instruments import INTERVAL_OF
from server.services.market_data_queries import MarketDataQueries, require_as_traded
from server.services.market_data_streams import Inbox, MarketStream
from server.services.market_data_subscribe import SubscribeAnswers
from server.streams import HEARTBEAT_SECONDS, heartbeat_of


class MarketDataService(MarketDataQueries):
    """One provider, by both of its ports. `clock` is the provider's own."""

    def __init__(self, data: MarketData, quotes: LatestQuotes, clock: Clock, lifecycle: Lifecycle) -> None:
        market = Market(data, quotes, clock)
        super().__init__(market)
        self._hub = MarketDataHub(market)
        self._lifecycle = lifecycle

    async def StreamQuotes(self, request: pb.StreamQuotesRequest, context: Context) -> AsyncIterator[bytes]:
        self._require(request)
        min_interval = seconds_or(request, "min_interval", 0.0)
        async with self._stream(pb.StreamQuotesResponse, heartbeat_of(request), min_interval) as stream:
            self._hub.subscribe(stream.subscriber, _topics(Channel.QUOTES, request.symbols))
            if stream.subscriber.idle:
                yield stream.heartbeat()
            async for message in stream.messages():
                yield message

    async def StreamTrades(self, request: pb.StreamTradesRequest, context: Context) -> AsyncIterator[bytes]:
        self._require(request)
        async with self._stream(pb.StreamTradesResponse, heartbeat_of(request)) as stream:
            self._hub.subscribe(stream.subscriber, _topics(Channel.TRADES, request.symbols))
            yield stream.heartbeat()
            async for message in stream.messages():
                yield message

    async def StreamBars(self, request: pb.StreamBarsRequest, context: Context) -> AsyncIterator[bytes]:
        self._require(request)
        require_as_traded(self._market, request)
        interval = INTERVAL_OF[request.interval]
        tape = BarTape(self._market, interval, from_optional_timestamp(request, "start_time"))
        async with self._stream(pb.StreamBarsResponse, heartbeat_of(request)) as stream:
            yield stream.heartbeat()
            async for message in self._past_bars(stream, tape, request.symbols):
                yield message
            self._hub.subscribe(stream.subscriber, _topics(Channel.BARS, request.symbols, interval))
            if request.include_partial:
                topics = _topics(Channel.PARTIAL_BARS, request.symbols, interval)
                self._hub.subscribe(stream.subscriber, topics)
            # Let the feeds begin: what completes from here on is theirs, what did before is read once more.
            await asyncio.sleep(0)
            async for message in self._past_bars(stream, tape, request.symbols):
                yield message
            async for message in stream.messages(wants=lambda delivery: _lacks(tape, delivery)):
                yield message

    async def Subscribe(
        self, requests: AsyncIterator[Received[subscription_pb2.SubscribeRequest]], context: Context
    ) -> AsyncIterator[bytes]:
        async with self._stream(subscription_pb2.SubscribeResponse, HEARTBEAT_SECONDS) as stream:
            subscriptions = Subscriptions(self._market, self._hub, stream.subscriber)
            answers = SubscribeAnswers(subscriptions, stream.pulse, self._provider)
            inbox = Inbox(requests, stream.subscriber.wake)

            def answer() -> bytes | None:
                received = inbox.take()
                return None if received is None else answers.answer(received)

            try:
                # The first message answers the first request, so the headers alone say that the stream is up.
                await context.send_initial_metadata(())
                async for message in stream.messages(answer=answer):
                    yield message
            finally:
                await inbox.close()

    def _require(self, request: Any) -> None:
        self._market.require_provider(request.provider)
        self._market.require_instruments(request.symbols)

    def _stream(
        self, response: Callable[..., Message], heartbeat_seconds: float, min_interval: float = 0.0
    ) -> MarketStream:
        return MarketStream(self._hub, self._lifecycle, response, self._provider, heartbeat_seconds, min_interval)

    async def _past_bars(self, stream: MarketStream, tape: BarTape, symbols: Sequence[str]) -> AsyncIterator[bytes]:
        async for bar in tape.past(symbols):
            if stream.subscriber.ended:
                return
            topic = Topic(Channel.BARS, bar.symbol, bar.interval)
            yield stream.message(Delivery(Update(topic, bar, self._market.clock.now(), None)))
            stream.pulse.sent()


def _topics(channel: Channel, symbols: Iterable[str], interval: BarInterval | None = None) -> list[Topic]:
    return [Topic(channel, symbol, interval) for symbol in symbols]


def _lacks(tape: BarTape, delivery: Delivery) -> bool:
    item = delivery.update.item
    return not isinstance(item, Bar) or tape.wants(item)
