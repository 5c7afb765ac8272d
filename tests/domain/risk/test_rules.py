"""What the rules do without their data, beyond a limit, and for orders they say nothing about; and how it is told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.instrument import InstrumentStatus
from domain.market_data.trading_hours import TradingHours
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.services.margin import OpenOrders
from domain.risk.services.pre_trade_check import RULES, Situation, check, check_cancel, passes, violations
from domain.risk.value_objects.limits import PriceCollarWindow, RateLimit, SelfMatchAction, SymbolLimits
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.situations import (
    ACME,
    EVERY_LIMIT,
    KILL,
    LOST,
    START,
    TIMED,
    Around,
    failed,
    order,
    situation,
    state,
    told,
    within_every_limit,
)

D = Decimal
SELL = Side.SELL
Facts = Mapping[str, Any]
# -- no data, no order -----------------------------------------------------------------------------------


_VALUED = {"MAX_GROSS_EXPOSURE", "MAX_NET_EXPOSURE", "MAX_CONCENTRATION"}
_LOSSES = {"MAX_DAILY_LOSS", "MAX_DAILY_DRAWDOWN", "MAX_DRAWDOWN"}
_BY_LAST_QUOTE = {"PRICE_COLLAR_PERCENT", "PRICE_COLLAR_TICKS"}


@pytest.mark.parametrize(
    ("lacks", "denies"),
    [
        ({"quote": None}, {"QUOTE_PRESENT", "MAX_POSITION", *_BY_LAST_QUOTE, *_VALUED}),
        ({"rate": None}, {"CURRENCY_RATE", "MAX_ORDER_NOTIONAL", "MAX_POSITION", *_VALUED}),
        ({"before": None}, {"CURRENCY_RATE", *_VALUED, *_LOSSES}),
        ({"window": None}, {"PRICE_COLLAR_WINDOW"}),
        ({"state": RiskState("acct")}, _LOSSES),
        ({"rate_tokens": None}, {"ORDER_RATE"}),
        ({"rate_tokens": None, "is_replace": True}, {"REPLACE_RATE"}),
        ({"executions_left": None}, {"REPEATED_EXECUTION"}),
        ({"instrument": None}, {"INSTRUMENT_KNOWN", "PRICE_COLLAR_TICKS"}),
    ],
)
def test_a_limit_that_cannot_be_measured_denies(lacks: Facts, denies: set[str]) -> None:
    lacking = within_every_limit(order(strategy_id="s"), **lacks)
    assert failed(lacking) == denies
    assert not passes(lacking)
    measured = {result.rule: result.value for result in check(lacking)}
    assert all(measured[rule] is None for rule in denies)


def test_a_position_by_notional_alone_is_denied_without_a_price() -> None:
    limits = RiskProfile("acct", max_position_notional=D(1_000_000), symbol_limits=())
    assert "MAX_POSITION" in failed(situation(limits=limits, quote=None))


def test_an_account_without_equity_opens_nothing_and_may_still_close() -> None:
    limits = RiskProfile("acct", max_concentration_percent=D(100))
    ruined = Around(-5_000, {"ACME": 100})
    assert failed(situation(order(), around=ruined, limits=limits)) >= {"MAX_LEVERAGE", "MAX_CONCENTRATION"}
    closing = situation(order(SELL, 100), around=ruined, limits=limits)
    assert {"MAX_LEVERAGE", "MAX_CONCENTRATION"}.isdisjoint(failed(closing))


# -- who is beyond a limit may come back -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({"max_position_quantity": D(10)}, "MAX_POSITION"),
        ({"max_position_notional": D(10)}, "MAX_POSITION"),
        ({"max_gross_exposure": D(10)}, "MAX_GROSS_EXPOSURE"),
        ({"max_net_exposure": D(10)}, "MAX_NET_EXPOSURE"),
        ({"max_leverage": D("0.1")}, "MAX_LEVERAGE"),
        ({"max_concentration_percent": D(1)}, "MAX_CONCENTRATION"),
        ({"max_daily_loss": D(1)}, "MAX_DAILY_LOSS"),
        ({"max_daily_drawdown_percent": D(1)}, "MAX_DAILY_DRAWDOWN"),
        ({"max_drawdown_percent": D(1)}, "MAX_DRAWDOWN"),
        ({"reduce_only": True}, "REDUCE_ONLY"),
    ],
)
@pytest.mark.parametrize("reduce_only", [False, True])
def test_beyond_a_limit_what_lowers_passes_and_what_raises_fails(limits: Facts, rule: str, reduce_only: bool) -> None:
    around, profile = Around(5_000, {"ACME": 100}), RiskProfile("acct", **limits)
    closes = situation(order(SELL, 100, reduce_only=reduce_only), around=around, limits=profile, state=LOST)
    raises = situation(order(Side.BUY, 1), around=around, limits=profile, state=LOST)
    assert passes(closes), failed(closes)
    assert rule in failed(raises)


REDUCING: dict[str, Any] = {"controls_state": state(TradingState.REDUCING)}


@pytest.mark.parametrize(
    ("replaces", "lowers"),
    [
        ((D(101), D(5_050)), True),
        ((D(100), D(5_000)), False),
        ((D(101), D("4_999.99")), False),
        (None, False),
    ],
)
def test_while_reducing_a_replace_passes_only_if_it_takes_back_a_part_of_its_order(
    replaces: tuple[Decimal, Decimal] | None, lowers: bool
) -> None:
    made = situation(order(), replaces=replaces, is_replace=True, **REDUCING)
    assert told(made)["TRADING_STATE"].passed is lowers


def test_an_order_of_a_kill_switch_passes_what_is_there_to_stop_others() -> None:
    limits = RiskProfile(
        "acct",
        order_rate=RateLimit(1, D(1)),
        duplicate_window=D(1),
        trading_hours_only=True,
        allowed_symbols=frozenset({"OTHER"}),
        max_open_orders=0,
        repeated_execution=RateLimit(1, D(1)),
    )
    stops: dict[str, Any] = {
        "kill": KILL,
        "controls_state": state(TradingState.HALTED),
        "rate_tokens": D(0),
        "executions_left": D(0),
        "duplicate_of": "o-1",
        "self_match": "o-2",
        "instrument": TIMED,
        "now": START + timedelta(hours=2),
    }
    around = Around(5_000, {"ACME": 100})
    close = order(SELL, 100, None, strategy_id="s")
    assert passes(situation(close, around=around, limits=limits, flattens=True, **stops))
    assert failed(situation(close, around=around, limits=limits, **stops)) == {
        "KILL_SWITCH",
        "TRADING_STATE",
        "ALLOWED_SYMBOL",
        "TRADING_HOURS",
        "MAX_OPEN_ORDERS",
        "ORDER_RATE",
        "REPEATED_EXECUTION",
        "DUPLICATE_ORDER",
        "SELF_MATCH",
    }


# -- what a rule says nothing about ----------------------------------------------------------------------


@pytest.mark.parametrize("action", [SelfMatchAction.ALLOW, SelfMatchAction.CANCEL_RESTING])
def test_a_self_match_is_refused_only_where_the_profile_rejects_it(action: SelfMatchAction) -> None:
    limits = RiskProfile("acct", self_match_action=action)
    assert "SELF_MATCH" not in told(situation(limits=limits, self_match="o-1"))


@pytest.mark.parametrize("price", ["50.10", "1.00"])
def test_a_price_on_the_right_side_is_at_no_distance(price: str) -> None:
    limits = RiskProfile(
        "acct", price_collar_percent=D(0), price_collar_ticks=0, price_collar_window=PriceCollarWindow(D(0), D(1))
    )
    results = told(situation(order(price=price), limits=limits, window=(D(50), D("50.10"))))
    collars = [results[f"PRICE_COLLAR_{kind}"] for kind in ("PERCENT", "TICKS", "WINDOW")]
    assert [(result.passed, result.value) for result in collars] == [(True, D(0))] * 3


def test_an_order_without_a_limit_price_is_held_in_no_collar() -> None:
    results = told(within_every_limit(order(price=None)))
    assert not [rule for rule in results if rule.startswith("PRICE_COLLAR")]


def test_a_post_only_stop_is_not_judged_before_it_triggers() -> None:
    stop = order(price=60, type=OrderType.STOP_LIMIT, stop_price=D(60), post_only=True)
    assert "POST_ONLY" not in told(situation(stop))


def test_executions_are_counted_for_orders_of_a_strategy_only() -> None:
    assert "REPEATED_EXECUTION" not in told(within_every_limit(order()))


@pytest.mark.parametrize("status", [one for one in InstrumentStatus if one is not InstrumentStatus.ACTIVE])
@pytest.mark.parametrize("more", [{}, {"side": Side.SELL, "reduce_only": True}])
def test_no_order_is_taken_for_an_instrument_that_is_not_active(status: InstrumentStatus, more: Facts) -> None:
    halted = situation(order(**more), around=Around(10_000, {"ACME": 100}), instrument=replace(ACME, status=status))
    assert failed(halted) == {"INSTRUMENT_KNOWN"}
    assert not passes(halted)
    assert told(halted)["INSTRUMENT_KNOWN"].message == f"instrument ACME: {status.value}, limit ACTIVE"


def test_limits_of_another_symbol_say_nothing_here() -> None:
    limits = RiskProfile("acct", symbol_limits=(SymbolLimits("OTHER", D(1), D(1), D(1), D(1)),))
    assert passes(situation(limits=limits))


def test_a_profile_without_limits_leaves_out_the_rules_that_are_off() -> None:
    off = RiskProfile("acct", max_leverage=None, max_quote_age=None)
    assert list(told(situation(limits=off))) == [
        "KILL_SWITCH",
        "TRADING_STATE",
        "INSTRUMENT_KNOWN",
        "BROKER_CAPABILITY",
        "TICK_SIZE",
        "LOT_SIZE",
        "QUOTE_PRESENT",
        "CURRENCY_RATE",
        "MAX_ORDER_QUANTITY",
        "BUYING_POWER",
        "SELF_MATCH",
    ]


# -- what is told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "facts", "says"),
    [
        ("KILL_SWITCH", {"kill": KILL}, "engaged kill switch: k-1"),
        ("TRADING_STATE", REDUCING, "trading state: REDUCING, limit only what lowers exposure"),
        ("MAX_OPEN_ORDERS", {"open_orders": 100}, "open orders: 101 orders, limit 100 orders"),
        ("ORDER_RATE", {"rate_tokens": D("0.5")}, "new orders lately: 5.5 orders, limit 5 orders"),
        (
            "MAX_DAILY_LOSS",
            {"state": replace(LOST, day_start_equity=D(20_000))},
            "loss of the day: 7500 USD, limit 5000 USD",
        ),
        (
            "PRICE_COLLAR_PERCENT",
            {"price": "60"},
            "price beyond the quote: 19.7604790419 percent, limit 5 percent",
        ),
        (
            "MAX_POSITION",
            {"adds": D(9_000)},
            "position if all open orders on the side fill: 9050 units, limit 9000 units",
        ),
        (
            "MAX_POSITION",
            {"costs": D(900_000)},
            "position if all open orders on the side fill: 902500 USD, limit 900000",
        ),
    ],
)
def test_a_refusal_says_what_was_measured_and_against_what(rule: str, facts: Facts, says: str) -> None:
    terms = order(price=facts.get("price", 50))
    refused = within_every_limit(terms, **{name: value for name, value in facts.items() if name != "price"})
    result = told(refused)[rule]
    assert not result.passed
    assert result.message.startswith(says)
    [violation] = violations([result], "x")
    assert (violation.rule, violation.subject, violation.description) == (rule, "x", result.message)
    assert violation.unit == result.unit


def test_a_violation_carries_value_limit_and_unit() -> None:
    limits = RiskProfile("acct", max_order_quantity=D("100.50"))
    [violation] = violations(check(situation(order(quantity=101), limits=limits)), "order")
    assert (violation.value, violation.limit, violation.unit) == ("101", "100.5", "units")


def test_cancels_have_a_bucket_of_their_own_that_need_not_be_asked() -> None:
    rate = RateLimit(1, D(60))
    limits, fresh = RiskProfile("acct", cancel_rate=rate), RiskState("acct")
    allowed = check_cancel(limits, fresh, START)
    refused = check_cancel(limits, fresh.taken("CANCEL_RATE", rate, START), START)
    assert allowed is not None
    assert refused is not None
    assert (allowed.passed, refused.passed) == (True, False)
    assert refused.message == "cancels lately: 2 orders, limit 1 orders"
    assert check_cancel(RiskProfile("acct"), fresh, START) is None


# -- fast and slow agree ---------------------------------------------------------------------------------

AMOUNT = st.integers(0, 400).map(D)
PRICES = st.decimals(30, 70, places=3)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Anything: with or without limits, data, stops and open orders."""
    on = draw(st.sets(st.sampled_from([f for f in EVERY_LIMIT.__dataclass_fields__ if f != "account_id"])))
    limits = replace(RiskProfile("acct"), **{name: getattr(EVERY_LIMIT, name) for name in on})
    if draw(st.booleans()):
        limits = replace(limits, max_position_quantity=draw(AMOUNT), max_order_notional=draw(AMOUNT) * 50)
    terms = order(
        draw(st.sampled_from(Side)),
        draw(st.integers(1, 400)),
        draw(st.none() | PRICES.map(str)),
        reduce_only=draw(st.booleans()),
        strategy_id=draw(st.sampled_from(["", "s"])),
    )
    waiting = draw(st.none() | st.builds(OpenOrders, st.just("USD"), AMOUNT, AMOUNT, AMOUNT, AMOUNT))
    around = Around(draw(st.integers(0, 20_000)), {"ACME": draw(st.integers(-300, 300))}, waiting)
    made = situation(terms, around=around, limits=limits, is_replace=draw(st.booleans()))
    missing = draw(st.sets(st.sampled_from(["quote", "rate", "before", "instrument"]), max_size=1))
    lacks: dict[str, Any] = dict.fromkeys(missing)
    return replace(made, window=draw(st.none() | st.just((D(49), D(51)))), **lacks)


@given(situations())
def test_an_order_passes_just_if_no_rule_of_the_explanation_failed(made: Situation) -> None:
    explained = check(replace(made))
    quick = replace(made)
    assert passes(quick) is all(result.passed for result in explained)
    assert [result.rule for result in explained] == [r.code for r in RULES if r.code in {x.rule for x in explained}]


@given(situations())
def test_what_passes_tells_the_buying_power_that_is_left(made: Situation) -> None:
    quick, explained = replace(made), replace(made)
    check(explained)
    if passes(quick):
        assert quick.after_buying_power == explained.after_buying_power
        assert quick.after_buying_power is not None


@pytest.mark.parametrize("is_replace", [False, True])
@pytest.mark.parametrize("side", list(Side))
def test_an_order_within_every_limit_is_held_against_nearly_all_of_them(side: Side, is_replace: bool) -> None:
    terms = order(side, 50, 50, strategy_id="s")
    whole = within_every_limit(terms, is_replace=is_replace)
    assert passes(whole), failed(whole)
    assert len(check(whole)) >= 30


def test_a_session_is_found_again_after_it_has_closed_and_before_the_last_one_asked_for() -> None:
    night = TradingHours("UTC", time(9), time(10), frozenset(range(7)))
    limits = RiskProfile("acct", trading_hours_only=True)
    day = datetime(2025, 3, 5, tzinfo=UTC)
    asked: list[tuple[float, bool]] = [
        (8.9, False),
        (9, True),
        (9.9, True),
        (10, False),
        (33, True),
        (9.5, True),
        (8, False),
    ]
    for hour, is_open in asked:
        now = day + timedelta(hours=hour)
        made = situation(limits=limits, instrument=replace(ACME, hours=night), now=now)
        assert told(made)["TRADING_HOURS"].passed is is_open, hour


def test_a_changed_profile_is_in_force_for_the_next_order() -> None:
    profile = RiskProfile("acct", max_order_quantity=D(100))
    made = situation(order(quantity=100), limits=profile)
    assert passes(made)
    for limit, verdict in ((99, False), (100, True), (None, True), (0, False)):
        profile = replace(profile, max_order_quantity=None if limit is None else D(limit))
        assert passes(replace(made, profile=profile)) is verdict
