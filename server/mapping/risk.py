"""Risk profiles, and what the rules say about an order."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from application.trading.placement import CheckedOrder
from domain.errors import InvalidArgument
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.pre_trade_check import RuleResult
from quantmesh.risk.v1 import risk_profile_pb2, risk_profile_update_pb2
from quantmesh.type.v1 import rule_result_pb2, trading_state_pb2
from server.mapping.common import (
    decimal_or_empty,
    from_duration,
    settled_or_empty,
    to_duration,
    to_optional_timestamp,
)


class _Limit(NamedTuple):
    """A field of the contract's profile and the one of the domain's that it sets; `unset` is the absent field's."""

    name: str
    into: Callable[[Any], Any]
    out: Callable[[Any], Any]
    unset: Any


_LIMITS: Final[dict[str, _Limit]] = {
    "max_order_quantity": _Limit("max_order_quantity", Decimal, decimal_or_empty, None),
    "max_order_notional": _Limit("max_order_notional", Decimal, decimal_or_empty, None),
    "max_leverage": _Limit("max_leverage", Decimal, decimal_or_empty, Decimal(1)),
    "allow_short_selling": _Limit("short_selling", bool, bool, False),
    "max_quote_age": _Limit("max_quote_age", from_duration, to_duration, Decimal(60)),
}
_OUTPUT_ONLY: Final = frozenset({"account_id", "version", "updated_time", "updated_by", "trading_state"})
_FIELDS: Final = frozenset(risk_profile_pb2.RiskProfile.DESCRIPTOR.fields_by_name)

# How the contract spells the domain's fields.
CONTRACT_PATHS: Final = {limit.name: path for path, limit in _LIMITS.items()}


def profile_message(profile: RiskProfile) -> risk_profile_pb2.RiskProfile:
    """The profile; a limit that is off is unset."""
    limits = {path: getattr(profile, limit.name) for path, limit in _LIMITS.items()}
    return risk_profile_pb2.RiskProfile(
        account_id=profile.account_id,
        version=profile.version,
        updated_time=to_optional_timestamp(profile.updated_time),
        trading_state=trading_state_pb2.TRADING_STATE_ACTIVE,
        **{path: _LIMITS[path].out(value) for path, value in limits.items() if value is not None},
    )


def profile_changes(request: risk_profile_update_pb2.UpdateRiskProfileRequest) -> Mapping[str, Any]:
    """What the request changes, by field of the domain's profile; InvalidArgument for a path that it can't."""
    profile = request.risk_profile
    given = {field.name for field, _ in profile.ListFields()} - _OUTPUT_ONLY
    named = list(request.update_mask.paths)
    if named and named != ["*"]:
        for path in named:
            _require(path, "update_mask.paths", f"{path!r} ")
        paths = named
    else:
        for path in sorted(given):
            _require(path, f"risk_profile.{path}")
        paths = sorted(_LIMITS if named else given)
    return {_LIMITS[path].name: _new_value(profile, path) for path in paths}


def _new_value(profile: risk_profile_pb2.RiskProfile, path: str) -> Any:
    limit = _LIMITS[path]
    return limit.into(getattr(profile, path)) if profile.HasField(path) else limit.unset  # type: ignore[arg-type]  # a path


def _require(path: str, field: str, subject: str = "") -> None:
    """Raise InvalidArgument about `field` unless `path` is a limit that this server has."""
    if path in _OUTPUT_ONLY:
        raise InvalidArgument(field, f"{subject}is output only")
    if path not in _FIELDS:
        raise InvalidArgument(field, f"{subject}is no field of RiskProfile")
    if path not in _LIMITS:
        raise InvalidArgument(field, f"{subject}is not supported by this server yet")


def rule_message(result: RuleResult) -> rule_result_pb2.RuleResult:
    return rule_result_pb2.RuleResult(
        rule=result.rule,
        passed=result.passed,
        value=_shown(result.value),
        limit=_shown(result.limit),
        unit=result.unit,
        message=result.message,
    )


def _shown(value: Decimal | str | None) -> str:
    return value if isinstance(value, str) else settled_or_empty(value)


def margin_message(check: CheckedOrder) -> rule_result_pb2.MarginImpact | None:
    """The margin without and with the order; None when it can't be told."""
    before, after = check.before, check.buying_power_after
    if before is None or after is None:
        return None
    added = before.buying_power - after
    return rule_result_pb2.MarginImpact(
        currency=check.base_currency,
        margin_used_before=settled_or_empty(before.used),
        margin_used_after=settled_or_empty(before.used + added),
        buying_power_before=settled_or_empty(before.buying_power),
        buying_power_after=settled_or_empty(after),
    )


def check_message(check: CheckedOrder) -> rule_result_pb2.OrderCheck:
    return rule_result_pb2.OrderCheck(
        passed=check.passed,
        results=map(rule_message, check.results),
        margin=margin_message(check),
        sequence=check.sequence,
    )
