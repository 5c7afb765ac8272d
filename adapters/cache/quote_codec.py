"""A quote as bytes. They begin with digits that sort as its age does, so that a server compares them unread."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from application.ports.quote_cache import ReceivedQuote
from domain.market_data.quote import top_of_book

ORDER_LENGTH = 40

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Wire(msgspec.Struct, array_like=True, frozen=True):
    bid_price: Decimal | None
    bid_size: Decimal | None
    ask_price: Decimal | None
    ask_size: Decimal | None
    quote_time: datetime
    received_time: datetime


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)


def encode(received: ReceivedQuote) -> bytes:
    quote = received.quote
    wire = _Wire(
        quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size, quote.quote_time, received.received_time
    )
    return _micros(quote.quote_time) + _micros(received.received_time) + _encoder.encode(wire)


def decode(symbol: str, data: bytes) -> ReceivedQuote | None:
    """None for what is no quote: others may write to the same server."""
    try:
        wire = _decoder.decode(data[ORDER_LENGTH:])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
    sides = wire.bid_price, wire.bid_size, wire.ask_price, wire.ask_size
    naive = wire.quote_time.tzinfo is None or wire.received_time.tzinfo is None
    if naive or not all(number is None or (number.is_finite() and number >= 0) for number in sides):
        return None
    return ReceivedQuote(
        top_of_book(symbol, *sides, wire.quote_time.astimezone(UTC)), wire.received_time.astimezone(UTC)
    )


def _micros(moment: datetime) -> bytes:
    return b"%020d" % max(0, (moment - _EPOCH) // _MICROSECOND)
