"""Live data of another quantmesh: each iteration has a stream of its own, since that server shares its upstreams."""

from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import Any, Final, Generic, NamedTuple, TypeVar

from google.protobuf.duration_pb2 import Duration

from adapters.market_data.provider_errors import unavailable
from adapters.market_data.remote_failures import failure, making_sense, nonsense
from adapters.market_data.remote_messages import bar_of, order_book_of, quote_of, trade_of
from adapters.market_data.remote_server import RemoteServer
from adapters.market_data.remote_settings import NAME, RemoteSettings
from application.ports.market_data import Subscribed
from domain.errors import DomainError
from domain.market_data.bar import Bar
from domain.market_data.quote import OrderBook, TopOfBook, Trade
from quantmesh.marketdata.v1 import subscription_pb2 as pb
from quantmesh.marketdata.v1.market_data_stream_pb2 import (
    STREAM_STATE_LIVE,
    STREAM_STATE_RECONNECTING,
    StreamStatus,
)

ItemT = TypeVar("ItemT", bound=TopOfBook | Trade | Bar | OrderBook)

_MOST_SYMBOLS: Final = 1_000


class Channel(NamedTuple, Generic[ItemT]):
    """One of the contract's: its number, the field of its items, and what makes one of the domain's of them.

    A server begins a conflated one with what it had last, also while its upstream is lost.
    """

    number: Any
    field: str
    make: Callable[[Any], ItemT]
    conflated: bool


QUOTES: Final = Channel(pb.CHANNEL_QUOTES, "quote", quote_of, conflated=True)
TRADES: Final = Channel(pb.CHANNEL_TRADES, "trade", trade_of, conflated=False)
BARS: Final = Channel(pb.CHANNEL_BARS, "bar", bar_of, conflated=False)
ORDER_BOOKS: Final = Channel(pb.CHANNEL_ORDER_BOOK, "order_book", order_book_of, conflated=True)


class RemoteStreams:
    def __init__(self, server: RemoteServer, settings: RemoteSettings) -> None:
        self._server = server
        self._silence = settings.stream_silence_seconds
        seconds, rest = divmod(settings.heartbeat_seconds, 1)
        self._heartbeat = Duration(seconds=int(seconds), nanos=int(rest * 1e9))

    async def items(
        self, channel: Channel[ItemT], symbols: Collection[str], **options: Any
    ) -> AsyncGenerator[ItemT | Subscribed, None]:
        """From now on; ends when the provider is closed or the server knows none of the symbols. Raises Unavailable
        when the stream ends, gives no sign of life, or tells that the upstream of the server was lost.
        """
        if not symbols:
            return
        iteration = _Iteration(channel, symbols)
        line = self._server.subscribe(list(self._requests(channel, symbols, options)))
        try:
            while iteration.wanted:
                message = await line.next(self._silence)
                if message is None:
                    raise unavailable(NAME, f"its stream gave no sign of life for {self._silence:g} s")
                for one in iteration.take(message):
                    yield one
        except DomainError:
            if not self._server.closed:
                raise
        finally:
            await self._server.hang_up(line)

    def _requests(
        self, channel: Channel[ItemT], symbols: Collection[str], options: dict[str, Any]
    ) -> Iterator[pb.SubscribeRequest]:
        rest = iter(sorted(set(symbols)))
        while some := tuple(islice(rest, _MOST_SYMBOLS)):
            add = pb.AddSubscriptions(channel=channel.number, symbols=some, **options)
            yield pb.SubscribeRequest(subscribe=add, heartbeat_interval=self._heartbeat)


class _Iteration(Generic[ItemT]):
    """What the messages of one stream come to. `wanted` are the symbols without those that the server does not know."""

    def __init__(self, channel: Channel[ItemT], symbols: Collection[str]) -> None:
        self.wanted = set(symbols)
        self._channel = channel
        self._live: set[str] = set()
        self._held: dict[str, ItemT] = {}

    def take(self, message: pb.SubscribeResponse) -> Iterable[ItemT | Subscribed]:
        kind = message.WhichOneof("message")
        if kind == self._channel.field:
            return self._item(getattr(message, self._channel.field))
        if kind == "status":
            return self._news(message.status)
        if kind == "ack":
            self._refused(message.ack)
        elif kind == "error":
            raise failure(message.error) or nonsense()
        elif kind == "goodbye":
            raise unavailable(NAME, "its server shuts down")
        return ()

    def _item(self, message: Any) -> Iterable[ItemT]:
        """Nothing as long as it may be an old one."""
        with making_sense():
            item = self._channel.make(message)
        if item.symbol not in self.wanted:
            raise nonsense()
        if self._channel.conflated and item.symbol not in self._live:
            self._held[item.symbol] = item
            return ()
        return (item,)

    def _news(self, status: StreamStatus) -> Iterable[ItemT | Subscribed]:
        """The first word of a live upstream lets its items through; each later one tells of a gap."""
        lost = status.state == STREAM_STATE_RECONNECTING
        if lost or (status.state != STREAM_STATE_LIVE and not self._live.isdisjoint(status.symbols)):
            raise unavailable(NAME, status.message or "its server has lost the upstream")
        for symbol in self.wanted.intersection(status.symbols) - self._live:
            self._live.add(symbol)
            yield Subscribed(symbol)
            if symbol in self._held:
                yield self._held.pop(symbol)

    def _refused(self, ack: pb.SubscriptionAck) -> None:
        for refused in ack.failures:
            error = failure(refused.status)
            if error is not None:
                raise error
            self.wanted.discard(refused.symbol)
