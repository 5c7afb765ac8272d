"""How large a position may be: what the method gives, down to the lot, and lowered until every rule passes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_catalogue import LISTINGS
from adapters.market_data.simulation_settings import SimulationSettings
from application.ports.market_data import BarRequest, FetchedBars
from application.risk.queries.size_position_query import PositionSize, SizePosition, SizePositionHandler
from domain.decimals import is_multiple
from domain.errors import AccessDenied, InvalidArgument, NotFound, PreconditionFailed
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import Instrument
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.services.position_sizer import (
    FixedNotional,
    FixedQuantity,
    Kelly,
    PercentOfEquity,
    PercentRisk,
    SizingMethod,
    VolatilityTarget,
    average_true_range,
)
from domain.risk.value_objects.limits import SelfMatchAction
from domain.risk.value_objects.scope import Scope, ScopeKind
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.order_type import Side
from tests.support.engine import MAIN, House
from tests.support.market import market_of, offer
from tests.support.trading import ABLE_TO_ALL, ACCOUNT, Desk, ScriptedBroker, instrument, terms

D = Decimal
BUY, SELL = Side.BUY, Side.SELL


def asking(method: SizingMethod, side: Side = BUY, **more: Any) -> SizePosition:
    return SizePosition(ACCOUNT, "user:test", **{"symbol": "ACME", "side": side, "method": method, **more})


def size(desk: Desk, method: SizingMethod, side: Side = BUY, **more: Any) -> PositionSize:
    return desk.run(asking(method, side, **more))


def fails(desk: Desk, quantity: Decimal, side: Side = BUY, price: Decimal | None = None) -> set[str]:
    """The rules that an order of that size would break."""
    checked = desk.check(client_order_id="size", side=side, quantity=quantity, price=price)
    return {rule for rule, result in checked.items() if not result.passed}


def test_without_a_limit_in_the_way_the_size_is_the_methods_down_to_the_lot() -> None:
    found = size(Desk(), FixedQuantity(D("12.7")))
    assert (found.quantity, found.unrounded, found.price, found.notional) == (D(12), D("12.7"), D(50), D(600))
    assert found.limited_by == ()
    assert found.explanation == (
        "Buy 12 shares of ACME at 50 USD, worth 600 USD: the quantity that was asked for, rounded down to the lot of 1."
    )


def test_the_steps_lead_from_the_price_to_the_quantity() -> None:
    desk = Desk(100_000, max_order_quantity=D(300))
    found = size(desk, PercentRisk(D(2), D(46)))
    assert [(step.name, step.value, step.unit) for step in found.steps] == [
        ("price", D(50), "USD"),
        ("equity", D(100_000), "USD"),
        ("risk", D(2_000), "USD"),
        ("risk per unit", D(4), "USD"),
        ("unrounded quantity", D(500), "shares"),
        ("lot", D(1), "shares"),
        ("rounded quantity", D(500), "shares"),
        ("MAX_ORDER_QUANTITY", D(300), "units"),
        ("quantity", D(300), "shares"),
    ]
    assert all(step.text for step in found.steps)
    assert "500 shares (2 percent of the equity of 100000 USD lost if the stop at 46 is reached)" in found.explanation
    assert "lowered by MAX_ORDER_QUANTITY (order quantity: 301 units, limit 300 units)" in found.explanation


@pytest.mark.parametrize(
    ("limits", "quantity", "rules"),
    [
        ({"max_order_quantity": D(300)}, 300, ("MAX_ORDER_QUANTITY",)),
        # A market order is counted 2 % above the quote.
        ({"max_order_notional": D(5_100)}, 100, ("MAX_ORDER_NOTIONAL",)),
        ({"max_position_quantity": D(70)}, 70, ("MAX_POSITION",)),
        ({"max_gross_exposure": D(51_000)}, 1_000, ("MAX_GROSS_EXPOSURE",)),
        ({"max_leverage": D("0.51")}, 1_000, ("BUYING_POWER", "MAX_LEVERAGE")),
        ({"max_concentration_percent": D("5.1")}, 100, ("MAX_CONCENTRATION",)),
        # The one that bound last comes last, whatever the order of the rules.
        (
            {"max_order_quantity": D(500), "max_gross_exposure": D(5_100)},
            100,
            ("MAX_ORDER_QUANTITY", "MAX_GROSS_EXPOSURE"),
        ),
        (
            {"max_order_quantity": D(50), "max_gross_exposure": D(5_100)},
            50,
            ("MAX_GROSS_EXPOSURE", "MAX_ORDER_QUANTITY"),
        ),
    ],
)
def test_the_largest_size_that_every_rule_lets_pass_is_given_with_the_rules_that_lowered_it(
    limits: dict[str, Any], quantity: int, rules: tuple[str, ...]
) -> None:
    desk = Desk(100_000, **limits)
    found = size(desk, FixedQuantity(D(1_900)))
    assert (found.quantity, found.limited_by) == (D(quantity), rules)
    assert not fails(desk, found.quantity)
    assert rules[-1] in fails(desk, found.quantity + 1)


def test_with_a_price_the_order_is_a_limit_order_at_it() -> None:
    desk = Desk(100_000)
    desk.quotes.set("ACME", "49", "50")
    assert size(desk, FixedNotional(D(10**9))).quantity == 1_960  # at the offer and 2 % above it
    at_limit = size(desk, FixedNotional(D(10**9)), price=D(40))
    assert (at_limit.quantity, at_limit.price, at_limit.notional) == (D(2_500), D(40), D(100_000))
    assert size(desk, FixedNotional(D(980)), SELL).quantity == 20  # at the bid


def test_a_price_off_the_tick_is_not_rounded_but_refused() -> None:
    found = size(Desk(), FixedQuantity(D(5)), price=D("40.001"))
    assert (found.quantity, found.limited_by) == (D(0), ("TICK_SIZE",))


def test_when_no_size_passes_it_is_zero_and_every_reason_is_named() -> None:
    desk = Desk(short_selling=False, restricted_symbols=frozenset({"ACME"}))
    found = size(desk, FixedQuantity(D(10)), SELL)
    assert (found.quantity, found.notional) == (D(0), D(0))
    assert found.limited_by == ("RESTRICTED_SYMBOL", "SHORT_SELLING")
    assert found.explanation.startswith("No order for ACME would pass now. The method gives 10 shares")
    assert found.steps[-1][:2] == ("quantity", D(0))


def test_a_size_below_the_lot_is_nothing_though_no_rule_forbids_it() -> None:
    found = size(Desk(), FixedQuantity(D("0.4")))
    assert (found.quantity, found.limited_by) == (D(0), ())
    assert found.explanation == (
        "Nothing: the method gives 0.4 shares (the quantity that was asked for), less than the lot of 1."
    )


def test_without_an_edge_nothing_is_put_in() -> None:
    found = size(Desk(), Kelly(D(50), D(1)))
    assert (found.quantity, found.unrounded, found.limited_by) == (D(0), D(0), ())


def test_a_size_below_the_smallest_order_is_refused_by_the_lot_size_rule() -> None:
    desk = Desk()
    desk.quotes.list(instrument("ACME", lot="0.1", smallest="2"))
    found = size(desk, FixedQuantity(D("1.95")))
    assert (found.quantity, found.limited_by) == (D(0), ("LOT_SIZE",))
    assert size(desk, FixedQuantity(D("2.05"))).quantity == 2


def test_the_size_is_never_above_the_venues_largest_order() -> None:
    desk = Desk(10**15)
    desk.quotes.list(instrument("ACME", largest="5000"))
    found = size(desk, FixedQuantity(D(10**19)))
    assert (found.quantity, found.limited_by[-1]) == (D(5_000), "MAX_ORDER_QUANTITY")


@pytest.mark.parametrize(("lot", "quantity"), [("0.001", "12"), ("1.5", "12"), ("4", "12"), ("2.5", "10")])
def test_at_a_broker_without_fractions_the_size_is_whole(lot: str, quantity: str) -> None:
    desk = Desk(broker=ScriptedBroker(capabilities=replace(ABLE_TO_ALL, fractional_quantities=False)))
    desk.quotes.list(instrument("ACME", lot=lot))
    found = size(desk, FixedQuantity(D("12.7")))
    assert (found.quantity, found.limited_by) == (D(quantity), ())
    assert not fails(desk, found.quantity)


def test_a_pair_is_sized_in_its_base_currency_and_a_foreign_price_converted() -> None:
    desk = Desk(100_000)
    desk.quotes.list(instrument("EUR/GBP", "GBP", tick="0.0001", lot="1000"))
    desk.quotes.set("EUR/GBP", "0.8")
    desk.quotes.set("GBP/USD", "1.25")
    found = size(desk, PercentOfEquity(D(50)), symbol="EUR/GBP")
    assert (found.quantity, found.notional) == (D(50_000), D(50_000))
    steps = {step.name: (step.value, step.unit) for step in found.steps}
    assert steps["currency rate"] == (D("1.25"), "USD")
    assert steps["quantity"] == (D(50_000), "EUR")


def test_a_size_that_looks_like_another_order_is_stepped_over() -> None:
    desk = Desk(duplicate_window=D(60))
    for quantity in (100, 99):
        desk.place(terms(str(quantity), quantity=quantity, price=None))
    found = size(desk, FixedQuantity(D(100)))
    assert (found.quantity, found.limited_by) == (D(98), ("DUPLICATE_ORDER",))


def test_the_equity_is_that_of_cash_and_positions() -> None:
    desk = Desk(10_000)
    desk.place(quantity=100, price=50)
    desk.trade("t", 100, 50)
    desk.quotes.set("ACME", "60")
    assert size(desk, PercentOfEquity(D(10)), price=D(60)).unrounded * 60 == 1_100


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_stop_on_the_wrong_side_is_malformed(side: Side) -> None:
    with pytest.raises(InvalidArgument, match=r"percent_risk\.stop_price: must be"):
        size(Desk(), PercentRisk(D(1), D(50) + 5 * side.sign), side)


def test_a_size_beyond_what_the_contract_can_say_is_malformed() -> None:
    with pytest.raises(InvalidArgument, match="method: must give a quantity"):
        size(Desk(), VolatilityTarget(D(100), multiple=D("1e-18"), atr=D("1e-18")))
    with pytest.raises(InvalidArgument, match="method: must give a quantity"):
        size(Desk(), FixedNotional(D(10**20 - 1)), price=D("0.01"))
    assert size(Desk(), FixedQuantity(D(10**20 - 1))).quantity == 1_960_784


def test_an_unknown_instrument_is_not_found() -> None:
    with pytest.raises(NotFound) as missing:
        size(Desk(), FixedQuantity(D(1)), symbol="NONE")
    assert missing.value.reason == "INSTRUMENT_NOT_FOUND"


def _no_quote(desk: Desk) -> None:
    desk.quotes.remove("ACME")


def _old_quote(desk: Desk) -> None:
    desk.clock.advance(11)


def _no_rate(desk: Desk) -> None:
    desk.quotes.list(instrument("ACME", "CHF"))


def _no_price_of_another_position(desk: Desk) -> None:
    desk.quotes.list(instrument("BOLT"))
    desk.quotes.set("BOLT", "20")
    desk.place(terms("b", quantity=1, price=20, symbol="BOLT"))
    desk.trade("t", 1, 20, "b")
    desk.quotes.remove("BOLT")


@pytest.mark.parametrize(
    ("spoil", "rule", "says"),
    [
        (_no_quote, "QUOTE_PRESENT", "quote"),
        (_old_quote, "QUOTE_FRESH", "age of the quote"),
        (_no_rate, "CURRENCY_RATE", "rate or price"),
        (_no_price_of_another_position, "CURRENCY_RATE", "BOLT"),
    ],
)
@pytest.mark.parametrize("price", [None, D(50)])
def test_nothing_is_guessed_where_a_price_or_rate_is_missing_or_too_old(
    spoil: Any, rule: str, says: str, price: Decimal | None
) -> None:
    desk = Desk(max_quote_age=D(10))
    spoil(desk)
    with pytest.raises(PreconditionFailed) as refused:
        size(desk, FixedQuantity(D(1)), price=price)
    assert refused.value.reason == "PRICE_MISSING"
    assert [violation.rule for violation in refused.value.violations] == [rule]
    assert says in refused.value.message


def test_where_nothing_is_bid_no_short_can_be_sized() -> None:
    desk = Desk()
    desk.quotes.set("ACME", "0", "50")
    with pytest.raises(PreconditionFailed, match="nothing is bid or offered"):
        size(desk, FixedQuantity(D(1)), SELL)


def test_nothing_is_recorded_or_reserved() -> None:
    desk = Desk(max_order_quantity=D(5))
    size(desk, FixedQuantity(D(100)))
    assert (desk.records.sequence, desk.book.open_orders, desk.broker.handed) == (1, {}, [])


@pytest.mark.parametrize(
    ("action", "quantity", "rules"),
    [(SelfMatchAction.REJECT, 0, ("SELF_MATCH",)), (SelfMatchAction.CANCEL_RESTING, 10, ())],
)
def test_an_order_that_would_be_refused_for_an_own_one_is_sized_at_nothing(
    action: SelfMatchAction, quantity: int, rules: tuple[str, ...]
) -> None:
    desk = Desk(self_match_action=action)
    desk.place(terms("resting", SELL, 10, 50))
    found = size(desk, FixedQuantity(D(10)), price=D(50))
    assert (found.quantity, found.limited_by) == (D(quantity), rules)


def test_what_holds_the_strategy_back_counts() -> None:
    desk = Desk()
    halted = Scope(ScopeKind.STRATEGY, key="trend")
    desk.controls.put(ScopedTradingState(halted, TradingState.HALTED, 1, "why", "user:x", desk.clock.now()))
    found = size(desk, FixedQuantity(D(10)), strategy_id="trend")
    assert (found.quantity, found.limited_by) == (D(0), ("TRADING_STATE",))
    assert [step.value for step in found.steps if step.name == "TRADING_STATE"] == [0]
    assert size(desk, FixedQuantity(D(10)), strategy_id="other").quantity == 10


LIMIT = st.none() | st.integers(1, 60).map(Decimal)
LIMITS = st.fixed_dictionaries(
    {
        "max_order_quantity": LIMIT,
        "max_order_notional": st.none() | st.integers(1, 5_000).map(Decimal),
        "max_position_quantity": LIMIT,
        "max_gross_exposure": st.none() | st.integers(1, 5_000).map(Decimal),
        "max_net_exposure": st.none() | st.integers(1, 5_000).map(Decimal),
        "max_short_quantity": LIMIT,
        "max_concentration_percent": LIMIT,
        "short_selling": st.booleans(),
        "reduce_only": st.booleans(),
        "duplicate_window": st.none() | st.just(D(60)),
    }
)
ORDERS = st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 30), st.booleans()), max_size=3)
LOTS = st.sampled_from(["0.001", "0.3", "1", "2.5", "7"])


@given(LIMITS, ORDERS, LOTS, st.sampled_from(Side), st.decimals("0.001", 100, places=3), st.booleans())
def test_the_size_is_a_lot_multiple_that_passes_and_one_lot_more_does_not(
    limits: dict[str, Any],
    orders: list[tuple[Side, int, bool]],
    lot: str,
    side: Side,
    wanted: Decimal,
    at_market: bool,
) -> None:
    desk = Desk(5_000)
    for i, (order_side, quantity, fills) in enumerate(orders):
        at = 49 if order_side is BUY else 51
        desk.place(terms(str(i), order_side, quantity, at))
        if fills:
            desk.trade(str(i), quantity, at, str(i))
    desk.book.profile = replace(desk.book.profile, **limits)
    desk.quotes.list(instrument("ACME", lot=lot))
    price = None if at_market else D(50)
    found = size(desk, FixedQuantity(wanted), side, price=price)
    step = D(lot)
    assert is_multiple(found.quantity, step)
    assert found.quantity <= wanted
    if found.quantity:
        assert not fails(desk, found.quantity, side, price)
    if found.limited_by:
        above = fails(desk, found.quantity + step, side, price)
        assert found.limited_by[-1] in above
    else:
        assert found.quantity + step > wanted


# -- an average true range that is not given -------------------------------------------------------------------


class Ending(SimulatedMarketData):
    """The simulated market as a provider tells it whose bars stop at `end`."""

    def __init__(self, clock: ManualClock, end: datetime) -> None:
        super().__init__(clock, SimulationSettings(sessions="exchange"))
        self.end = end

    async def instrument(self, symbol: str) -> Instrument | None:
        """Also NEW, which has not traded yet."""
        known = await super().instrument("AAPL" if symbol == "NEW" else symbol)
        return known and replace(known, symbol=symbol)

    async def bars(self, request: BarRequest) -> FetchedBars:
        return await super().bars(replace(request, end=min(request.end, self.end)))


class Sizing:
    """The handler on a real engine, with quotes of the test's and bars of the simulated market."""

    def __init__(self, house: House, bars_end: datetime | None = None) -> None:
        self.data = Ending(house.clock, bars_end or house.clock.now())
        self.instrument = LISTINGS["AAPL"].instrument
        house.quotes.list(self.instrument)
        house.quotes.set("AAPL", "200")
        self.clock = house.clock
        self.handler = SizePositionHandler(house.engine, market_of(house.clock, offer(self.data)))

    async def size(self, method: SizingMethod, account_id: str = MAIN, symbol: str = "AAPL") -> PositionSize:
        return await self.handler(replace(asking(method), account_id=account_id, symbol=symbol))


@pytest.fixture
async def house() -> Any:
    opened = await House().open()
    yield opened
    await opened.close()


@pytest.mark.parametrize("interval", [BarInterval.MINUTE_15, BarInterval.DAY_1, BarInterval.WEEK_1])
async def test_an_average_true_range_that_is_not_given_is_computed_from_whole_bars(
    house: House, interval: BarInterval
) -> None:
    sizing = Sizing(house)
    found = await sizing.size(VolatilityTarget(D("0.01"), atr_period=3, bar_interval=interval))
    now = sizing.clock.now()
    found_bars = await sizing.data.bars(BarRequest("AAPL", interval, now - timedelta(days=400), now, 10**6))
    newest = list(found_bars.bars)[-16:]
    atr = average_true_range([bar for bar in newest if not bar.partial], 3)
    assert found.unrounded == 10_000 / atr
    assert {step.name: step.value for step in found.steps}["average true range"] == atr


async def test_one_that_is_given_needs_no_bars(house: House) -> None:
    sizing = Sizing(house, datetime(2000, 1, 1, tzinfo=UTC))
    found = await sizing.size(VolatilityTarget(D("0.01"), atr=D(20)))
    assert found.quantity == 500
    assert (await sizing.size(FixedQuantity(D(3)))).quantity == 3


@pytest.mark.parametrize(
    ("symbol", "says"),
    [("NEW", "0 bars of 1d do not give an average over 14"), ("AAPL", "the last bar of 1d ended at 2025-05-23")],
)
async def test_too_few_or_too_old_bars_are_a_missing_price(house: House, symbol: str, says: str) -> None:
    sizing = Sizing(house, datetime(2025, 5, 24, tzinfo=UTC))
    house.quotes.list(replace(sizing.instrument, symbol="NEW"))
    with pytest.raises(PreconditionFailed, match=says) as refused:
        await sizing.size(VolatilityTarget(D(1)), symbol=symbol)
    assert refused.value.reason == "PRICE_MISSING"
    assert [violation.rule for violation in refused.value.violations] == ["PRICE_MISSING"]


async def test_over_a_weekend_the_last_bars_are_not_too_old(house: House) -> None:
    sizing = Sizing(house, datetime(2025, 5, 31, tzinfo=UTC))  # a Saturday; now it is Monday
    assert (await sizing.size(VolatilityTarget(D(1)))).quantity


async def test_an_unknown_account_is_denied_before_anything_is_fetched(house: House) -> None:
    with pytest.raises(AccessDenied):
        await Sizing(house).size(VolatilityTarget(D(1)), account_id="nobody", symbol="NONE")


async def test_bars_of_an_unknown_instrument_are_not_found(house: House) -> None:
    with pytest.raises(NotFound) as missing:
        await Sizing(house).size(VolatilityTarget(D(1)), symbol="NONE")
    assert missing.value.reason == "INSTRUMENT_NOT_FOUND"


async def test_the_size_counts_what_was_placed_before(house: House) -> None:
    sizing = Sizing(house)
    placed = await house.place("a", symbol="AAPL", quantity=400_000, price=200)
    found = await sizing.size(FixedQuantity(D(200_000)))
    assert (found.sequence, found.quantity) == (placed.sequence, D(98_039))  # 20,000,000 at 2 % above 200
