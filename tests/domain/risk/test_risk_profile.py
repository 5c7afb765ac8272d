"""What is applied of two profiles: never looser than either, whichever way round."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.decimals import ZERO
from domain.risk.aggregates.risk_profile import RiskProfile, above_ceiling, applied, stricter
from domain.risk.services.pre_trade_check import passes
from domain.risk.value_objects.limits import LossAction, PriceCollarWindow, RateLimit, SelfMatchAction, SymbolLimits
from domain.risk.value_objects.strictness import NOTHING_ALLOWED, stricter_rate
from domain.trading.value_objects.order_type import Side
from tests.support.situations import Around, order, situation

D = Decimal
NO_CEILING = RiskProfile("", max_leverage=None, max_quote_age=None)
OWN = {"account_id", "version", "updated_time", "updated_by", "day_start", "market_order_buffer"}

AMOUNT = st.none() | st.integers(0, 20).map(lambda n: D(n * 500))
SMALL = st.none() | st.integers(0, 4).map(D)
COUNT = st.none() | st.integers(0, 6)
RATE = st.builds(RateLimit, st.integers(1, 12), st.sampled_from([D("0.1"), D(1), D(3), D(7), D(60)]))
WINDOW = st.builds(PriceCollarWindow, st.integers(0, 4).map(D), st.integers(1, 60).map(D))
SYMBOLS = st.frozensets(st.sampled_from(["ACME", "OTHER", "THIRD"]))
BY_SYMBOL = st.lists(
    st.builds(SymbolLimits, st.sampled_from(["ACME", "OTHER"]), AMOUNT, AMOUNT, AMOUNT, AMOUNT),
    unique_by=lambda limits: limits.symbol,
).map(tuple)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "max_order_quantity": AMOUNT,
    "max_order_notional": AMOUNT,
    "price_collar_percent": SMALL,
    "price_collar_ticks": COUNT,
    "price_collar_window": st.none() | WINDOW,
    "max_open_orders": COUNT,
    "max_position_quantity": AMOUNT,
    "max_position_notional": AMOUNT,
    "symbol_limits": BY_SYMBOL,
    "max_gross_exposure": AMOUNT,
    "max_net_exposure": AMOUNT,
    "max_leverage": SMALL,
    "max_concentration_percent": AMOUNT,
    "max_daily_loss": AMOUNT,
    "max_daily_drawdown_percent": SMALL,
    "max_drawdown_percent": SMALL,
    "loss_action": st.sampled_from(LossAction),
    "order_rate": st.none() | RATE,
    "replace_rate": st.none() | RATE,
    "cancel_rate": st.none() | RATE,
    "repeated_execution": st.none() | RATE,
    "duplicate_window": SMALL,
    "self_match_action": st.sampled_from(SelfMatchAction),
    "restricted_symbols": SYMBOLS,
    "allowed_symbols": SYMBOLS,
    "short_selling": st.booleans(),
    "reduce_only": st.booleans(),
    "trading_hours_only": st.booleans(),
    "max_short_quantity": AMOUNT,
    "max_quote_age": SMALL,
    "warn_at_percent": SMALL,
}
PROFILES = st.builds(RiskProfile, st.just(""), **KINDS)


@st.composite
def with_few_limits(draw: st.DrawFn) -> RiskProfile:
    """So few that many an order passes."""
    names = draw(st.sets(st.sampled_from(list(KINDS)), max_size=3))
    return RiskProfile("", **{name: draw(KINDS[name]) for name in names})


def test_every_field_is_chosen_or_the_accounts_own() -> None:
    assert {field.name for field in fields(RiskProfile)} == KINDS.keys() | OWN


@given(PROFILES, PROFILES)
def test_it_is_the_same_whichever_way_round(a: RiskProfile, b: RiskProfile) -> None:
    one, other = stricter(a, b), stricter(b, a)
    assume(a.limits_losses or b.limits_losses)
    assert replace(one, symbol_limits=()) == replace(other, symbol_limits=())
    assert set(one.symbol_limits) == set(other.symbol_limits)


@given(PROFILES)
def test_without_a_ceiling_and_against_itself_a_profile_stays_as_it_is(profile: RiskProfile) -> None:
    same = replace(profile, symbol_limits=tuple(sorted(profile.symbol_limits, key=lambda limits: limits.symbol)))
    assert stricter(same, same) == stricter(same, NO_CEILING) == same


@given(PROFILES, PROFILES)
def test_what_is_applied_is_above_neither_of_the_two(a: RiskProfile, b: RiskProfile) -> None:
    strict = stricter(a, b)
    assert above_ceiling(strict, a) == above_ceiling(strict, b) == []


@given(
    with_few_limits(),
    with_few_limits(),
    st.builds(
        order,
        st.sampled_from(Side),
        st.integers(1, 200),
        st.none() | st.integers(48, 53),
        symbol=st.sampled_from(["ACME", "OTHER"]),
        reduce_only=st.booleans(),
    ),
    st.integers(-100, 100),
    st.integers(0, 6),
)
def test_what_passes_the_applied_limits_passes_either_profile(
    a: RiskProfile, b: RiskProfile, terms: Any, held: int, open_orders: int
) -> None:
    def judged(profile: RiskProfile) -> bool:
        around = Around(20_000, {"ACME": held})
        facts: dict[str, Any] = {"window": (D(49), D(51)), "open_orders": open_orders}
        return passes(situation(terms, around=around, limits=profile, rate_tokens=D(1), **facts))

    if judged(stricter(a, b)):
        assert judged(a)
        assert judged(b)


@given(RATE, RATE, st.integers(1, 2_000))
def test_the_stricter_rate_lets_no_more_through_in_any_time_than_either(
    a: RateLimit, b: RateLimit, tenths: int
) -> None:
    chosen, seconds = stricter_rate(a, b), D(tenths) / 10
    for limit in (a, b):
        assert chosen.count <= limit.count
        assert (
            chosen.count + chosen.count * seconds / chosen.period <= limit.count + limit.count * seconds / limit.period
        )


def test_a_small_bucket_and_a_slow_one_make_a_small_slow_one() -> None:
    assert stricter_rate(RateLimit(10, D(1)), RateLimit(100, D(60))) == RateLimit(10, D(6))
    assert stricter_rate(RateLimit(1, D(1)), RateLimit(3, D(10))) == RateLimit(1, D("3.333333334"))


def test_nothing_is_allowed_where_the_account_and_the_firm_allow_different_symbols() -> None:
    own = RiskProfile("acct", allowed_symbols=frozenset({"ACME"}))
    strict = stricter(own, replace(NO_CEILING, allowed_symbols=frozenset({"OTHER"})))
    assert strict.allowed_symbols == NOTHING_ALLOWED
    assert not passes(situation(order(), limits=strict))
    assert not passes(situation(order(symbol="OTHER"), limits=strict))


@pytest.mark.parametrize(
    ("own", "firm", "counts"),
    [
        (LossAction.NOTIFY, LossAction.HALT, LossAction.HALT),
        (LossAction.FLATTEN, LossAction.REDUCE, LossAction.FLATTEN),
        (LossAction.NOTIFY, None, LossAction.NOTIFY),
        (None, LossAction.NOTIFY, LossAction.NOTIFY),
    ],
)
def test_the_more_severe_action_counts_of_those_who_limit_losses(
    own: LossAction | None, firm: LossAction | None, counts: LossAction
) -> None:
    """None: no loss limit, and the action that a profile has by default."""

    def of(action: LossAction | None) -> dict[str, Any]:
        return {} if action is None else {"loss_action": action, "max_daily_loss": D(100)}

    assert stricter(RiskProfile("acct", **of(own)), replace(NO_CEILING, **of(firm))).loss_action is counts


def test_an_account_that_says_nothing_of_own_orders_rejects_them_whatever_the_firm_lets_pass() -> None:
    lax = replace(NO_CEILING, self_match_action=SelfMatchAction.ALLOW)
    assert applied(RiskProfile("acct"), lax).self_match_action is SelfMatchAction.REJECT
    own = RiskProfile("acct", self_match_action=SelfMatchAction.ALLOW)
    assert applied(own, NO_CEILING).self_match_action is SelfMatchAction.ALLOW


def test_of_two_ceilings_of_which_one_says_nothing_of_own_orders_the_other_counts() -> None:
    canceling = replace(NO_CEILING, self_match_action=SelfMatchAction.CANCEL_RESTING)
    assert stricter(NO_CEILING, canceling).self_match_action is SelfMatchAction.CANCEL_RESTING
    assert stricter(canceling, NO_CEILING).self_match_action is SelfMatchAction.CANCEL_RESTING


def test_the_days_start_and_the_buffer_are_the_accounts_own() -> None:
    own = RiskProfile("acct", version=7, day_start=D(3600), market_order_buffer=D("0.01"))
    strict = stricter(own, replace(NO_CEILING, version=3, day_start=D(7200)))
    assert (strict.account_id, strict.version) == ("acct", 7)
    assert (strict.day_start, strict.market_order_buffer) == (D(3600), D("0.01"))


# -- above the ceiling -----------------------------------------------------------------------------------

SYMBOL = "symbol_limits[ACME].max_position_quantity"


@pytest.mark.parametrize(
    ("field", "ceiling", "above", "told"),
    [
        ("max_order_quantity", D(500), D(501), ("MAX_ORDER_QUANTITY", "501", "500")),
        ("max_leverage", D(2), D("2.1"), ("MAX_LEVERAGE", "2.1", "2")),
        ("price_collar_ticks", 3, 4, ("PRICE_COLLAR_TICKS", "4", "3")),
        ("max_quote_age", D(5), D(6), ("QUOTE_FRESH", "6", "5")),
        ("duplicate_window", D(5), D(4), ("DUPLICATE_ORDER", "4", "5")),
        ("order_rate", RateLimit(5, D(1)), RateLimit(6, D(2)), ("ORDER_RATE", "6 in 2 s", "5 in 1 s")),
        ("order_rate", RateLimit(5, D(1)), RateLimit(5, D("0.9")), ("ORDER_RATE", "5 in 0.9 s", "5 in 1 s")),
        (
            "price_collar_window",
            PriceCollarWindow(D(5), D(60)),
            PriceCollarWindow(D(5), D(61)),
            ("PRICE_COLLAR_WINDOW", "5 % of 61 s", "5 % of 60 s"),
        ),
        (
            "self_match_action",
            SelfMatchAction.REJECT,
            SelfMatchAction.ALLOW,
            ("SELF_MATCH", "ALLOW", "REJECT"),
        ),
        (
            "allowed_symbols",
            frozenset({"ACME"}),
            frozenset({"ACME", "OTHER"}),
            ("ALLOWED_SYMBOL", "ACME, OTHER", "ACME"),
        ),
        ("short_selling", False, True, ("SHORT_SELLING", "true", "false")),
        (
            "symbol_limits",
            (SymbolLimits("ACME", max_position_quantity=D(5)),),
            (SymbolLimits("ACME", max_position_quantity=D(6)), SymbolLimits("OTHER", D(900))),
            ("MAX_POSITION", "6", "5"),
        ),
    ],
)
def test_a_limit_at_the_ceiling_is_not_above_it_and_one_beyond_it_is(
    field: str, ceiling: Any, above: Any, told: tuple[str, str, str]
) -> None:
    firm = replace(NO_CEILING, **{field: ceiling})
    own = RiskProfile("acct", short_selling=False, max_leverage=D(1), max_quote_age=D(1))
    assert above_ceiling(replace(own, **{field: ceiling}), firm) == []
    [violation] = above_ceiling(replace(own, **{field: above}), firm)
    assert (violation.rule, violation.value, violation.limit) == told
    subjects = {"short_selling": "allow_short_selling", "symbol_limits": SYMBOL}
    assert violation.subject == subjects.get(field, field)
    assert violation.description.startswith(f"{violation.subject}: ")


def test_what_is_off_is_not_above_a_ceiling() -> None:
    unset: dict[str, Any] = {name: None for name, kind in KINDS.items() if name.startswith("max_")}
    own = RiskProfile("acct", short_selling=False, **unset)
    nothing: dict[str, Any] = dict.fromkeys(unset, ZERO)
    firm = replace(NO_CEILING, **nothing, allowed_symbols=frozenset({"ACME"}))
    assert above_ceiling(own, firm) == []
    assert stricter(own, firm).max_order_quantity == 0
