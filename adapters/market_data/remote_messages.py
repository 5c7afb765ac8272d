"""The contract's messages of market data as the domain's values: the way back from what a server makes of them.

Raises ValueError, KeyError or OverflowError for what no quantmesh would send.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, TypeVar

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from adapters.market_data.raw_rows import price_of, size_of
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument, InstrumentStatus
from domain.market_data.quote import OrderBook, PriceLevel, TopOfBook, Trade, top_of_book
from domain.market_data.trading_hours import TradingHours
from domain.trading.value_objects.order_type import Side
from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2, quote_pb2
from quantmesh.type.v1 import side_pb2

EnumT = TypeVar("EnumT", bound=Enum)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_HOURS: Final = time(0)


def _members(contract: Any, domain: type[EnumT], prefix: str) -> dict[int, EnumT]:
    """The member of a domain enum for each number of the contract's; the names are the same but for `prefix`."""
    return {contract.Value(f"{prefix}_{member.name}"): member for member in domain}


INTERVALS: Final[Mapping[BarInterval, Any]] = {
    BarInterval.SECOND_1: bar_pb2.BAR_INTERVAL_ONE_SECOND,
    BarInterval.MINUTE_1: bar_pb2.BAR_INTERVAL_ONE_MINUTE,
    BarInterval.MINUTE_5: bar_pb2.BAR_INTERVAL_FIVE_MINUTES,
    BarInterval.MINUTE_15: bar_pb2.BAR_INTERVAL_FIFTEEN_MINUTES,
    BarInterval.MINUTE_30: bar_pb2.BAR_INTERVAL_THIRTY_MINUTES,
    BarInterval.HOUR_1: bar_pb2.BAR_INTERVAL_ONE_HOUR,
    BarInterval.HOUR_2: bar_pb2.BAR_INTERVAL_TWO_HOURS,
    BarInterval.HOUR_4: bar_pb2.BAR_INTERVAL_FOUR_HOURS,
    BarInterval.DAY_1: bar_pb2.BAR_INTERVAL_ONE_DAY,
    BarInterval.WEEK_1: bar_pb2.BAR_INTERVAL_ONE_WEEK,
    BarInterval.MONTH_1: bar_pb2.BAR_INTERVAL_ONE_MONTH,
}
_INTERVAL_OF: Final = {number: interval for interval, number in INTERVALS.items()}
_ADJUSTMENT_OF: Final = _members(bar_pb2.PriceAdjustment, PriceAdjustment, "PRICE_ADJUSTMENT")
ADJUSTMENTS: Final[Mapping[PriceAdjustment, Any]] = {member: number for number, member in _ADJUSTMENT_OF.items()}
_ASSET_CLASS_OF: Final = _members(instrument_pb2.AssetClass, AssetClass, "ASSET_CLASS")
# What may only be closed counts as halted: the domain has no word for it, and opening nothing is the safe side.
_STATUS_OF: Final = _members(instrument_pb2.InstrumentStatus, InstrumentStatus, "INSTRUMENT_STATUS") | {
    instrument_pb2.INSTRUMENT_STATUS_CLOSE_ONLY: InstrumentStatus.HALTED
}
_SIDE_OF: Final = {side_pb2.SIDE_UNSPECIFIED: None, side_pb2.SIDE_BUY: Side.BUY, side_pb2.SIDE_SELL: Side.SELL}


# -- instruments -------------------------------------------------------------------------------------------


def instrument_of(message: instrument_pb2.Instrument) -> Instrument | None:
    """None for what this server could not trade rightly: a derivative, or one of several sessions a day."""
    hours = _hours(message)
    asset_class = _ASSET_CLASS_OF.get(message.asset_class)
    if hours is None or asset_class is None or _price(message.multiplier) != 1:
        return None
    return Instrument(
        symbol=_required(message.symbol),
        name=message.name,
        asset_class=asset_class,
        currency=_required(message.currency),
        venue=message.venue,
        tick_size=_price(message.tick_size),
        lot_size=_price(message.lot_size),
        min_quantity=_size(message.min_quantity),
        max_quantity=_price(message.max_quantity) if message.max_quantity else NO_MAXIMUM,
        hours=hours,
        base_currency=message.base_currency or None,
        sector=message.sector or None,
        provider_symbol="" if message.provider_symbol == message.symbol else message.provider_symbol,
        min_notional=_size(message.min_notional) if message.min_notional else None,
        shortable=message.shortable,
        status=_STATUS_OF[message.status],
    )


def _hours(message: instrument_pb2.Instrument) -> TradingHours | None:
    """None for more than one session of a kind."""
    sessions = {session.kind: session for session in message.sessions}
    if len(sessions) < len(message.sessions):
        return None
    regular = sessions.get(instrument_pb2.SESSION_KIND_REGULAR)
    if regular is None:
        return TradingHours(_required(message.time_zone), _NO_HOURS, _NO_HOURS, frozenset())
    before = sessions.get(instrument_pb2.SESSION_KIND_PRE_MARKET)
    after = sessions.get(instrument_pb2.SESSION_KIND_POST_MARKET)
    return TradingHours(
        _required(message.time_zone),
        time.fromisoformat(regular.open),
        time.fromisoformat(regular.close),
        frozenset(day - instrument_pb2.WEEKDAY_MONDAY for day in regular.days),
        frozenset(date.fromisoformat(day.date) for day in message.holidays if not day.close),
        frozenset(
            (date.fromisoformat(day.date), time.fromisoformat(day.close)) for day in message.holidays if day.close
        ),
        time.fromisoformat(before.open) if before else None,
        time.fromisoformat(after.close) if after else None,
    )


# -- quotes, trades, order books ---------------------------------------------------------------------------


def quote_of(message: quote_pb2.Quote) -> TopOfBook:
    bid, ask = _price_or_none(message.bid_price), _price_or_none(message.ask_price)
    if bid is not None and ask is not None and bid > ask:
        raise ValueError(f"a crossed quote of {message.symbol}")
    bid_size, ask_size = _size_or_none(message.bid_size), _size_or_none(message.ask_size)
    return top_of_book(_required(message.symbol), bid, bid_size, ask, ask_size, _time(message, "quote_time"))


def trade_of(message: quote_pb2.Trade) -> Trade:
    return Trade(
        _required(message.symbol),
        message.trade_id,
        _price(message.price),
        _size(message.size),
        _time(message, "trade_time"),
        tuple(message.conditions),
        _SIDE_OF[message.aggressor_side],
    )


def order_book_of(message: quote_pb2.OrderBook) -> OrderBook:
    bids, asks = _levels(message.bids), _levels(message.asks)
    for side, falls in ((bids, True), (asks, False)):
        prices = [level.price for level in side]
        if prices != sorted(set(prices), reverse=falls):
            raise ValueError(f"an order book of {message.symbol} out of order")
    return OrderBook(_required(message.symbol), bids, asks, _time(message, "book_time"))


def _levels(levels: Sequence[quote_pb2.OrderBookLevel]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(_price(level.price), _size(level.size)) for level in levels)


# -- bars --------------------------------------------------------------------------------------------------


def bar_of(message: bar_pb2.Bar) -> Bar:
    bar = Bar(
        symbol=_required(message.symbol),
        interval=_INTERVAL_OF[message.interval],
        open_time=_time(message, "open_time"),
        close_time=_time(message, "close_time"),
        open=_price(message.open),
        high=_price(message.high),
        low=_price(message.low),
        close=_price(message.close),
        volume=_size(message.volume),
        trade_count=message.trade_count if message.HasField("trade_count") else None,
        partial=message.partial,
        vwap=_price(message.vwap) if message.HasField("vwap") else None,
        adjustment=_ADJUSTMENT_OF[message.adjustment],
    )
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        raise ValueError(f"a bar of {bar.symbol} that contradicts itself")
    return bar


def invalid_of(gaps: Sequence[bar_pb2.BarGap]) -> list[tuple[datetime, datetime]]:
    """The spans whose bars were thrown away."""
    thrown = (gap for gap in gaps if gap.reason == bar_pb2.BAR_GAP_REASON_INVALID_DATA)
    return [(_time(gap, "start_time"), _time(gap, "end_time")) for gap in thrown]


# -- values ------------------------------------------------------------------------------------------------


def _time(message: Message, field: str) -> datetime:
    """In UTC, down to the microsecond."""
    if not message.HasField(field):
        raise ValueError(f"{field} is missing")
    at = getattr(message, field)
    return _EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1_000)


def timestamp(at: datetime) -> Timestamp:
    since = at - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def _required(text: str) -> str:
    if not text:
        raise ValueError("a text is missing")
    return text


def _price(text: str) -> Decimal:
    """A decimal above zero."""
    value = price_of(text)
    if value is None:
        raise ValueError(f"no price or step: {text!r}")
    return value


def _size(text: str) -> Decimal:
    value = size_of(text)
    if value is None:
        raise ValueError(f"no size: {text!r}")
    return value


def _price_or_none(text: str) -> Decimal | None:
    return _price(text) if text else None


def _size_or_none(text: str) -> Decimal | None:
    return _size(text) if text else None
