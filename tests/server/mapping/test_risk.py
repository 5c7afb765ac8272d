"""Risk profiles between contract and domain."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidArgument, Violation
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.value_objects.limits import (
    LimitUse,
    LossAction,
    PriceCollarWindow,
    RateLimit,
    SelfMatchAction,
    SymbolLimits,
)
from domain.risk.value_objects.trading_state import TradingState
from quantmesh.risk.v1 import risk_profile_pb2 as pb
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateFirmRiskProfileRequest, UpdateRiskProfileRequest
from quantmesh.type.v1 import trading_state_pb2
from server.interceptors.validation import invalid
from server.mapping.risk import (
    contract_path,
    limit_reached_message,
    profile_changes,
    profile_message,
    violation_message,
)

D = Decimal
AT = datetime(2025, 6, 2, 14, 30, 0, 123456, tzinfo=UTC)

OUTPUT_ONLY = ("account_id", "version", "updated_time", "updated_by", "trading_state")
PATHS = [field.name for field in pb.RiskProfile.DESCRIPTOR.fields if field.name not in OUTPUT_ONLY]
NAMES = {field.name for field in fields(RiskProfile)} - set(OUTPUT_ONLY)
# What no field of the contract's sets: it is as the account was made.
FIXED = {"max_short_quantity", "market_order_buffer"}

amounts = st.decimals(0, 10**20 - 1, places=18)
percents = st.decimals("0.000000000000000001", 100, places=18)
seconds = st.decimals("0.001", "86399.999999999", places=9)
symbols = st.sampled_from(["ACME", "BOLT", "EUR/USD"])
symbol_limits = st.builds(SymbolLimits, symbols, *[st.none() | amounts] * 4)

# By a field's name, or else by its type.
MADE: Mapping[Any, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("day_start", "duplicate_window", "max_quote_age"), seconds),
    **dict.fromkeys(("price_collar_percent", "warn_at_percent"), percents),
    **dict.fromkeys(("max_daily_drawdown_percent", "max_drawdown_percent"), percents),
    "max_daily_loss": amounts.filter(bool),
    Decimal: amounts,
    int: st.integers(0, 1_000_000),
    bool: st.booleans(),
    LossAction: st.sampled_from(LossAction),
    SelfMatchAction: st.sampled_from(SelfMatchAction),
    RateLimit: st.builds(RateLimit, st.integers(1, 1_000_000), seconds),
    PriceCollarWindow: st.builds(PriceCollarWindow, percents, st.decimals(1, 3_600, places=9)),
    frozenset[str]: st.frozensets(symbols),
    tuple[SymbolLimits, ...]: st.lists(symbol_limits, max_size=2, unique_by=lambda of: of.symbol).map(tuple),
}


def profiles(account_id: str) -> st.SearchStrategy[RiskProfile]:
    """Any profile that the contract can show."""
    types = get_type_hints(RiskProfile)
    made = {}
    for name in NAMES - FIXED:
        kind, optional = _without_none(types[name])
        value = MADE[name if name in MADE else kind]
        made[name] = value | st.none() if optional else value
    return st.builds(RiskProfile, st.just(account_id), st.integers(1, 9), st.just(AT), st.just("user:a"), **made)


def _without_none(kind: Any) -> tuple[Any, bool]:
    if get_origin(kind) is not UnionType:
        return kind, False
    [inner] = [part for part in get_args(kind) if part is not type(None)]
    return inner, True


def update(profile: pb.RiskProfile | None = None, *paths: str) -> UpdateRiskProfileRequest:
    mask = FieldMask(paths=paths) if paths else None
    return UpdateRiskProfileRequest(account_id="desk", risk_profile=profile or pb.RiskProfile(), update_mask=mask)


def firm_update(profile: pb.RiskProfile | None = None, *paths: str) -> UpdateFirmRiskProfileRequest:
    mask = FieldMask(paths=paths) if paths else None
    return UpdateFirmRiskProfileRequest(risk_profile=profile or pb.RiskProfile(), update_mask=mask, reason="because")


# -- both ways ---------------------------------------------------------------------------------------------


@given(profile=profiles("desk"))
def test_an_accounts_profile_survives_the_way_out_and_in_again(profile: RiskProfile) -> None:
    request = update(profile_message(profile, TradingState.ACTIVE), "*")
    assert invalid(request) is None
    others = RiskProfile(
        "desk", profile.version, AT, "user:a", max_order_quantity=D(7), restricted_symbols=frozenset("X")
    )
    assert replace(others, **profile_changes(request)) == profile


@given(profile=profiles(""))
def test_the_firms_ceiling_survives_the_way_out_and_in_again(profile: RiskProfile) -> None:
    request = firm_update(profile_message(profile, TradingState.HALTED), "*")
    assert invalid(request) is None
    assert replace(RiskProfile("", profile.version, AT, "user:a"), **profile_changes(request)) == profile


@given(profile=profiles("desk"))
def test_without_a_mask_a_profile_as_it_was_shown_turns_nothing_on_or_off(profile: RiskProfile) -> None:
    assert replace(profile, **profile_changes(update(profile_message(profile, None)))) == profile


def test_every_field_of_the_contract_sets_a_field_of_the_domain_and_none_is_left_over() -> None:
    assert len(PATHS) > 30
    changed = [name for path in PATHS for name in profile_changes(update(None, path))]
    assert sorted(changed) == sorted(NAMES - FIXED)
    assert set(profile_changes(update(None, "*"))) == set(changed)
    assert [contract_path(name) for name in changed] == PATHS


def test_what_only_the_server_sets_is_shown() -> None:
    shown = profile_message(RiskProfile("desk", 3, AT, "user:a"), TradingState.REDUCING)
    assert (shown.account_id, shown.version, shown.updated_by) == ("desk", 3, "user:a")
    assert shown.updated_time == Timestamp(seconds=int(AT.timestamp()), nanos=123_456_000)
    assert shown.trading_state == trading_state_pb2.TRADING_STATE_REDUCING


def test_a_limit_that_is_off_is_unset_and_what_is_always_in_force_is_shown() -> None:
    shown = profile_message(RiskProfile("", max_leverage=None, max_quote_age=None), None)
    assert {field.name for field, _ in shown.ListFields()} == {
        "version",
        "loss_action",
        "day_start",
        "allow_short_selling",
        "reduce_only",
        "trading_hours_only",
    }


# -- unset, and update_mask --------------------------------------------------------------------------------


def test_unset_is_off_but_for_what_the_contract_gives_a_default() -> None:
    absent = profile_changes(update(None, "*"))
    assert {name: value for name, value in absent.items() if value is not None} == {
        "symbol_limits": (),
        "loss_action": LossAction.REDUCE,
        "day_start": D(0),
        "restricted_symbols": frozenset(),
        "allowed_symbols": frozenset(),
        "short_selling": False,
        "reduce_only": False,
        "trading_hours_only": False,
    }


@pytest.mark.parametrize(
    ("profile", "paths", "changes"),
    [
        (pb.RiskProfile(), [], {}),
        (pb.RiskProfile(max_open_orders=0), [], {"max_open_orders": 0}),
        (pb.RiskProfile(reduce_only=False), [], {"reduce_only": False}),
        (pb.RiskProfile(day_start=Duration()), [], {"day_start": D(0)}),
        (pb.RiskProfile(restricted_symbols=["A"]), [], {"restricted_symbols": frozenset({"A"})}),
        (pb.RiskProfile(account_id="z", version=9, updated_by="me", max_leverage="2"), [], {"max_leverage": D(2)}),
        (pb.RiskProfile(max_leverage="2", max_open_orders=1), ["max_open_orders"], {"max_open_orders": 1}),
        (pb.RiskProfile(max_leverage="2"), ["max_open_orders"], {"max_open_orders": None}),
        (pb.RiskProfile(), ["symbol_limits"], {"symbol_limits": ()}),
        (pb.RiskProfile(), ["restricted_symbols"], {"restricted_symbols": frozenset()}),
        (pb.RiskProfile(), ["price_collar_window"], {"price_collar_window": None}),
        (pb.RiskProfile(), ["order_rate", "order_rate"], {"order_rate": None}),
        (pb.RiskProfile(), ["loss_action"], {"loss_action": LossAction.REDUCE}),
    ],
)
def test_what_a_request_changes(profile: pb.RiskProfile, paths: list[str], changes: dict[str, Any]) -> None:
    assert profile_changes(update(profile, *paths)) == changes


def test_a_star_names_every_field_whatever_else_is_named() -> None:
    profile = pb.RiskProfile(max_order_quantity="5")
    assert profile_changes(update(profile, "*", "max_leverage")) == profile_changes(update(profile, "*"))


@pytest.mark.parametrize(
    ("path", "says"),
    [
        *((path, f"'{path}' is output only") for path in OUTPUT_ONLY),
        ("max_leverage.x", "'max_leverage.x' is no field of RiskProfile"),
        ("price_collar_window.percent", "'price_collar_window.percent' is no field of RiskProfile"),
        ("short_selling", "'short_selling' is no field of RiskProfile"),
        ("", "'' is no field of RiskProfile"),
    ],
)
def test_a_path_that_cannot_be_changed_is_refused(path: str, says: str) -> None:
    for paths in ([path], ["max_leverage", path], ["*", path]):
        for request in (update(None, *paths), firm_update(None, *paths)):
            with pytest.raises(InvalidArgument) as refused:
                profile_changes(request)
            assert (refused.value.field, refused.value.rule) == ("update_mask.paths", says)


# -- what rules say ----------------------------------------------------------------------------------------


def test_a_violation_is_a_rule_that_failed_with_its_value_and_limit() -> None:
    shown = violation_message(Violation("MAX_OPEN_ORDERS", "c-1", "4 orders, limit 3", "4", "3", "orders"))
    assert (shown.rule, shown.passed, shown.message) == ("MAX_OPEN_ORDERS", False, "4 orders, limit 3")
    assert (shown.value, shown.limit, shown.unit) == ("4", "3", "orders")


def test_a_limit_that_is_nearly_reached_has_not_failed() -> None:
    shown = limit_reached_message(LimitUse("MAX_POSITION", "ACME", D("80.0"), D(100), "units", D(80)))
    assert (shown.rule, shown.passed, shown.value, shown.limit) == ("MAX_POSITION", True, "80", "100")
    assert shown.message == "80 % of the limit of ACME is used"
