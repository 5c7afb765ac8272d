"""Every rule at its limit and one unit beyond it, for a new order and for a replace."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.pre_trade_check import RULES, Situation, passes
from domain.risk.value_objects.limits import PriceCollarWindow, RateLimit, SymbolLimits
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from quantmesh.type.v1.risk_rule_pb2 import RiskRule
from tests.support.situations import (
    ACME,
    KILL,
    LOST,
    QUOTE,
    START,
    TIMED,
    Around,
    order,
    rested,
    situation,
    state,
    told,
)

D = Decimal
SELL = Side.SELL
LEAST_5000 = replace(ACME, min_notional=D(5_000))
Facts = Mapping[str, Any]
_ORDER = frozenset({"side", "quantity", "price", "type", "stop_price", "post_only", "reduce_only", "symbol"}) | {
    "time_in_force",
    "expire_time",
    "strategy_id",
}


@dataclass(frozen=True)
class Edge:
    """`passes` is right at the limit, `fails` one unit beyond: fields of the order or of the situation."""

    rule: str
    passes: Facts
    fails: Facts
    limits: Facts = field(default_factory=dict)
    around: Around = field(default_factory=Around)
    also: Facts = field(default_factory=dict)


def made(edge: Edge, facts: Facts, **more: Any) -> Situation:
    facts = {**edge.also, **facts}
    terms = order(**{name: value for name, value in facts.items() if name in _ORDER})
    rest = {name: value for name, value in facts.items() if name not in _ORDER}
    return situation(terms, around=edge.around, limits=RiskProfile("acct", **edge.limits), **(rest | more))


EDGES = {
    "no kill switch": Edge("KILL_SWITCH", {"kill": None}, {"kill": KILL}),
    "an active state": Edge(
        "TRADING_STATE",
        {"controls_state": state(TradingState.ACTIVE)},
        {"controls_state": state(TradingState.REDUCING)},
    ),
    "while reducing, all that is held": Edge(
        "TRADING_STATE",
        {"quantity": 100},
        {"quantity": 101},
        also={"side": SELL, "controls_state": state(TradingState.REDUCING)},
        around=Around(5_000, {"ACME": 100}),
    ),
    "while reducing, what other sells leave": Edge(
        "TRADING_STATE",
        {"quantity": 60},
        {"quantity": 61},
        also={"side": SELL, "controls_state": state(TradingState.REDUCING)},
        around=Around(5_000, {"ACME": 100}, rested(40, buys=False)),
    ),
    "halted, not even what lowers": Edge(
        "TRADING_STATE",
        {"controls_state": state(TradingState.REDUCING)},
        {"controls_state": state(TradingState.HALTED)},
        also={"side": SELL, "quantity": 1},
        around=Around(5_000, {"ACME": 100}),
    ),
    "a symbol that is not restricted": Edge(
        "RESTRICTED_SYMBOL", {"symbol": "ACME"}, {"symbol": "BAD"}, {"restricted_symbols": frozenset({"BAD"})}
    ),
    "a restricted symbol whose position is lowered": Edge(
        "RESTRICTED_SYMBOL",
        {"quantity": 100},
        {"quantity": 101},
        {"restricted_symbols": frozenset({"ACME"}), "allowed_symbols": frozenset({"ACME"})},
        Around(5_000, {"ACME": 100}),
        {"side": SELL},
    ),
    "an allowed symbol": Edge(
        "ALLOWED_SYMBOL", {"symbol": "ACME"}, {"symbol": "BAD"}, {"allowed_symbols": frozenset({"ACME"})}
    ),
    "what the broker can": Edge("BROKER_CAPABILITY", {"broker_refuses": ""}, {"broker_refuses": "STOP orders"}),
    "an instrument": Edge("INSTRUMENT_KNOWN", {"instrument": ACME}, {"instrument": None}),
    "a tick": Edge("TICK_SIZE", {"price": "50.01"}, {"price": "50.001"}),
    "a lot": Edge("LOT_SIZE", {"quantity": "100"}, {"quantity": "100.5"}),
    "a quote": Edge("QUOTE_PRESENT", {"quote": QUOTE}, {"quote": None}),
    "the age of a quote": Edge(
        "QUOTE_FRESH",
        {"now": START + timedelta(seconds=60)},
        {"now": START + timedelta(seconds=60, microseconds=1)},
    ),
    "a rate": Edge("CURRENCY_RATE", {"rate": D(1)}, {"rate": None}),
    "an account that can be valued": Edge("CURRENCY_RATE", {"rate": D(1)}, {"before": None, "missing": "EUR"}),
    "an expiry": Edge(
        "EXPIRE_TIME",
        {"expire_time": START + timedelta(microseconds=1)},
        {"expire_time": START},
        also={"time_in_force": TimeInForce.GTD},
    ),
    "the first moment of a session": Edge(
        "TRADING_HOURS",
        {"now": START},
        {"now": START - timedelta(microseconds=1)},
        {"trading_hours_only": True},
        also={"instrument": TIMED},
    ),
    "the last moment of a session": Edge(
        "TRADING_HOURS",
        {"now": START + timedelta(hours=1, microseconds=-1)},
        {"now": START + timedelta(hours=1)},
        {"trading_hours_only": True},
        also={"instrument": TIMED},
    ),
    "a post-only buy below the ask": Edge(
        "POST_ONLY", {"price": "50.09"}, {"price": "50.10"}, also={"post_only": True}
    ),
    "a post-only sell above the bid": Edge(
        "POST_ONLY", {"price": "49.91"}, {"price": "49.90"}, also={"post_only": True, "side": SELL}
    ),
    "the venue's least notional": Edge(
        "MIN_NOTIONAL", {"price": "50.00"}, {"price": "49.99"}, also={"instrument": LEAST_5000}
    ),
    "the venue's least notional, at the market": Edge(
        "MIN_NOTIONAL", {"quantity": 100}, {"quantity": 99}, also={"price": None, "instrument": LEAST_5000}
    ),
    "an order's quantity": Edge(
        "MAX_ORDER_QUANTITY", {"quantity": 100}, {"quantity": 101}, {"max_order_quantity": D(100)}
    ),
    "an order's quantity in this symbol": Edge(
        "MAX_ORDER_QUANTITY",
        {"quantity": 90},
        {"quantity": 91},
        {"max_order_quantity": D(100), "symbol_limits": (SymbolLimits("ACME", max_order_quantity=D(90)),)},
    ),
    "an order's quantity, the symbol's own wider": Edge(
        "MAX_ORDER_QUANTITY",
        {"quantity": 100},
        {"quantity": 101},
        {"max_order_quantity": D(100), "symbol_limits": (SymbolLimits("ACME", max_order_quantity=D(900)),)},
    ),
    "an order's notional": Edge(
        "MAX_ORDER_NOTIONAL", {"quantity": 100}, {"quantity": 101}, {"max_order_notional": D(5_000)}
    ),
    "an order's notional in this symbol": Edge(
        "MAX_ORDER_NOTIONAL",
        {"price": "50.00"},
        {"price": "50.01"},
        {"symbol_limits": (SymbolLimits("ACME", max_order_notional=D(5_000)),)},
    ),
    "a buy above the ask, in percent": Edge(
        "PRICE_COLLAR_PERCENT", {"price": "50.601"}, {"price": "50.602"}, {"price_collar_percent": D(1)}
    ),
    "a sell below the bid, in percent": Edge(
        "PRICE_COLLAR_PERCENT",
        {"price": "49.401"},
        {"price": "49.4009"},
        {"price_collar_percent": D(1)},
        also={"side": SELL},
    ),
    "a stop with a limit, from its stop price": Edge(
        "PRICE_COLLAR_PERCENT",
        {"price": "60.60"},
        {"price": "60.61"},
        {"price_collar_percent": D(1)},
        also={"type": OrderType.STOP_LIMIT, "stop_price": D(60)},
    ),
    "a sell stop with a limit, from its stop price": Edge(
        "PRICE_COLLAR_PERCENT",
        {"price": "39.60"},
        {"price": "39.59"},
        {"price_collar_percent": D(1)},
        also={"side": SELL, "type": OrderType.STOP_LIMIT, "stop_price": D(40)},
    ),
    "no percent at all beyond the quote": Edge(
        "PRICE_COLLAR_PERCENT", {"price": "50.10"}, {"price": "50.11"}, {"price_collar_percent": D(0)}
    ),
    "a buy above the ask, in ticks": Edge(
        "PRICE_COLLAR_TICKS", {"price": "50.13"}, {"price": "50.14"}, {"price_collar_ticks": 3}
    ),
    "a sell below the bid, in ticks": Edge(
        "PRICE_COLLAR_TICKS", {"price": "49.87"}, {"price": "49.86"}, {"price_collar_ticks": 3}, also={"side": SELL}
    ),
    "no tick beyond the quote": Edge(
        "PRICE_COLLAR_TICKS", {"price": "50.10"}, {"price": "50.11"}, {"price_collar_ticks": 0}
    ),
    "a buy above the highest of the window": Edge(
        "PRICE_COLLAR_WINDOW",
        {"price": "52.52"},
        {"price": "52.53"},
        {"price_collar_window": PriceCollarWindow(D(1), D(60))},
        also={"window": (D(48), D(52))},
    ),
    "a sell below the lowest of the window": Edge(
        "PRICE_COLLAR_WINDOW",
        {"price": "47.52"},
        {"price": "47.51"},
        {"price_collar_window": PriceCollarWindow(D(1), D(60))},
        also={"window": (D(48), D(52)), "side": SELL},
    ),
    "a sell of no more than is held": Edge(
        "SHORT_SELLING",
        {"quantity": 100},
        {"quantity": 101},
        {"short_selling": False},
        Around(5_000, {"ACME": 100}),
        {"side": SELL},
    ),
    "the largest short": Edge(
        "SHORT_SELLING", {"quantity": 50}, {"quantity": 51}, {"max_short_quantity": D(50)}, also={"side": SELL}
    ),
    "a reduction": Edge(
        "REDUCE_ONLY",
        {"quantity": 100},
        {"quantity": 101},
        around=Around(5_000, {"ACME": 100}),
        also={"side": SELL, "reduce_only": True},
    ),
    "a profile that only reduces, with a sell that waits": Edge(
        "REDUCE_ONLY",
        {"quantity": 60},
        {"quantity": 61},
        {"reduce_only": True},
        Around(5_000, {"ACME": 100}, rested(40, buys=False)),
        {"side": SELL},
    ),
    "buying power": Edge("BUYING_POWER", {"quantity": 200}, {"quantity": 201}),
    "a long position": Edge(
        "MAX_POSITION",
        {"quantity": 300},
        {"quantity": 301},
        {"max_position_quantity": D(500)},
        Around(1_000_000, {"ACME": 150}, rested(50)),
    ),
    "a short position": Edge(
        "MAX_POSITION",
        {"quantity": 600},
        {"quantity": 601},
        {"max_position_quantity": D(500)},
        Around(1_000_000, {"ACME": 150}, rested(50, buys=False)),
        {"side": SELL},
    ),
    "a position's notional": Edge(
        "MAX_POSITION",
        {"quantity": 300},
        {"quantity": 301},
        {"max_position_notional": D(25_000), "max_position_quantity": D(1_000)},
        Around(1_000_000, {"ACME": 150}, rested(50)),
    ),
    "a short position's notional": Edge(
        "MAX_POSITION",
        {"quantity": 650},
        {"quantity": 651},
        {"max_position_notional": D(32_600)},
        Around(1_000_000),
        {"side": SELL, "price": "50.15", "costs": None},
    ),
    "a position in this symbol": Edge(
        "MAX_POSITION",
        {"quantity": 10},
        {"quantity": 11},
        {"max_position_quantity": D(20), "symbol_limits": (SymbolLimits("ACME", max_position_quantity=D(10)),)},
    ),
    "open orders": Edge("MAX_OPEN_ORDERS", {"open_orders": 4}, {"open_orders": 5}, {"max_open_orders": 5}),
    "gross exposure": Edge(
        "MAX_GROSS_EXPOSURE",
        {"quantity": 60},
        {"quantity": 61},
        {"max_gross_exposure": D(10_000)},
        Around(1_000_000, {"ACME": 100, "OTHER": -100}, rested(20)),
    ),
    "net exposure of a buy": Edge(
        "MAX_NET_EXPOSURE",
        {"quantity": 100},
        {"quantity": 101},
        {"max_net_exposure": D(10_000)},
        Around(1_000_000, {"ACME": 100, "OTHER": -100}, rested(20)),
    ),
    "net exposure of a sell": Edge(
        "MAX_NET_EXPOSURE",
        {"quantity": 200},
        {"quantity": 201},
        {"max_net_exposure": D(6_000)},
        Around(1_000_000, {"ACME": 100, "OTHER": -100}),
        {"side": SELL, "costs": None, "price": 50},
    ),
    "leverage": Edge("MAX_LEVERAGE", {"quantity": 400}, {"quantity": 401}, {"max_leverage": D(2)}),
    "concentration": Edge(
        "MAX_CONCENTRATION",
        {"quantity": 20},
        {"quantity": 21},
        {"max_concentration_percent": D(60)},
        Around(5_000, {"ACME": 100}),
    ),
    "the loss of the day": Edge(
        "MAX_DAILY_LOSS",
        {"state": replace(LOST, day_start_equity=D(11_000))},
        {"state": replace(LOST, day_start_equity=D("11_000.01"))},
        {"max_daily_loss": D(1_000)},
    ),
    "the fall from the day's high": Edge(
        "MAX_DAILY_DRAWDOWN",
        {"state": replace(LOST, day_high=D(12_500))},
        {"state": replace(LOST, day_high=D("12_500.01"))},
        {"max_daily_drawdown_percent": D(20)},
    ),
    "the fall from the all-time high": Edge(
        "MAX_DRAWDOWN",
        {"state": replace(LOST, high=D(20_000))},
        {"state": replace(LOST, high=D("20_000.01"))},
        {"max_drawdown_percent": D(50)},
    ),
    "a rate of executions": Edge(
        "REPEATED_EXECUTION",
        {"executions_left": D(1)},
        {"executions_left": D("0.999999999999999999")},
        {"repeated_execution": RateLimit(3, D(1))},
        also={"strategy_id": "s"},
    ),
    "a duplicate": Edge("DUPLICATE_ORDER", {"duplicate_of": ""}, {"duplicate_of": "o-1"}, {"duplicate_window": D(1)}),
    "a match with an own order": Edge("SELF_MATCH", {"self_match": ""}, {"self_match": "o-1"}),
}


def filled_in(edge: Edge, facts: Facts, **more: Any) -> Situation:
    """A `costs` of None in an edge means at its own limit price, as where no quote is above it."""
    merged = {**edge.also, **facts}
    if "costs" in merged:
        merged["costs"] = D(merged["quantity"]) * D(merged["price"])
    return made(edge, merged, **more)


@pytest.mark.parametrize("is_replace", [False, True], ids=["new", "replace"])
@pytest.mark.parametrize("edge", [pytest.param(edge, id=name) for name, edge in EDGES.items()])
def test_what_is_at_the_limit_passes_and_one_unit_more_fails(edge: Edge, is_replace: bool) -> None:
    good = filled_in(edge, edge.passes, is_replace=is_replace)
    bad = filled_in(edge, edge.fails, is_replace=is_replace)
    at_the_limit, beyond = told(good)[edge.rule], told(bad)[edge.rule]
    assert (at_the_limit.passed, beyond.passed) == (True, False), (at_the_limit, beyond)
    assert not passes(bad)
    assert beyond.message


@pytest.mark.parametrize(("is_replace", "rule"), [(False, "ORDER_RATE"), (True, "REPLACE_RATE")])
def test_an_order_takes_from_its_own_bucket_and_a_replace_from_its_own(is_replace: bool, rule: str) -> None:
    limits = RiskProfile("acct", order_rate=RateLimit(3, D(1)), replace_rate=RateLimit(3, D(1)))
    at = told(situation(limits=limits, is_replace=is_replace, rate_tokens=D(1)))
    below = told(situation(limits=limits, is_replace=is_replace, rate_tokens=D("0.999999")))
    assert (at[rule].passed, at[rule].value, at[rule].limit) == (True, D(3), D(3))
    assert below[rule].passed is False
    assert ({"ORDER_RATE", "REPLACE_RATE"} - {rule}).isdisjoint(at)


def test_every_code_of_the_contract_has_its_rule_and_every_rule_its_edge() -> None:
    codes = {name.removeprefix("RISK_RULE_") for name in RiskRule.keys()} - {"UNSPECIFIED"}  # noqa: SIM118 no mapping
    rules = [rule.code for rule in RULES]
    assert len(rules) == len(set(rules))
    assert {*rules, "CANCEL_RATE"} == codes
    assert {edge.rule for edge in EDGES.values()} | {"ORDER_RATE", "REPLACE_RATE"} == set(rules)
