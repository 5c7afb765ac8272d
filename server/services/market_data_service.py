"""MarketDataService: what can be traded, and what its market shows, on request and live."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from google.protobuf.message import Message

from application.market_data.backfill_runner import BackfillRunner
from application.market_data.bar_ranges import BarSeries
from application.market_data.bar_tape import BarTape
from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.source import Source
from application.market_data.subscriber import Delivery
from application.market_data.subscriptions import Subscriptions
from application.market_data.topics import Channel, Topic, Update, require_live, topic_of
from application.ports.indicators import Indicators
from domain.market_data.bar import Bar, BarInterval
from quantmesh.marketdata.v1 import market_data_stream_pb2 as pb
from quantmesh.marketdata.v1 import subscription_pb2
from server.interceptors.handlers import Context, Received
from server.interceptors.tracking import Lifecycle
from server.mapping.common import from_optional_timestamp, seconds_or
from server.mapping.instruments import ADJUSTMENT_OF, INTERVAL_OF
from server.services.backfills import Backfills
from server.services.indicators import IndicatorQueries
from server.services.market_data_queries import MarketDataQueries
from server.services.market_data_streams import Inbox, MarketStream
from server.services.market_data_subscribe import SubscribeAnswers
from server.streams import HEARTBEAT_SECONDS, heartbeat_of


class MarketDataService(MarketDataQueries, IndicatorQueries, Backfills):
    def __init__(self, market: Market, indicators: Indicators, backfills: BackfillRunner, lifecycle: Lifecycle) -> None:
        MarketDataQueries.__init__(self, market)
        IndicatorQueries.__init__(self, market, indicators)
        Backfills.__init__(self, backfills, lifecycle)
        self._hub = MarketDataHub(market)
        self._lifecycle = lifecycle

    def StreamQuotes(self, request: pb.StreamQuotesRequest, context: Context) -> AsyncGenerator[bytes, None]:
        stream = self._stream(pb.StreamQuotesResponse, request, seconds_or(request, "min_interval", 0.0))

        async def opening() -> AsyncIterator[bytes]:
            sources = await self._live_sources(request, Channel.QUOTES)
            self._hub.subscribe(stream.subscriber, _topics(Channel.QUOTES, sources))
            if stream.subscriber.idle:
                yield stream.heartbeat()

        return stream.messages(opening())

    def StreamTrades(self, request: pb.StreamTradesRequest, context: Context) -> AsyncGenerator[bytes, None]:
        stream = self._stream(pb.StreamTradesResponse, request)

        async def opening() -> AsyncIterator[bytes]:
            sources = await self._live_sources(request, Channel.TRADES)
            self._hub.subscribe(stream.subscriber, _topics(Channel.TRADES, sources))
            yield stream.heartbeat()

        return stream.messages(opening())

    def StreamBars(self, request: pb.StreamBarsRequest, context: Context) -> AsyncGenerator[bytes, None]:
        interval, extended = INTERVAL_OF[request.interval], request.extended_hours
        series: dict[str, BarSeries] = {}
        tape = BarTape(series, from_optional_timestamp(request, "start_time"))
        stream = self._stream(pb.StreamBarsResponse, request)

        async def opening() -> AsyncIterator[bytes]:
            sources = await self._live_sources(request, Channel.BARS, interval)
            series.update(self._series(request, sources))
            yield stream.heartbeat()
            async for message in self._past_bars(stream, tape, series):
                yield message
            self._hub.subscribe(stream.subscriber, _topics(Channel.BARS, sources, interval, extended))
            if request.include_partial:
                self._hub.subscribe(stream.subscriber, _topics(Channel.PARTIAL_BARS, sources, interval, extended))
            # Let the feeds begin: what completes from here on is theirs, what did before is read once more.
            await asyncio.sleep(0)
            async for message in self._past_bars(stream, tape, series):
                yield message

        def wants(delivery: Delivery) -> bool:
            item = delivery.update.item
            return not isinstance(item, Bar) or (series[item.symbol].covers(item) and tape.wants(item))

        return stream.messages(opening(), wants)

    async def Subscribe(
        self, requests: AsyncIterator[Received[subscription_pb2.SubscribeRequest]], context: Context
    ) -> AsyncGenerator[bytes, None]:
        # The first message answers the first request, so the headers alone say that the stream is up.
        await context.send_initial_metadata(())
        stream = self._stream(subscription_pb2.SubscribeResponse)
        subscriptions = Subscriptions(self._market, self._hub, stream.subscriber)
        answers = SubscribeAnswers(subscriptions, stream.pulse)
        inbox = Inbox(requests, answers.prepare, stream.subscriber.wake)

        def answer() -> bytes | None:
            prepared = inbox.take()
            return None if prepared is None else prepared()

        async with aclosing(stream.messages(answer=answer)) as messages, aclosing(inbox):
            async for message in messages:
                yield message

    async def _live_sources(self, request: Any, channel: Channel, interval: BarInterval | None = None) -> list[Source]:
        sources = await self._market.sources(request.symbols, request.provider)
        for source in sources:
            require_live(source, channel, interval)
        return sources

    def _series(self, request: pb.StreamBarsRequest, sources: Sequence[Source]) -> dict[str, BarSeries]:
        interval, adjustment = INTERVAL_OF[request.interval], ADJUSTMENT_OF[request.adjustment]
        for source in sources:
            source.require_bars(interval, adjustment, request.extended_hours)
        return {
            source.symbol: BarSeries(self._market, source, interval, adjustment, request.extended_hours)
            for source in sources
        }

    def _stream(
        self, response: Callable[..., Message], request: Message | None = None, min_interval: float = 0.0
    ) -> MarketStream:
        seconds = HEARTBEAT_SECONDS if request is None else heartbeat_of(request)
        return MarketStream(self._hub, self._lifecycle, response, seconds, min_interval)

    async def _past_bars(
        self, stream: MarketStream, tape: BarTape, series: dict[str, BarSeries]
    ) -> AsyncIterator[bytes]:
        async for bar in tape.past():
            if stream.subscriber.ended:
                return
            topic = topic_of(series[bar.symbol].source, Channel.BARS, bar.interval)
            yield stream.message(Delivery(Update(topic, bar, self._market.clock.now(), None)))


def _topics(
    channel: Channel, sources: Sequence[Source], interval: BarInterval | None = None, extended_hours: bool = False
) -> list[tuple[Source, Topic]]:
    topics = (topic_of(source, channel, interval, extended_hours=extended_hours) for source in sources)
    return list(zip(sources, topics, strict=True))
