"""Limits and checks over the wire."""

from dataclasses import replace
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from application.risk.controls import NO_CEILING
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import of_account
from domain.risk.value_objects.trading_state import TradingState
from quantmesh.risk.v1.order_check_pb2 import CheckOrderRequest
from quantmesh.risk.v1.risk_profile_pb2 import (
    LOSS_ACTION_FLATTEN,
    SELF_MATCH_ACTION_CANCEL_RESTING,
    SELF_MATCH_ACTION_REJECT,
    GetRiskProfileRequest,
    PriceCollarWindow,
    RateLimit,
    RiskProfile,
    SymbolLimits,
)
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateRiskProfileRequest
from quantmesh.trading.v1.order_query_pb2 import ListOrderEventsRequest
from quantmesh.type.v1 import trading_state_pb2
from tests.server.rig import ACCOUNT, Rig, limit, refusal, scripted
from tests.support.trading import START, D

CODE = grpc.StatusCode


async def profile(rig: Rig) -> RiskProfile:
    return (await rig.client.risk.GetRiskProfile(GetRiskProfileRequest(account_id=ACCOUNT))).risk_profile


async def effective(rig: Rig) -> RiskProfile:
    return (await rig.client.risk.GetRiskProfile(GetRiskProfileRequest(account_id=ACCOUNT))).effective_risk_profile


async def update(rig: Rig, changed: RiskProfile | None = None, *paths: str, **more: Any) -> RiskProfile:
    answer = await rig.client.risk.UpdateRiskProfile(_request(changed, *paths, **more))
    return answer.risk_profile


def _request(changed: RiskProfile | None, *paths: str, **more: Any) -> UpdateRiskProfileRequest:
    mask = FieldMask(paths=paths) if paths else None
    return UpdateRiskProfileRequest(account_id=ACCOUNT, risk_profile=changed or RiskProfile(), update_mask=mask, **more)


async def test_a_new_account_has_the_default_limits() -> None:
    async with scripted() as rig:
        limits = await profile(rig)
        assert (limits.account_id, limits.version, limits.max_leverage) == (ACCOUNT, 1, "1")
        assert limits.trading_state == trading_state_pb2.TRADING_STATE_ACTIVE
        assert not limits.HasField("max_order_quantity")
        assert limits.HasField("max_quote_age")
        assert not limits.self_match_action
        assert (await effective(rig)).self_match_action == SELF_MATCH_ACTION_REJECT


async def test_without_a_mask_the_fields_that_are_set_change() -> None:
    async with scripted() as rig:
        changed = await update(
            rig,
            RiskProfile(max_order_quantity="50", allow_short_selling=False, max_quote_age=Duration(nanos=500_000_000)),
        )
        assert (changed.version, changed.max_order_quantity) == (2, "50")
        assert changed.HasField("allow_short_selling")
        assert not changed.allow_short_selling
        assert changed.max_quote_age == Duration(nanos=500_000_000)
        assert changed == await profile(rig)


async def test_a_mask_changes_what_it_names_and_unsets_what_is_unset() -> None:
    async with scripted() as rig:
        await update(rig, RiskProfile(max_order_quantity="50", max_order_notional="1000"))
        values = RiskProfile(max_order_notional="2000", max_leverage="3")
        changed = await update(rig, values, "max_order_quantity", "max_order_notional")
        assert not changed.HasField("max_order_quantity")
        assert (changed.max_order_notional, changed.max_leverage) == ("2000", "1")


async def test_a_star_names_every_field() -> None:
    async with scripted() as rig:
        await update(rig, RiskProfile(max_order_quantity="50", max_leverage="4"))
        changed = await update(rig, RiskProfile(max_order_notional="1000"), "*")
        assert (changed.max_order_notional, changed.max_leverage) == ("1000", "1")
        assert changed.max_quote_age == Duration(seconds=60)
        assert not changed.HasField("max_order_quantity")
        assert not changed.allow_short_selling


async def test_a_repeated_field_is_replaced_whole() -> None:
    async with scripted() as rig:
        await update(rig, RiskProfile(restricted_symbols=["X", "ACME"], symbol_limits=[SymbolLimits(symbol="ACME")]))
        changed = await update(rig, RiskProfile(restricted_symbols=["BOLT"]), "restricted_symbols")
        assert list(changed.restricted_symbols) == ["BOLT"]
        assert [limits.symbol for limits in changed.symbol_limits] == ["ACME"]
        changed = await update(rig, RiskProfile(), "restricted_symbols", "symbol_limits")
        assert not changed.restricted_symbols
        assert not changed.symbol_limits


async def test_every_limit_can_be_set_and_is_shown_as_it_was_set() -> None:
    async with scripted() as rig:
        wanted = RiskProfile(
            max_order_quantity="1.5",
            price_collar_percent="2.25",
            price_collar_ticks=7,
            price_collar_window=PriceCollarWindow(percent="5", window=Duration(seconds=60)),
            max_open_orders=0,
            symbol_limits=[SymbolLimits(symbol="BOLT", max_position_quantity="3"), SymbolLimits(symbol="ACME")],
            loss_action=LOSS_ACTION_FLATTEN,
            day_start=Duration(seconds=79_200),
            order_rate=RateLimit(count=10, period=Duration(nanos=1_500_000)),
            self_match_action=SELF_MATCH_ACTION_CANCEL_RESTING,
            allowed_symbols=["ACME", "BOLT"],
            trading_hours_only=True,
            warn_at_percent="80",
        )
        changed = await update(rig, wanted)
        for field, value in wanted.ListFields():
            assert getattr(changed, field.name) == value
        assert changed == await profile(rig)
        assert (changed.updated_by, changed.version) == ("user:anonymous", 2)


# -- the firm above it -------------------------------------------------------------------------------------


async def test_a_limit_above_the_firms_is_refused_with_a_violation_for_each_and_changes_nothing() -> None:
    async with scripted() as rig:
        rig.engine.controls.put(replace(NO_CEILING, max_order_quantity=D(10), max_open_orders=3))
        wanted = RiskProfile(max_order_quantity="10.5", max_open_orders=4, max_order_notional="1")
        refused = await refusal(rig.client.risk.UpdateRiskProfile(_request(wanted)))
        assert (refused.code, refused.reason) == (CODE.FAILED_PRECONDITION, "LIMIT_ABOVE_CEILING")
        assert sorted(refused.rules) == ["MAX_OPEN_ORDERS", "MAX_ORDER_QUANTITY"]
        assert (await profile(rig)).version == 1
        assert (await update(rig, RiskProfile(max_order_quantity="10", max_open_orders=3))).version == 2


async def test_what_is_applied_is_the_stricter_of_both() -> None:
    async with scripted() as rig:
        await update(rig, RiskProfile(max_order_quantity="10", max_open_orders=9))
        rig.engine.controls.put(replace(NO_CEILING, max_order_quantity=D(50), max_open_orders=3))
        own, applied = await profile(rig), await effective(rig)
        assert (own.max_order_quantity, own.max_open_orders) == ("10", 9)
        assert (applied.max_order_quantity, applied.max_open_orders) == ("10", 3)
        assert (applied.account_id, applied.version) == (ACCOUNT, 2)


async def test_the_trading_state_of_the_account_is_shown_by_every_profile() -> None:
    async with scripted() as rig:
        halted = ScopedTradingState(of_account(ACCOUNT), TradingState.HALTED, 1, "drill", "user:risk", START)
        rig.engine.controls.put(halted)
        shown = [await profile(rig), await effective(rig), await update(rig, RiskProfile(max_open_orders=3))]
        assert {limits.trading_state for limits in shown} == {trading_state_pb2.TRADING_STATE_HALTED}


# -- refusals ----------------------------------------------------------------------------------------------


async def test_a_change_is_journaled_by_the_contracts_paths_and_in_force_at_once() -> None:
    async with scripted() as rig:
        answer = await rig.client.risk.UpdateRiskProfile(
            _request(RiskProfile(allow_short_selling=False, max_order_quantity="50"))
        )
        events = (await rig.client.orders.ListOrderEvents(ListOrderEventsRequest(account_id=ACCOUNT))).events
        assert events[-1].sequence == answer.sequence == 2
        told = events[-1].risk_profile_updated
        assert (told.version, sorted(told.paths)) == (2, ["allow_short_selling", "max_order_quantity"])
        refused = await refusal(rig.place())
        assert refused.rules == ["MAX_ORDER_QUANTITY"]


async def test_a_change_of_an_older_version_is_aborted_and_changes_nothing() -> None:
    async with scripted() as rig:
        await update(rig, RiskProfile(max_order_quantity="50"), expected_version=1)
        late = _request(RiskProfile(max_order_quantity="60"), expected_version=1)
        refused = await refusal(rig.client.risk.UpdateRiskProfile(late))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")
        assert refused.metadata == {"expected_version": "1", "current_version": "2"}
        assert (await profile(rig)).max_order_quantity == "50"


@pytest.mark.parametrize(
    ("changed", "paths", "field", "says"),
    [
        (RiskProfile(), ["version"], "update_mask.paths", "'version' is output only"),
        (RiskProfile(), ["max_leverage.x"], "update_mask.paths", "'max_leverage.x' is no field"),
        (RiskProfile(), ["*", "updated_by"], "update_mask.paths", "'updated_by' is output only"),
        (RiskProfile(max_leverage="-1"), [], "risk_profile.max_leverage", "must be"),
        (RiskProfile(symbol_limits=[SymbolLimits()]), [], "risk_profile.symbol_limits[0].symbol", "value is required"),
    ],
)
async def test_a_field_that_cannot_be_changed_is_refused_by_name(
    changed: RiskProfile, paths: list[str], field: str, says: str
) -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.risk.UpdateRiskProfile(_request(changed, *paths)))
        assert (refused.code, list(refused.fields)) == (CODE.INVALID_ARGUMENT, [field])
        assert says in refused.fields[field]
        assert (await profile(rig)).version == 1


async def test_output_only_fields_of_the_profile_are_ignored() -> None:
    async with scripted() as rig:
        changed = await update(rig, RiskProfile(account_id="z", version=9, max_order_quantity="5"))
        assert (changed.account_id, changed.version, changed.max_order_quantity) == (ACCOUNT, 2, "5")


async def test_checking_an_order_names_every_rule_and_places_nothing() -> None:
    async with scripted() as rig:
        await update(rig, RiskProfile(max_order_quantity="50"))
        answer = await rig.client.risk.CheckOrder(CheckOrderRequest(account_id=ACCOUNT, order=limit()))
        results = {result.rule: result for result in answer.results}
        assert not answer.passed
        assert not results["MAX_ORDER_QUANTITY"].passed
        assert (results["MAX_ORDER_QUANTITY"].value, results["MAX_ORDER_QUANTITY"].limit) == ("100", "50")
        assert results["BUYING_POWER"].passed
        assert (results["BUYING_POWER"].value, results["BUYING_POWER"].unit) == ("5000", "USD")
        assert (answer.sequence, answer.margin.buying_power_after) == (2, "995000")
        again = await rig.client.risk.CheckOrder(CheckOrderRequest(account_id=ACCOUNT, order=limit(quantity="50")))
        assert again.passed


async def test_an_order_without_a_price_to_hold_it_against_fails_and_has_no_margin() -> None:
    async with scripted() as rig:
        rig.quotes.remove("ACME")
        answer = await rig.client.risk.CheckOrder(CheckOrderRequest(account_id=ACCOUNT, order=limit()))
        assert not answer.passed
        assert next(result.rule for result in answer.results if not result.passed) == "QUOTE_PRESENT"
        assert not answer.HasField("margin")


@pytest.mark.parametrize(
    ("rpc", "request_of"),
    [
        ("GetRiskProfile", lambda account: GetRiskProfileRequest(account_id=account)),
        ("UpdateRiskProfile", lambda account: UpdateRiskProfileRequest(account_id=account, risk_profile=RiskProfile())),
        ("CheckOrder", lambda account: CheckOrderRequest(account_id=account, order=limit())),
    ],
)
async def test_an_unknown_account_is_denied(rpc: str, request_of: Any) -> None:
    async with scripted() as rig:
        denied = await refusal(getattr(rig.client.risk, rpc)(request_of("nobody")))
        assert (denied.code, denied.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
        malformed = await refusal(getattr(rig.client.risk, rpc)(request_of("")))
        assert list(malformed.fields) == ["account_id"]
