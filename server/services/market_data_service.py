"""MarketDataService: what can be traded, and what its market shows, on request and live."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
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

    def StreamQuotes(self, request: pb.StreamQuotesRequest, context: Context) -> AsyncGenerator[bytes, None]:
        self._require(request)
        stream = self._stream(pb.StreamQuotesResponse, request, seconds_or(request, "min_interval", 0.0))

        async def opening() -> AsyncIterator[bytes]:
            self._hub.subscribe(stream.subscriber, _topics(Channel.QUOTES, request.symbols))
            if stream.subscriber.idle:
                yield stream.heartbeat()

        return stream.messages(opening())

    def StreamTrades(self, request: pb.StreamTradesRequest, context: Context) -> AsyncGenerator[bytes, None]:
        self._require(request)
        stream = self._stream(pb.StreamTradesResponse, request)

        async def opening() -> AsyncIterator[bytes]:
            self._hub.subscribe(stream.subscriber, _topics(Channel.TRADES, request.symbols))
            yield stream.heartbeat()

        return stream.messages(opening())

    def StreamBars(self, request: pb.StreamBarsRequest, context: Context) -> AsyncGenerator[bytes, None]:
        self._require(request)
        require_as_traded(self._market, request)
        interval = INTERVAL_OF[request.interval]
        tape = BarTape(self._market, interval, from_optional_timestamp(request, "start_time"))
        stream = self._stream(pb.StreamBarsResponse, request)

        async def opening() -> AsyncIterator[bytes]:
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

        def wants(delivery: Delivery) -> bool:
            item = delivery.update.item
            return not isinstance(item, Bar) or tape.wants(item)

        return stream.messages(opening(), wants)

    async def Subscribe(
        self, requests: AsyncIterator[Received[subscription_pb2.SubscribeRequest]], context: Context
    ) -> AsyncGenerator[bytes, None]:
        # The first message answers the first request, so the headers alone say that the stream is up.
        await context.send_initial_metadata(())
        stream = self._stream(subscription_pb2.SubscribeResponse)
        subscriptions = Subscriptions(self._market, self._hub, stream.subscriber)
        answers = SubscribeAnswers(subscriptions, stream.pulse, self._provider)
        inbox = Inbox(requests, stream.subscriber.wake)

        def answer() -> bytes | None:
            received = inbox.take()
            return None if received is None else answers.answer(received)

        async with aclosing(stream.messages(answer=answer)) as messages, aclosing(inbox):
            async for message in messages:
                yield message

    def _require(self, request: Any) -> None:
        self._market.require_provider(request.provider)
        self._market.require_instruments(request.symbols)

    def _stream(
        self, response: Callable[..., Message], request: Message | None = None, min_interval: float = 0.0
    ) -> MarketStream:
        seconds = HEARTBEAT_SECONDS if request is None else heartbeat_of(request)
        return MarketStream(self._hub, self._lifecycle, response, self._provider, seconds, min_interval)

    async def _past_bars(self, stream: MarketStream, tape: BarTape, symbols: Sequence[str]) -> AsyncIterator[bytes]:
        async for bar in tape.past(symbols):
            if stream.subscriber.ended:
                return
            topic = Topic(Channel.BARS, bar.symbol, bar.interval)
            yield stream.message(Delivery(Update(topic, bar, self._market.clock.now(), None)))


def _topics(channel: Channel, symbols: Iterable[str], interval: BarInterval | None = None) -> list[Topic]:
    return [Topic(channel, symbol, interval) for symbol in symbols]
