"""How much of each limit is used, at and around it, and when a warning is due."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.services.limit_use import SymbolUse, Usage, limit_uses, symbol_use, warning_key, warnings
from domain.risk.services.margin import Margin, OpenOrders
from domain.risk.value_objects.limits import LimitUse, RateLimit, SymbolLimits

D = Decimal
NOW = datetime(2025, 3, 4, 15, 0, tzinfo=UTC)
RATE = RateLimit(4, D(60))
STATE = (
    RiskState("acct", NOW, D(1_100), D(1_250), D(2_000))
    .taken("ORDER_RATE", RATE, NOW)
    .taken("REPEATED_EXECUTION:s", RATE, NOW)
    .taken("REPEATED_EXECUTION:s", RATE, NOW)
)
MARGIN = Margin(
    equity=D(1_000), gross=D(700), net=D(300), used=D(900), buying_power=D(100), net_low=D(-500), net_high=D(400)
)
USAGE = Usage("USD", MARGIN, 3, STATE, NOW, {"ACME": SymbolUse(D(12), D(600)), "BOLT": SymbolUse(D(5), None)})
LIMITS = RiskProfile(
    "acct",
    max_open_orders=4,
    order_rate=RATE,
    replace_rate=RATE,
    cancel_rate=RATE,
    repeated_execution=RATE,
    max_position_quantity=D(20),
    max_position_notional=D(1_000),
    symbol_limits=(SymbolLimits("ACME", max_position_quantity=D(15)),),
    max_concentration_percent=D(80),
    max_gross_exposure=D(1_200),
    max_net_exposure=D(1_000),
    max_leverage=D(2),
    max_daily_loss=D(200),
    max_daily_drawdown_percent=D(40),
    max_drawdown_percent=D(50),
)


def test_every_limit_in_force_is_told_with_its_value_and_the_share_that_is_used() -> None:
    told: list[tuple[Any, ...]] = [
        (use.rule, use.key, use.value, use.limit, use.unit, use.used_percent) for use in limit_uses(LIMITS, USAGE)
    ]
    assert told == [
        ("MAX_OPEN_ORDERS", "", 3, 4, "orders", 75),
        ("ORDER_RATE", "", 1, 4, "orders", 25),
        ("REPLACE_RATE", "", 0, 4, "orders", 0),
        ("CANCEL_RATE", "", 0, 4, "orders", 0),
        ("REPEATED_EXECUTION", "s", 2, 4, "executions", 50),
        ("MAX_POSITION", "ACME", 12, 15, "units", 80),
        ("MAX_POSITION", "ACME", 600, 1_000, "USD", 60),
        ("MAX_CONCENTRATION", "ACME", 60, 80, "percent", 75),
        ("MAX_POSITION", "BOLT", 5, 20, "units", 25),
        ("MAX_GROSS_EXPOSURE", "", 900, 1_200, "USD", 75),
        ("MAX_NET_EXPOSURE", "", 500, 1_000, "USD", 50),
        ("MAX_LEVERAGE", "", D("0.9"), 2, "ratio", 45),
        ("MAX_DAILY_LOSS", "", 100, 200, "USD", 50),
        ("MAX_DAILY_DRAWDOWN", "", 20, 40, "percent", 50),
        ("MAX_DRAWDOWN", "", 50, 50, "percent", 100),
    ]


def test_what_is_off_or_cannot_be_measured_is_left_out() -> None:
    assert limit_uses(RiskProfile("acct", max_leverage=None), USAGE) == []
    rules = {use.rule for use in limit_uses(LIMITS, replace(USAGE, margin=None))}
    assert rules.isdisjoint({"MAX_GROSS_EXPOSURE", "MAX_LEVERAGE", "MAX_CONCENTRATION", "MAX_DAILY_LOSS"})
    ruined = replace(USAGE, margin=replace(MARGIN, equity=D(0)))
    assert {use.rule for use in limit_uses(LIMITS, ruined)}.isdisjoint({"MAX_LEVERAGE", "MAX_CONCENTRATION"})


def test_of_a_limit_of_nothing_anything_is_all_of_it() -> None:
    none = RiskProfile("acct", max_open_orders=0, max_leverage=None)
    [used] = limit_uses(none, USAGE)
    [free] = limit_uses(none, replace(USAGE, open_orders=0))
    assert (used.used_percent, free.used_percent) == (D(100), D(0))


@pytest.mark.parametrize(
    ("held", "waiting", "quantity", "notional"),
    [
        (10, None, 10, 1_000),
        (-10, None, 10, 1_000),
        (10, OpenOrders("EUR", buy_quantity=D(5), buy_notional=D(300)), 15, 1_600),
        (10, OpenOrders("EUR", sell_quantity=D(25), sell_notional=D(1_250)), 15, 1_500),
        (0, OpenOrders("EUR", D(5), D(6), D(250), D(300)), 6, 600),
    ],
)
def test_the_use_of_a_symbol_is_its_worst_with_all_open_orders_of_a_side(
    held: int, waiting: OpenOrders | None, quantity: int, notional: int
) -> None:
    assert symbol_use(D(held), waiting, D(50), D(2)) == SymbolUse(D(quantity), D(notional))
    assert symbol_use(D(held), waiting, None, D(2)) == SymbolUse(D(quantity), None)
    assert symbol_use(D(held), waiting, D(50), None) == SymbolUse(D(quantity), None)


# -- warnings --------------------------------------------------------------------------------------------


def use(percent: str | int, rule: str = "MAX_POSITION", key: str = "ACME", unit: str = "units") -> LimitUse:
    return LimitUse(rule, key, D(percent), D(100), unit, D(percent))


def test_a_warning_is_sent_at_the_share_and_again_only_after_the_use_was_below_it() -> None:
    warned = frozenset[str]()
    sent = []
    for percent in ("79.99", 80, 95, 120, 80, "79.99", 80):
        due, warned = warnings([use(percent)], warned, D(80))
        sent.append([str(one.value) for one in due])
    assert sent == [[], ["80"], [], [], [], [], ["80"]]


def test_each_limit_is_warned_of_by_itself() -> None:
    uses = [use(90), use(90, unit="USD"), use(90, key="BOLT"), use(90, "MAX_CONCENTRATION")]
    due, warned = warnings(uses, frozenset(), D(80))
    assert due == uses
    assert len(warned) == len({warning_key(one) for one in uses}) == 4
    assert warnings([*uses[1:], use(10)], warned, D(80)) == ([], warned - {warning_key(uses[0])})


def test_a_limit_that_is_no_longer_measured_is_forgotten() -> None:
    _, warned = warnings([use(90)], frozenset(), D(80))
    assert warnings([], warned, D(80)) == ([], frozenset())


def test_without_a_share_there_are_no_warnings() -> None:
    assert warnings([use(100)], frozenset({"x"}), None) == ([], frozenset())
