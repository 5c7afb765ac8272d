"""What a server makes of the domain's values is read back as the same values, and nonsense is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.market_data import remote_messages as messages
from adapters.market_data.conventions import US_EQUITY_HOURS
from application.market_data.queries.get_instrument_query import view
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument, InstrumentStatus
from domain.market_data.quote import OrderBook, PriceLevel, Trade, top_of_book
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from domain.trading.value_objects.order_type import Side
from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2, quote_pb2
from server.mapping.instruments import to_instrument
from server.mapping.market_data import to_bar, to_order_book, to_quote, to_trade

D = Decimal
NOW = datetime(2026, 11, 20, 17, 0, 0, 250_001, tzinfo=UTC)
SHORT_HOURS = TradingHours(
    "America/New_York",
    time(9, 30),
    time(16),
    frozenset(range(5)),
    frozenset({date(2026, 11, 26), date(2027, 1, 1)}),
    frozenset({(date(2026, 11, 27), time(13))}),
    time(4),
    time(20),
)
SHARE = Instrument(
    symbol="ACME",
    name="Acme Inc.",
    asset_class=AssetClass.EQUITY,
    currency="USD",
    venue="XNAS",
    tick_size=D("0.01"),
    lot_size=D(1),
    min_quantity=D(1),
    max_quantity=NO_MAXIMUM,
    hours=SHORT_HOURS,
    sector="Tools",
    provider_symbol="ACME.O",
    min_notional=D("2.5"),
    shortable=True,
)
PAIR = replace(
    SHARE,
    symbol="EUR/USD",
    asset_class=AssetClass.CURRENCY,
    base_currency="EUR",
    sector=None,
    provider_symbol="",
    max_quantity=D(100_000_000),
    min_notional=None,
    shortable=False,
    hours=TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3})),
)
INSTRUMENTS = [
    SHARE,
    PAIR,
    *(replace(SHARE, status=status) for status in InstrumentStatus),
    *(replace(SHARE, asset_class=kind) for kind in AssetClass),
    replace(PAIR, hours=ALWAYS_OPEN),
    replace(SHARE, hours=TradingHours("UTC", time(0), time(0), frozenset())),
]
BAR = Bar("ACME", BarInterval.MINUTE_1, NOW, NOW + timedelta(minutes=1), D(2), D("2.5"), D("0.5"), D(1), D(0), 12)
BARS = [
    BAR,
    replace(BAR, trade_count=None, vwap=D("1.5"), partial=True, volume=D("0.000000000000000001")),
    replace(BAR, open_time=datetime(1970, 1, 1, tzinfo=UTC), trade_count=0),
    replace(BAR, open_time=datetime(1900, 1, 1, tzinfo=UTC)),
    *(replace(BAR, interval=interval) for interval in BarInterval),
    *(replace(BAR, adjustment=adjustment) for adjustment in PriceAdjustment),
]
QUOTES = [
    top_of_book("ACME", D("10.5"), D(100), D("10.51"), D("0.3"), NOW),
    top_of_book("ACME", D(10), None, D(10), None, NOW),
    top_of_book("ACME", None, None, D("0.00000001"), D(0), NOW),
    top_of_book("ACME", None, None, None, None, NOW),
]
TRADES = [
    Trade("ACME", "t-1", D("10.5"), D(100), NOW, ("@", "T"), Side.SELL),
    Trade("ACME", "", D("10.5"), D("0.1"), NOW),
]
BOOK = OrderBook("ACME", (PriceLevel(D(10), D(3)), PriceLevel(D(9), D(4))), (PriceLevel(D(11), D(5)),), NOW)


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_an_instrument_is_read_as_it_was_written(instrument: Instrument) -> None:
    assert messages.instrument_of(to_instrument(view("far", instrument, NOW))) == instrument


def test_of_holidays_those_of_this_year_and_the_next_are_known() -> None:
    read = messages.instrument_of(to_instrument(view("far", replace(SHARE, hours=US_EQUITY_HOURS), NOW)))
    assert read is not None
    assert read.hours.holidays == {day for day in US_EQUITY_HOURS.holidays if day.year in (2026, 2027)}
    assert read.hours.early_closes == {pair for pair in US_EQUITY_HOURS.early_closes if pair[0].year in (2026, 2027)}


def test_what_may_only_be_closed_counts_as_halted() -> None:
    message = to_instrument(view("far", SHARE, NOW))
    message.status = instrument_pb2.INSTRUMENT_STATUS_CLOSE_ONLY
    assert messages.instrument_of(message) == replace(SHARE, status=InstrumentStatus.HALTED)


def _second_session(message: Any) -> None:
    message.sessions.append(message.sessions[1])


@pytest.mark.parametrize(
    "changed",
    [
        lambda message: setattr(message, "asset_class", instrument_pb2.ASSET_CLASS_FUTURE),
        lambda message: setattr(message, "multiplier", "50"),
        _second_session,
    ],
)
def test_an_instrument_that_could_not_be_traded_rightly_is_not_there(changed: Callable[[Any], None]) -> None:
    message = to_instrument(view("far", SHARE, NOW))
    changed(message)
    assert messages.instrument_of(message) is None


@pytest.mark.parametrize("bar", BARS)
def test_a_bar_is_read_as_it_was_written(bar: Bar) -> None:
    assert messages.bar_of(to_bar(bar, "far")) == bar


@pytest.mark.parametrize("quote", QUOTES)
def test_a_quote_is_read_as_it_was_written(quote: Any) -> None:
    read = messages.quote_of(to_quote(quote, "far"))
    assert (read, type(read)) == (quote, type(quote))


@pytest.mark.parametrize("trade", TRADES)
def test_a_trade_is_read_as_it_was_written(trade: Trade) -> None:
    assert messages.trade_of(to_trade(trade, "far")) == trade


@pytest.mark.parametrize("book", [BOOK, replace(BOOK, bids=()), replace(BOOK, asks=())])
def test_an_order_book_is_read_as_it_was_written(book: OrderBook) -> None:
    assert messages.order_book_of(to_order_book(book, "far")) == book


def test_the_spans_of_bars_that_were_thrown_away_are_read_from_the_gaps() -> None:
    gaps = [
        bar_pb2.BarGap(start_time=messages.timestamp(NOW), end_time=messages.timestamp(NOW), reason=reason)
        for reason in bar_pb2.BarGapReason.values()
    ]
    assert messages.invalid_of(gaps) == [(NOW, NOW)]


@pytest.mark.parametrize(
    ("read", "message", "wrong"),
    [
        (messages.instrument_of, to_instrument(view("far", SHARE, NOW)), {"symbol": ""}),
        (messages.instrument_of, to_instrument(view("far", SHARE, NOW)), {"time_zone": ""}),
        (messages.instrument_of, to_instrument(view("far", SHARE, NOW)), {"tick_size": "0"}),
        (messages.instrument_of, to_instrument(view("far", SHARE, NOW)), {"lot_size": "NaN"}),
        (messages.instrument_of, to_instrument(view("far", SHARE, NOW)), {"status": 99}),
        (messages.bar_of, to_bar(BAR, "far"), {"high": "1.5"}),
        (messages.bar_of, to_bar(BAR, "far"), {"low": "-1"}),
        (messages.bar_of, to_bar(BAR, "far"), {"volume": ""}),
        (messages.bar_of, to_bar(BAR, "far"), {"interval": 0}),
        (messages.bar_of, to_bar(BAR, "far"), {"close_time": None}),
        (messages.quote_of, to_quote(QUOTES[0], "far"), {"bid_price": "11"}),
        (messages.quote_of, to_quote(QUOTES[0], "far"), {"ask_size": "many"}),
        (messages.quote_of, to_quote(QUOTES[0], "far"), {"quote_time": None}),
        (messages.trade_of, to_trade(TRADES[0], "far"), {"price": "Infinity"}),
        (messages.trade_of, to_trade(TRADES[0], "far"), {"aggressor_side": 99}),
    ],
)
def test_nonsense_is_refused(read: Callable[[Any], Any], message: Any, wrong: dict[str, Any]) -> None:
    spoiled = type(message)()
    spoiled.CopyFrom(message)
    for field, value in wrong.items():
        spoiled.ClearField(field) if value is None else setattr(spoiled, field, value)
    with pytest.raises((ValueError, KeyError)):
        read(spoiled)


def test_an_order_book_out_of_order_is_refused() -> None:
    message = to_order_book(BOOK, "far")
    message.bids.append(quote_pb2.OrderBookLevel(price="10.5", size="1"))
    with pytest.raises(ValueError, match="out of order"):
        messages.order_book_of(message)
