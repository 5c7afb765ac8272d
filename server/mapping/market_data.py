"""Quotes, trades, order books and bars, and the messages of their streams."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message

from application.market_data.bar_gaps import BarGap, GapReason
from application.market_data.subscriber import Delivery
from application.market_data.topics import Channel, Topic, Update, UpstreamNews, UpstreamState
from domain.decimals import plain
from domain.errors import DomainError
from domain.market_data.bar import Bar
from domain.market_data.quote import OrderBook, PriceLevel, Quote, TopOfBook, Trade
from quantmesh.marketdata.v1 import (
    bar_pb2,
    market_data_query_pb2,
    market_data_stream_pb2,
    quote_pb2,
    subscription_pb2,
)
from quantmesh.type.v1 import side_pb2, stream_pb2
from server.errors import status_of
from server.mapping.common import decimal_or_empty, enum_table, to_optional_timestamp, to_timestamp
from server.mapping.instruments import ADJUSTMENTS, INTERVALS
from server.mapping.orders import SIDES

_GAP_REASONS: Final = enum_table(bar_pb2.BarGapReason, GapReason, "BAR_GAP_REASON")
_STATES: Final = enum_table(market_data_stream_pb2.StreamState, UpstreamState, "STREAM_STATE")
CHANNELS: Final = {
    Channel.QUOTES: subscription_pb2.CHANNEL_QUOTES,
    Channel.TRADES: subscription_pb2.CHANNEL_TRADES,
    Channel.BARS: subscription_pb2.CHANNEL_BARS,
    Channel.ORDER_BOOK: subscription_pb2.CHANNEL_ORDER_BOOK,
}
CHANNEL_OF: Final = {number: channel for channel, number in CHANNELS.items()}

_NEWS: Final = {
    UpstreamState.LIVE: "the upstream is subscribed: data will follow",
    UpstreamState.RECONNECTING: "the upstream is lost: the server reconnects by itself",
    UpstreamState.RESUBSCRIBED: "the upstream is subscribed again: what happened in the gap may be missing",
    UpstreamState.BACKFILLED: "the upstream is subscribed again: the bars of the gap were sent",
}

_BACK: Final = frozenset({UpstreamState.RESUBSCRIBED, UpstreamState.BACKFILLED})


def to_quote(quote: TopOfBook, provider: str, *, received: datetime | None = None, merged: int = 0) -> quote_pb2.Quote:
    return quote_pb2.Quote(
        symbol=quote.symbol,
        bid_price=decimal_or_empty(quote.bid_price),
        bid_size=decimal_or_empty(quote.bid_size),
        ask_price=decimal_or_empty(quote.ask_price),
        ask_size=decimal_or_empty(quote.ask_size),
        quote_time=to_timestamp(quote.quote_time),
        merged_count=merged,
        provider=provider,
        received_time=to_optional_timestamp(received),
    )


def to_trade(trade: Trade, provider: str) -> quote_pb2.Trade:
    return quote_pb2.Trade(
        trade_id=trade.trade_id,
        symbol=trade.symbol,
        price=plain(trade.price),
        size=plain(trade.size),
        trade_time=to_timestamp(trade.trade_time),
        provider=provider,
        conditions=trade.conditions,
        aggressor_side=SIDES[trade.aggressor] if trade.aggressor else side_pb2.SIDE_UNSPECIFIED,
    )


def to_order_book(
    book: OrderBook, provider: str, *, received: datetime | None = None, merged: int = 0
) -> quote_pb2.OrderBook:
    return quote_pb2.OrderBook(
        symbol=book.symbol,
        bids=map(_level, book.bids),
        asks=map(_level, book.asks),
        book_time=to_timestamp(book.book_time),
        merged_count=merged,
        provider=provider,
        received_time=to_optional_timestamp(received),
    )


def _level(level: PriceLevel) -> quote_pb2.OrderBookLevel:
    return quote_pb2.OrderBookLevel(price=plain(level.price), size=plain(level.size))


def to_bar(bar: Bar, provider: str) -> bar_pb2.Bar:
    return bar_pb2.Bar(**_bar_fields(bar, provider))


def add_bars(into: Any, bars: Iterable[Bar], provider: str) -> None:
    """Make each of `bars` in the repeated field `into`: what is made outside of it is copied."""
    for bar in bars:
        into.add(**_bar_fields(bar, provider))


def _bar_fields(bar: Bar, provider: str) -> dict[str, Any]:
    return {
        "symbol": bar.symbol,
        "interval": INTERVALS[bar.interval],
        "open_time": to_timestamp(bar.open_time),
        "close_time": to_timestamp(bar.close_time),
        "open": plain(bar.open),
        "high": plain(bar.high),
        "low": plain(bar.low),
        "close": plain(bar.close),
        "volume": plain(bar.volume),
        "partial": bar.partial,
        "trade_count": bar.trade_count,
        "vwap": None if bar.vwap is None else plain(bar.vwap),
        "adjustment": ADJUSTMENTS[bar.adjustment],
        "provider": provider,
    }


def to_gap(gap: BarGap) -> bar_pb2.BarGap:
    return bar_pb2.BarGap(
        start_time=to_timestamp(gap.start), end_time=to_timestamp(gap.end), reason=_GAP_REASONS[gap.reason]
    )


def to_failure(symbol: str, error: DomainError) -> market_data_query_pb2.SymbolFailure:
    return market_data_query_pb2.SymbolFailure(symbol=symbol, status=status_of(error))


def to_subscription(topic: Topic) -> subscription_pb2.Subscription:
    return subscription_pb2.Subscription(
        channel=CHANNELS[topic.channel],
        symbol=topic.symbol,
        interval=INTERVALS[topic.interval] if topic.interval else bar_pb2.BAR_INTERVAL_UNSPECIFIED,
        provider=topic.provider,
        depth=topic.depth,
    )


# -- messages of streams -----------------------------------------------------------------------------------


def _quote_of(update: Update, item: TopOfBook, merged: int, provider: str) -> Message:
    return to_quote(item, provider, received=update.received_time, merged=merged)


def _order_book_of(update: Update, item: OrderBook, merged: int, provider: str) -> Message:
    return to_order_book(item, provider, received=update.received_time, merged=merged)


def _trade_of(_: Update, item: Trade, merged: int, provider: str) -> Message:
    return to_trade(item, provider)


def _bar_of(_: Update, item: Bar, merged: int, provider: str) -> Message:
    return to_bar(item, provider)


def _status_of(_: Update, item: UpstreamNews, merged: int, provider: str) -> Message:
    back = item.state in _BACK
    return market_data_stream_pb2.StreamStatus(
        state=_STATES[item.state],
        provider=provider,
        symbols=[item.symbol],
        status_time=to_timestamp(item.at),
        gap_start_time=to_timestamp(item.gap_start) if back else None,
        gap_end_time=to_timestamp(item.at) if back else None,
        message=f"{_NEWS[item.state]} ({item.cause})" if item.cause else _NEWS[item.state],
    )


_FIELDS: Final[dict[type, tuple[str, Callable[..., Message]]]] = {
    TopOfBook: ("quote", _quote_of),
    Quote: ("quote", _quote_of),
    Trade: ("trade", _trade_of),
    Bar: ("bar", _bar_of),
    OrderBook: ("order_book", _order_book_of),
    UpstreamNews: ("status", _status_of),
}


def delivered(response: Callable[..., Message], delivery: Delivery) -> bytes:
    """`delivery` as a message of the type `response`, made once for all streams that send the same."""
    update = delivery.update
    key = (response, delivery.merged) if delivery.merged else response
    form = update.forms.get(key)
    if form is None:
        field, make = _FIELDS[type(update.item)]
        message = make(update, update.item, delivery.merged, update.topic.provider)
        form = update.forms[key] = response(**{field: message}).SerializeToString()
    return form


def heartbeat(response: Callable[..., Any], sequence: int) -> bytes:
    """The sequence of a market data stream is the number of items that it has sent."""
    message: Message = response(heartbeat=stream_pb2.Heartbeat(sequence=sequence))
    return message.SerializeToString()


def goodbye(response: Callable[..., Any], sequence: int) -> bytes:
    message: Message = response(goodbye=stream_pb2.Goodbye(sequence=sequence))
    return message.SerializeToString()
