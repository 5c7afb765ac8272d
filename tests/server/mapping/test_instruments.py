"""Instruments and providers, as the contract shows them."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

from application.market_data.market_hours import MarketState
from application.market_data.queries.get_instrument_query import InstrumentView
from application.market_data.queries.list_providers_query import ProviderView
from application.market_data.topics import Channel
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.trading_hours import TradingHours
from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2, provider_pb2
from server.mapping.common import to_timestamp
from server.mapping.instruments import to_instrument, to_provider

DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))
PAIR = Instrument(
    symbol="EUR/USD",
    name="Euro / US Dollar",
    asset_class=AssetClass.CURRENCY,
    currency="USD",
    venue="SIMFX",
    tick_size=Decimal("1E-5"),
    lot_size=Decimal("1E+3"),
    min_quantity=Decimal(1000),
    max_quantity=Decimal("1E+8"),
    hours=DEALERS,
    base_currency="EUR",
)
CLOSES = datetime(2026, 11, 20, 22, tzinfo=UTC)


def test_a_pair_has_its_base_currency_its_grid_and_the_days_on_which_its_session_opens() -> None:
    view = InstrumentView(PAIR, MarketState(True, CLOSES), [date(2026, 12, 25)])
    shown = to_instrument(view, "simulated")
    assert (shown.base_currency, shown.currency, shown.sector) == ("EUR", "USD", "")
    assert (shown.tick_size, shown.lot_size, shown.max_quantity) == ("0.00001", "1000", "100000000")
    (session,) = shown.sessions
    assert [instrument_pb2.Weekday.Name(day) for day in session.days] == [
        "WEEKDAY_MONDAY",
        "WEEKDAY_TUESDAY",
        "WEEKDAY_WEDNESDAY",
        "WEEKDAY_THURSDAY",
        "WEEKDAY_SUNDAY",
    ]
    assert (session.open, session.close) == ("17:00", "17:00")
    assert [(holiday.date, holiday.open, holiday.close) for holiday in shown.holidays] == [("2026-12-25", "", "")]
    assert (shown.market_open, shown.next_change_time) == (True, to_timestamp(CLOSES))


def test_a_market_that_never_changes_names_no_time() -> None:
    shown = to_instrument(InstrumentView(PAIR, MarketState(True, None), []), "simulated")
    assert not shown.HasField("next_change_time")


def test_a_provider_shows_what_it_serves_and_what_it_streams() -> None:
    shown = to_provider(
        ProviderView(
            name="some_feed",
            asset_classes=(AssetClass.EQUITY, AssetClass.CRYPTO),
            request_channels=(Channel.QUOTES,),
            stream_channels=(Channel.TRADES, Channel.ORDER_BOOK),
            intervals=(BarInterval.MINUTE_1,),
            max_book_depth=20,
        )
    )
    able = shown.capabilities
    assert (shown.name, shown.display_name, able.max_book_depth) == ("some_feed", "Some Feed", 20)
    assert list(able.asset_classes) == [instrument_pb2.ASSET_CLASS_EQUITY, instrument_pb2.ASSET_CLASS_CRYPTO]
    assert list(able.request_kinds) == [provider_pb2.DATA_KIND_QUOTES]
    assert list(able.stream_kinds) == [provider_pb2.DATA_KIND_TRADES, provider_pb2.DATA_KIND_ORDER_BOOKS]
    assert [bars.interval for bars in able.bars] == [bar_pb2.BAR_INTERVAL_ONE_MINUTE]
