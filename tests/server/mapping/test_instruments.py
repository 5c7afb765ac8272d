"""Instruments and providers, as the contract shows them."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from application.market_data.market_hours import MarketState
from application.market_data.providers import Lack
from application.market_data.queries.get_instrument_query import InstrumentView, view
from application.market_data.queries.list_providers_query import ProviderView
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument, InstrumentStatus
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
    seen = InstrumentView("simulated", PAIR, MarketState(True, CLOSES), [date(2026, 12, 25)])
    shown = to_instrument(seen)
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
    shown = to_instrument(InstrumentView("simulated", PAIR, MarketState(True, None), []))
    assert not shown.HasField("next_change_time")


def test_a_share_shows_its_sessions_before_and_after_the_regular_one_and_its_short_days() -> None:
    hours = TradingHours(
        "America/New_York",
        time(9, 30),
        time(16),
        frozenset(range(5)),
        frozenset({date(2026, 11, 26)}),
        frozenset({(date(2026, 11, 27), time(13))}),
        time(4),
        time(20),
    )
    share = replace(PAIR, hours=hours, max_quantity=NO_MAXIMUM, provider_symbol="X", status=InstrumentStatus.HALTED)
    shown = to_instrument(view("feed", share, CLOSES))
    assert [
        (instrument_pb2.SessionKind.Name(session.kind).removeprefix("SESSION_KIND_"), session.open, session.close)
        for session in shown.sessions
    ] == [("PRE_MARKET", "04:00", "09:30"), ("REGULAR", "09:30", "16:00"), ("POST_MARKET", "16:00", "20:00")]
    assert [(holiday.date, holiday.open, holiday.close) for holiday in shown.holidays] == [
        ("2026-11-26", "", ""),
        ("2026-11-27", "09:30", "13:00"),
    ]
    assert (shown.provider, shown.provider_symbol, shown.max_quantity) == ("feed", "X", "")
    assert shown.status == instrument_pb2.INSTRUMENT_STATUS_HALTED


def test_a_provider_shows_what_it_serves_and_what_it_streams() -> None:
    able = Capabilities(
        asset_classes=(AssetClass.EQUITY, AssetClass.CRYPTO),
        requests=frozenset({DataKind.QUOTES}),
        streams=frozenset({DataKind.TRADES, DataKind.ORDER_BOOKS}),
        bars={BarInterval.MINUTE_1: timedelta(days=7), BarInterval.DAY_1: None},
        adjustments=(PriceAdjustment.SPLITS, PriceAdjustment.ALL),
        max_book_depth=20,
        delay=timedelta(minutes=15),
        notes=("It is a test.",),
    )
    provider = to_provider(ProviderView("some_feed", "Some feed", able, None, True))
    shown = provider.capabilities
    assert (provider.name, provider.display_name, provider.default_provider) == ("some_feed", "Some feed", True)
    assert (provider.available, provider.unavailable_reason, provider.remedy) == (True, "", "")
    assert list(shown.asset_classes) == [instrument_pb2.ASSET_CLASS_EQUITY, instrument_pb2.ASSET_CLASS_CRYPTO]
    assert list(shown.request_kinds) == [provider_pb2.DATA_KIND_QUOTES]
    assert list(shown.stream_kinds) == [provider_pb2.DATA_KIND_TRADES, provider_pb2.DATA_KIND_ORDER_BOOKS]
    week, unlimited = shown.bars
    assert (week.interval, week.history.ToTimedelta()) == (bar_pb2.BAR_INTERVAL_ONE_MINUTE, timedelta(days=7))
    assert not unlimited.HasField("history")
    assert list(shown.adjustments) == [bar_pb2.PRICE_ADJUSTMENT_SPLITS, bar_pb2.PRICE_ADJUSTMENT_ALL]
    assert (shown.delay.ToTimedelta(), shown.max_book_depth) == (timedelta(minutes=15), 20)
    assert list(shown.notes) == ["It is a test."]


def test_a_provider_that_cannot_serve_says_why_and_what_helps_and_still_what_it_could() -> None:
    able = Capabilities((AssetClass.EQUITY,), frozenset({DataKind.BARS}), frozenset(), {BarInterval.DAY_1: None})
    shown = to_provider(ProviderView("far", "Far", able, Lack("no key is set", "QUANTMESH_FAR_API_KEY=..."), False))
    assert (shown.available, shown.unavailable_reason) == (False, "no key is set")
    assert (shown.remedy, shown.default_provider) == ("QUANTMESH_FAR_API_KEY=...", False)
    assert list(shown.capabilities.request_kinds) == [provider_pb2.DATA_KIND_BARS]
