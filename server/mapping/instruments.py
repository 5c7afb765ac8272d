"""Instruments and providers, as the contract shows them."""

from typing import Any, Final

from application.market_data.queries.get_instrument_query import InstrumentView
from application.market_data.queries.list_providers_query import ProviderView
from application.market_data.topics import Channel
from domain.decimals import plain
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass
from domain.market_data.trading_hours import TradingHours
from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2, provider_pb2
from server.mapping.common import enum_table, reversed_table, to_optional_timestamp

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

_DATA_KINDS: Final = {
    Channel.QUOTES: provider_pb2.DATA_KIND_QUOTES,
    Channel.TRADES: provider_pb2.DATA_KIND_TRADES,
    Channel.BARS: provider_pb2.DATA_KIND_BARS,
    Channel.ORDER_BOOK: provider_pb2.DATA_KIND_ORDER_BOOKS,
}
_WEEKDAYS: Final = (
    instrument_pb2.WEEKDAY_MONDAY,
    instrument_pb2.WEEKDAY_TUESDAY,
    instrument_pb2.WEEKDAY_WEDNESDAY,
    instrument_pb2.WEEKDAY_THURSDAY,
    instrument_pb2.WEEKDAY_FRIDAY,
    instrument_pb2.WEEKDAY_SATURDAY,
    instrument_pb2.WEEKDAY_SUNDAY,
)


def to_instrument(view: InstrumentView, provider: str) -> instrument_pb2.Instrument:
    """Holidays have no name and shorting is unknown: the domain says neither."""
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
        max_quantity=plain(one.max_quantity),
        multiplier="1",
        time_zone=one.hours.time_zone,
        sessions=[_session(one.hours)],
        holidays=[instrument_pb2.Holiday(date=day.isoformat()) for day in view.holidays],
        provider=provider,
        provider_symbol=one.symbol,
        sector=one.sector or "",
        status=instrument_pb2.INSTRUMENT_STATUS_ACTIVE,
        market_open=state.open,
        next_change_time=to_optional_timestamp(state.next_change),
    )


def _session(hours: TradingHours) -> instrument_pb2.TradingSession:
    return instrument_pb2.TradingSession(
        kind=instrument_pb2.SESSION_KIND_REGULAR,
        days=[_WEEKDAYS[day] for day in sorted(hours.weekdays)],
        open=f"{hours.opens:%H:%M}",
        close=f"{hours.closes:%H:%M}",
    )


def to_provider(view: ProviderView) -> provider_pb2.Provider:
    """The one provider of a server that has no other: available, and the default."""
    return provider_pb2.Provider(
        name=view.name,
        display_name=view.name.replace("_", " ").title(),
        available=True,
        default_provider=True,
        capabilities=provider_pb2.ProviderCapabilities(
            asset_classes=[ASSET_CLASSES[kind] for kind in view.asset_classes],
            request_kinds=[_DATA_KINDS[channel] for channel in view.request_channels],
            stream_kinds=[_DATA_KINDS[channel] for channel in view.stream_channels],
            search=True,
            bars=[
                provider_pb2.BarCapability(interval=INTERVALS[interval])
                for interval in view.intervals
                if interval in INTERVALS
            ],
            adjustments=[bar_pb2.PRICE_ADJUSTMENT_RAW],
            max_book_depth=view.max_book_depth,
        ),
    )
