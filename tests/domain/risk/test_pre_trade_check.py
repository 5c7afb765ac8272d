"""Each pre-trade rule at its limit: what just passes, and one tick, lot or unit beyond it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.market_data.instrument import AssetClass
from domain.market_data.trading_hours import TradingHours
from domain.risk.services.pre_trade_check import RuleResult, reserve_price
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.support.trading import ABLE_TO_ALL, START, Desk, ScriptedBroker, instrument, terms

SELL = Side.SELL
D = Decimal
Prepare = Callable[[Desk], object]


def holding(quantity: int, cash: int = 10_000, **limits: Any) -> Desk:
    """A desk that has bought, or sold short, at 50."""
    desk = Desk(cash, **limits)
    side = Side.BUY if quantity > 0 else Side.SELL
    desk.place(terms("had", side, abs(quantity), 50))
    desk.trade("had", abs(quantity), 50, "had")
    return desk


@dataclass(frozen=True)
class Edge:
    """`passes` is an order right at the limit, `fails` the smallest one beyond; both are changes of a good order."""

    rule: str
    passes: dict[str, Any]
    fails: dict[str, Any]
    desk: Callable[[], Desk] = Desk
    prepare: Prepare = lambda desk: None


def lots_of_ten(desk: Desk) -> None:
    desk.quotes.list(instrument("ACME", lot="10", smallest="30", largest="1000"))


def fine_ticks(desk: Desk) -> None:
    desk.quotes.list(instrument("ACME", tick="0.005"))


def in_euro(desk: Desk) -> None:
    desk.quotes.list(instrument("EURO", "EUR"))
    desk.quotes.set("EURO", "50")
    desk.quotes.set("EUR/USD", "1.25")


def a_sell_waits(desk: Desk) -> None:
    desk.place(terms("waits", SELL, 4, 60))


def a_buy_waits(desk: Desk) -> None:
    desk.place(terms("waits", Side.BUY, 100, 50))


def wide_quote(desk: Desk) -> None:
    desk.quotes.set("ACME", "49", "50")


EDGES = {
    "limit price on the tick": Edge("TICK_SIZE", {"price": "50.01"}, {"price": "50.001"}),
    "limit price on a finer tick": Edge("TICK_SIZE", {"price": "50.005"}, {"price": "50.006"}, prepare=fine_ticks),
    "stop price on the tick": Edge(
        "TICK_SIZE",
        {"price": None, "type": OrderType.STOP, "stop_price": D("51.01")},
        {"price": None, "type": OrderType.STOP, "stop_price": D("51.011")},
    ),
    "both prices of a stop limit on the tick": Edge(
        "TICK_SIZE",
        {"type": OrderType.STOP_LIMIT, "stop_price": D("51.01")},
        {"type": OrderType.STOP_LIMIT, "stop_price": D("51.011")},
    ),
    "trailing offset on the tick": Edge(
        "TICK_SIZE",
        {"price": None, "type": OrderType.TRAILING_STOP, "trail_offset": D("0.01")},
        {"price": None, "type": OrderType.TRAILING_STOP, "trail_offset": D("0.011")},
    ),
    "quantity on the lot": Edge("LOT_SIZE", {"quantity": 100}, {"quantity": 101}, prepare=lots_of_ten),
    "the smallest quantity": Edge("LOT_SIZE", {"quantity": 30}, {"quantity": 20}, prepare=lots_of_ten),
    "the instrument's largest quantity": Edge(
        "MAX_ORDER_QUANTITY", {"quantity": 1_000}, {"quantity": 1_010}, prepare=lots_of_ten
    ),
    "the profile's largest quantity": Edge(
        "MAX_ORDER_QUANTITY", {"quantity": 100}, {"quantity": 101}, lambda: Desk(max_order_quantity=D(100))
    ),
    "the smaller of the two largest quantities": Edge(
        "MAX_ORDER_QUANTITY",
        {"quantity": 500},
        {"quantity": 510},
        lambda: Desk(max_order_quantity=D(500)),
        lots_of_ten,
    ),
    "largest notional at the limit price": Edge(
        "MAX_ORDER_NOTIONAL",
        {"price": "50.00"},
        {"price": "50.01"},
        lambda: Desk(max_order_notional=D(5_000)),
    ),
    "largest notional of a market order, with its buffer": Edge(
        "MAX_ORDER_NOTIONAL",
        {"price": None, "quantity": 100},
        {"price": None, "quantity": 101},
        lambda: Desk(max_order_notional=D(5_100), market_order_buffer=D("0.02")),
    ),
    "largest notional in another currency": Edge(
        "MAX_ORDER_NOTIONAL",
        {"symbol": "EURO", "quantity": 80},
        {"symbol": "EURO", "quantity": 81},
        lambda: Desk(max_order_notional=D(5_000)),
        in_euro,
    ),
    "expiry after now": Edge(
        "EXPIRE_TIME",
        {"time_in_force": TimeInForce.GTD, "expire_time": START + timedelta(microseconds=1)},
        {"time_in_force": TimeInForce.GTD, "expire_time": START},
    ),
    "a sell of no more than is held, without short selling": Edge(
        "SHORT_SELLING",
        {"side": SELL, "quantity": 10},
        {"side": SELL, "quantity": 11},
        lambda: holding(10, short_selling=False),
    ),
    "a sell besides one that waits, without short selling": Edge(
        "SHORT_SELLING",
        {"side": SELL, "quantity": 6},
        {"side": SELL, "quantity": 7},
        lambda: holding(10, short_selling=False),
        a_sell_waits,
    ),
    "a buy that waits makes no room for a sell": Edge(
        "SHORT_SELLING",
        {"side": SELL, "quantity": 10},
        {"side": SELL, "quantity": 11},
        lambda: holding(10, short_selling=False),
        a_buy_waits,
    ),
    "the largest short": Edge(
        "SHORT_SELLING",
        {"side": SELL, "quantity": 15},
        {"side": SELL, "quantity": 16},
        lambda: holding(10, max_short_quantity=D(5)),
    ),
    "the largest short, one held already": Edge(
        "SHORT_SELLING",
        {"side": SELL, "quantity": 2},
        {"side": SELL, "quantity": 3},
        lambda: holding(-3, max_short_quantity=D(5)),
    ),
    "a reduction of a long position": Edge(
        "REDUCE_ONLY",
        {"side": SELL, "quantity": 10, "reduce_only": True},
        {"side": SELL, "quantity": 11, "reduce_only": True},
        lambda: holding(10),
    ),
    "a reduction of a short position": Edge(
        "REDUCE_ONLY",
        {"quantity": 10, "reduce_only": True},
        {"quantity": 11, "reduce_only": True},
        lambda: holding(-10),
    ),
    "a reduction in the wrong direction": Edge(
        "REDUCE_ONLY",
        {"side": SELL, "quantity": 1, "reduce_only": True},
        {"side": Side.BUY, "quantity": 1, "reduce_only": True},
        lambda: holding(10),
    ),
    "all the cash there is": Edge(
        "BUYING_POWER", {"quantity": 200, "price": 50}, {"quantity": 200, "price": "50.01"}, lambda: Desk(10_000)
    ),
    "all the cash there is, at the market": Edge(
        "BUYING_POWER",
        {"quantity": 100, "price": None},
        {"quantity": 101, "price": None},
        lambda: Desk(5_100, market_order_buffer=D("0.02")),
    ),
    "cash that a waiting buy leaves": Edge(
        "BUYING_POWER", {"quantity": 100}, {"quantity": 101}, lambda: Desk(10_000), a_buy_waits
    ),
    "leverage": Edge("BUYING_POWER", {"quantity": 400}, {"quantity": 401}, lambda: Desk(10_000, max_leverage=D(2))),
    "a short as large as the cash": Edge(
        "BUYING_POWER", {"side": SELL, "quantity": 200}, {"side": SELL, "quantity": 201}, lambda: Desk(10_000)
    ),
    "a short at the market counts at the ask": Edge(
        "BUYING_POWER",
        {"side": SELL, "quantity": 200, "price": None},
        {"side": SELL, "quantity": 201, "price": None},
        lambda: Desk(10_000),
        wide_quote,
    ),
    "the other side of a waiting buy": Edge(
        "BUYING_POWER",
        {"side": SELL, "quantity": 200},
        {"side": SELL, "quantity": 201},
        lambda: Desk(10_000),
        a_buy_waits,
    ),
    "a position turned round": Edge(
        "BUYING_POWER", {"side": SELL, "quantity": 400}, {"side": SELL, "quantity": 401}, lambda: holding(200)
    ),
    "another currency, converted": Edge(
        "BUYING_POWER",
        {"symbol": "EURO", "quantity": 160},
        {"symbol": "EURO", "quantity": 161},
        lambda: Desk(10_000),
        in_euro,
    ),
    "no trading at all": Edge(
        "MAX_ORDER_QUANTITY", {"quantity": 0}, {"quantity": 1}, lambda: Desk(max_order_quantity=D(0))
    ),
}


@pytest.mark.parametrize("edge", [pytest.param(edge, id=name) for name, edge in EDGES.items()])
def test_an_order_passes_at_the_limit_and_fails_just_beyond_it(edge: Edge) -> None:
    desk = edge.desk()
    edge.prepare(desk)
    at_the_limit = desk.check(client_order_id="at", **edge.passes)[edge.rule]
    beyond = desk.check(client_order_id="beyond", **edge.fails)[edge.rule]
    assert (at_the_limit.passed, beyond.passed) == (True, False), (at_the_limit, beyond)
    assert beyond.message


# -- no data, no order ------------------------------------------------------------------------------------


def failed(results: dict[str, RuleResult]) -> set[str]:
    return {rule for rule, result in results.items() if not result.passed}


def test_an_instrument_that_is_not_known_fails_and_leaves_out_what_stands_on_it() -> None:
    results = Desk().check(symbol="NONE")
    assert failed(results) == {"INSTRUMENT_KNOWN"}
    assert list(results) == ["KILL_SWITCH", "TRADING_STATE", "INSTRUMENT_KNOWN", "BROKER_CAPABILITY"]


def test_an_instrument_without_a_quote_fails() -> None:
    desk = Desk()
    desk.quotes.remove("ACME")
    results = desk.check()
    assert failed(results) == {"QUOTE_PRESENT"}
    assert results["QUOTE_PRESENT"].message == "quote: not available"
    assert "BUYING_POWER" not in results


@pytest.mark.parametrize(("seconds", "passes"), [(0, True), (10, True), (10.000001, False), (3600, False)])
def test_a_quote_is_fresh_up_to_its_age_and_stale_from_then_on(seconds: float, passes: bool) -> None:
    desk = Desk(max_quote_age=D(10))
    desk.clock.advance(seconds)
    assert desk.check()["QUOTE_FRESH"].passed is passes


def test_the_last_quote_of_a_session_is_fresh_while_the_venue_is_closed() -> None:
    desk = Desk(max_quote_age=D(10))
    opens_at = time(START.hour, START.minute)
    closes_at = (datetime.combine(START, opens_at) + timedelta(hours=1)).time()
    desk.quotes.list(instrument("ACME", hours=TradingHours("UTC", opens_at, closes_at, frozenset(range(7)))))
    desk.clock.advance(3_599)
    assert not desk.check()["QUOTE_FRESH"].passed
    desk.clock.advance(1)
    assert desk.check()["QUOTE_FRESH"].passed


def test_an_instrument_in_a_currency_without_a_rate_fails() -> None:
    desk = Desk()
    desk.quotes.list(instrument("EURO", "EUR"))
    desk.quotes.set("EURO", "50")
    results = desk.check(symbol="EURO")
    assert failed(results) == {"CURRENCY_RATE"}
    assert "BUYING_POWER" not in results


def test_cash_in_a_currency_without_a_rate_fails_every_order_of_the_account() -> None:
    results = Desk({"USD": 10_000, "EUR": 1}).check()
    assert failed(results) == {"CURRENCY_RATE"}
    assert results["CURRENCY_RATE"].message == "rate or price of EUR into USD: not available"


def test_a_position_without_a_price_fails_every_order_of_the_account() -> None:
    desk = holding(10)
    desk.quotes.list(instrument("OTHER"))
    desk.quotes.set("OTHER", "50")
    desk.quotes.remove("ACME")
    assert failed(desk.check(symbol="OTHER")) == {"CURRENCY_RATE"}


def test_the_inverse_market_gives_a_rate_too() -> None:
    desk = Desk()
    desk.quotes.list(instrument("YEN", "JPY"))
    desk.quotes.set("YEN", "50")
    desk.quotes.set("USD/JPY", "150")
    assert desk.check(symbol="YEN")["CURRENCY_RATE"].value == D("0.006666666666666667")


@pytest.mark.parametrize(
    ("lacks", "order"),
    [
        ({"order_types": frozenset({OrderType.LIMIT})}, {"price": None}),
        ({"times_in_force": frozenset({TimeInForce.DAY})}, {"time_in_force": TimeInForce.GTC}),
        ({"asset_classes": frozenset({AssetClass.CRYPTO})}, {}),
        ({"fractional_quantities": False}, {"quantity": "1.5"}),
    ],
)
def test_what_the_broker_cannot_do_is_refused(lacks: dict[str, Any], order: dict[str, Any]) -> None:
    desk = Desk(broker=ScriptedBroker(capabilities=replace(ABLE_TO_ALL, **lacks)))
    desk.quotes.list(instrument("ACME", lot="0.5"))
    assert failed(desk.check(**order)) == {"BROKER_CAPABILITY"}


def test_a_broker_that_lends_nothing_sells_nothing_short() -> None:
    desk = Desk(broker=ScriptedBroker(capabilities=replace(ABLE_TO_ALL, short_selling=False)))
    assert failed(desk.check(side=SELL)) == {"SHORT_SELLING"}


# -- what an order counts at -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "counts_at"),
    [
        ({"price": 40}, "40"),
        ({"price": 60}, "60"),
        ({"price": None}, "52.02"),
        ({"price": None, "type": OrderType.STOP, "stop_price": D(60)}, "61.20"),
        ({"price": None, "type": OrderType.STOP, "stop_price": D(45)}, "52.02"),
        ({"price": None, "type": OrderType.TRAILING_STOP, "trail_offset": D(9)}, "61.20"),
        ({"price": None, "type": OrderType.TRAILING_STOP, "trail_percent": D(10)}, "57.222"),
        ({"side": SELL, "price": 40}, "51"),
        ({"side": SELL, "price": 60}, "60"),
        ({"side": SELL, "price": None}, "51"),
        ({"side": SELL, "price": None, "type": OrderType.STOP, "stop_price": D(45)}, "51"),
    ],
)
def test_an_order_counts_at_the_dearest_price_it_may_fill_at(order: dict[str, Any], counts_at: str) -> None:
    """Bid 49, ask 51; a buy without a limit may fill 2 percent above where it starts to trade."""
    desk = Desk()
    desk.quotes.set("ACME", "49", "51")
    assert reserve_price(terms(**order), desk.quotes.latest("ACME"), D("0.02")) == D(counts_at)


def test_without_a_quote_an_order_counts_at_the_price_it_names() -> None:
    assert reserve_price(terms(price=40), None, D("0.02")) == 40
