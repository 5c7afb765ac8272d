"""Instruments and providers, as the contract shows them."""

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration

from application.market_data.queries.get_instrument_query import InstrumentView
from application.market_data.queries.list_providers_query import ProviderView
from application.ports.market_data import Capabilities, DataKind
from domain.decimals import plain
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, InstrumentStatus
from domain.market_data.trading_hours import TradingHours
from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2, provider_pb2
from server.mapping.common import decimal_or_empty, enum_table, reversed_table, to_duration, to_optional_timestamp

ASSET_CLASSES: Final = enum_table(instrument_pb2.AssetClass, AssetClass, "ASSET_CLASS")
ASSET_CLASS_OF: Final = reversed_table(ASSET_CLASSES)

INTERVALS: Final[dict[BarInterval, Any]] = {
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
INTERVAL_OF: Final = reversed_table(INTERVALS)

ADJUSTMENTS: Final = enum_table(bar_pb2.PriceAdjustment, PriceAdjustment, "PRICE_ADJUSTMENT")
ADJUSTMENT_OF: Final = reversed_table(ADJUSTMENTS) | {bar_pb2.PRICE_ADJUSTMENT_UNSPECIFIED: PriceAdjustment.RAW}
STATUSES: Final = enum_table(instrument_pb2.InstrumentStatus, InstrumentStatus, "INSTRUMENT_STATUS")
STATUS_OF: Final = reversed_table(STATUSES)

_DATA_KINDS: Final = enum_table(provider_pb2.DataKind, DataKind, "DATA_KIND")
_WEEKDAYS: Final = (
    instrument_pb2.WEEKDAY_MONDAY,
    instrument_pb2.WEEKDAY_TUESDAY,
    instrument_pb2.WEEKDAY_WEDNESDAY,
    instrument_pb2.WEEKDAY_THURSDAY,
    instrument_pb2.WEEKDAY_FRIDAY,
    instrument_pb2.WEEKDAY_SATURDAY,
    instrument_pb2.WEEKDAY_SUNDAY,
)


def to_instrument(view: InstrumentView) -> instrument_pb2.Instrument:
    """Holidays have no name: the domain does not say it."""
    one, state = view.instrument, view.state
    return instrument_pb2.Instrument(
        symbol=one.symbol,
        name=one.name,
        asset_class=ASSET_CLASSES[one.asset_class],
        currency=one.currency,
        base_currency=one.base_currency or "",
        venue=one.venue,
        tick_size=plain(one.tick_size),
        lot_size=plain(one.lot_size),
        min_quantity=plain(one.min_quantity),
        max_quantity="" if one.max_quantity >= NO_MAXIMUM else plain(one.max_quantity),
        min_notional=decimal_or_empty(one.min_notional),
        multiplier="1",
        time_zone=one.hours.time_zone,
        sessions=_sessions(one.hours),
        holidays=_holidays(view),
        provider=view.provider,
        provider_symbol=one.provider_symbol or one.symbol,
        sector=one.sector or "",
        status=STATUSES[one.status],
        shortable=one.shortable,
        market_open=state.open,
        next_change_time=to_optional_timestamp(state.next_change),
    )


def _sessions(hours: TradingHours) -> list[instrument_pb2.TradingSession]:
    days = [_WEEKDAYS[day] for day in sorted(hours.weekdays)]
    spans = (
        (instrument_pb2.SESSION_KIND_PRE_MARKET, hours.pre_market_opens, hours.opens),
        (instrument_pb2.SESSION_KIND_REGULAR, hours.opens, hours.closes),
        (instrument_pb2.SESSION_KIND_POST_MARKET, hours.closes, hours.post_market_closes),
    )
    return [
        instrument_pb2.TradingSession(kind=kind, days=days, open=f"{opens:%H:%M}", close=f"{closes:%H:%M}")
        for kind, opens, closes in spans
        if opens is not None and closes is not None
    ]


def _holidays(view: InstrumentView) -> list[instrument_pb2.Holiday]:
    opens = f"{view.instrument.hours.opens:%H:%M}"
    closed = [instrument_pb2.Holiday(date=day.isoformat()) for day in view.holidays]
    short = [
        instrument_pb2.Holiday(date=day.isoformat(), open=opens, close=f"{closes:%H:%M}")
        for day, closes in view.early_closes
    ]
    return sorted(closed + short, key=lambda holiday: holiday.date)


def to_provider(view: ProviderView) -> provider_pb2.Provider:
    return provider_pb2.Provider(
        name=view.name,
        display_name=view.display_name,
        available=view.lack is None,
        unavailable_reason=view.lack.reason if view.lack else "",
        remedy=view.lack.remedy if view.lack else "",
        default_provider=view.is_default,
        capabilities=_capabilities(view.capabilities),
    )


def _capabilities(can: Capabilities) -> provider_pb2.ProviderCapabilities:
    return provider_pb2.ProviderCapabilities(
        asset_classes=[ASSET_CLASSES[kind] for kind in can.asset_classes],
        request_kinds=_kinds(can.requests),
        stream_kinds=_kinds(can.streams),
        search=can.search,
        bars=[
            provider_pb2.BarCapability(interval=INTERVALS[interval], history=_duration(history))
            for interval, history in can.bars.items()
        ],
        adjustments=[ADJUSTMENTS[adjustment] for adjustment in can.adjustments],
        extended_hours=can.extended_hours,
        max_book_depth=can.max_book_depth,
        delay=_duration(can.delay),
        requests_per_minute=can.requests_per_minute,
        max_stream_symbols=can.max_stream_symbols,
        notes=can.notes,
    )


def _duration(span: timedelta | None) -> Duration | None:
    return None if span is None else to_duration(Decimal(span // timedelta(microseconds=1)) / 1_000_000)


def _kinds(kinds: Collection[DataKind]) -> list[Any]:
    return [_DATA_KINDS[kind] for kind in DataKind if kind in kinds]
