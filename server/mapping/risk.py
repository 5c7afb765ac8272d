"""Risk profiles, and what the rules say about an order."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from application.trading.examination import CheckedOrder
from domain.decimals import plain
from domain.errors import InvalidArgument, Violation
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.pre_trade_check import RuleResult
from domain.risk.value_objects.limits import (
    LimitUse,
    LossAction,
    PriceCollarWindow,
    RateLimit,
    SelfMatchAction,
    SymbolLimits,
)
from domain.risk.value_objects.trading_state import TradingState
from quantmesh.risk.v1 import risk_profile_pb2, risk_profile_update_pb2
from quantmesh.type.v1 import rule_result_pb2, trading_state_pb2
from server.mapping.common import (
    enum_table,
    from_duration,
    optional_enum_table,
    reversed_table,
    settled_or_empty,
    to_duration,
    to_optional_timestamp,
)

# None is a state that is not said.
TRADING_STATES: Final = optional_enum_table(trading_state_pb2.TradingState, TradingState, "TRADING_STATE")
TRADING_STATE_OF: Final = reversed_table(enum_table(trading_state_pb2.TradingState, TradingState, "TRADING_STATE"))
_LOSS_ACTIONS: Final = enum_table(risk_profile_pb2.LossAction, LossAction, "LOSS_ACTION")
_SELF_MATCH_ACTIONS: Final = enum_table(risk_profile_pb2.SelfMatchAction, SelfMatchAction, "SELF_MATCH_ACTION")

_SYMBOL_LIMITS: Final = ("max_order_quantity", "max_order_notional", "max_position_quantity", "max_position_notional")


# -- profiles ----------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """How a field of the contract's profile becomes the domain's, and back; `unset` is what an absent one is."""

    into: Callable[[Any], Any]
    out: Callable[[Any], Any]
    unset: Any = None


def _rate_message(rate: RateLimit) -> risk_profile_pb2.RateLimit:
    return risk_profile_pb2.RateLimit(count=rate.count, period=to_duration(rate.period))


def _window_message(window: PriceCollarWindow) -> risk_profile_pb2.PriceCollarWindow:
    return risk_profile_pb2.PriceCollarWindow(percent=plain(window.percent), window=to_duration(window.seconds))


def _symbol_limits(message: risk_profile_pb2.SymbolLimits) -> SymbolLimits:
    given = {name: Decimal(getattr(message, name)) for name in _SYMBOL_LIMITS if message.HasField(name)}
    return SymbolLimits(message.symbol, **given)


def _symbol_limits_message(limits: SymbolLimits) -> risk_profile_pb2.SymbolLimits:
    values = {name: getattr(limits, name) for name in _SYMBOL_LIMITS}
    shown = {name: plain(value) for name, value in values.items() if value is not None}
    return risk_profile_pb2.SymbolLimits(symbol=limits.symbol, **shown)


_AMOUNT: Final = _Kind(Decimal, plain)
_COUNT: Final = _Kind(int, int)
_SECONDS: Final = _Kind(from_duration, to_duration)
_FLAG: Final = _Kind(bool, bool, False)
_RATE: Final = _Kind(lambda message: RateLimit(message.count, from_duration(message.period)), _rate_message)
_WINDOW: Final = _Kind(
    lambda message: PriceCollarWindow(Decimal(message.percent), from_duration(message.window)), _window_message
)
_SYMBOLS: Final = _Kind(frozenset, sorted, frozenset())
_BY_SYMBOL: Final = _Kind(
    lambda messages: tuple(map(_symbol_limits, messages)), lambda limits: map(_symbol_limits_message, limits), ()
)
_LOSS_ACTION: Final = _Kind(reversed_table(_LOSS_ACTIONS).__getitem__, _LOSS_ACTIONS.__getitem__, LossAction.REDUCE)
_SELF_MATCH_ACTION: Final = _Kind(reversed_table(_SELF_MATCH_ACTIONS).__getitem__, _SELF_MATCH_ACTIONS.__getitem__)

_FIELDS: Final[dict[str, _Kind]] = {
    "max_order_quantity": _AMOUNT,
    "max_order_notional": _AMOUNT,
    "price_collar_percent": _AMOUNT,
    "price_collar_ticks": _COUNT,
    "price_collar_window": _WINDOW,
    "max_open_orders": _COUNT,
    "max_position_quantity": _AMOUNT,
    "max_position_notional": _AMOUNT,
    "symbol_limits": _BY_SYMBOL,
    "max_gross_exposure": _AMOUNT,
    "max_net_exposure": _AMOUNT,
    "max_leverage": _AMOUNT,
    "max_concentration_percent": _AMOUNT,
    "max_daily_loss": _AMOUNT,
    "max_daily_drawdown_percent": _AMOUNT,
    "max_drawdown_percent": _AMOUNT,
    "loss_action": _LOSS_ACTION,
    "day_start": _SECONDS._replace(unset=Decimal(0)),
    "order_rate": _RATE,
    "replace_rate": _RATE,
    "cancel_rate": _RATE,
    "repeated_execution": _RATE,
    "duplicate_window": _SECONDS,
    "self_match_action": _SELF_MATCH_ACTION,
    "restricted_symbols": _SYMBOLS,
    "allowed_symbols": _SYMBOLS,
    "allow_short_selling": _FLAG,
    "reduce_only": _FLAG,
    "trading_hours_only": _FLAG,
    "max_quote_age": _SECONDS,
    "warn_at_percent": _AMOUNT,
}
_OUTPUT_ONLY: Final = frozenset({"account_id", "version", "updated_time", "updated_by", "trading_state"})
# The domain's names, which differ in one.
_NAMES: Final = {path: path for path in _FIELDS} | {"allow_short_selling": "short_selling"}
_PATHS: Final = {name: path for path, name in _NAMES.items()}


def contract_path(name: str) -> str:
    """How the contract spells a field of the domain's profile."""
    return _PATHS.get(name, name)


def profile_message(profile: RiskProfile, state: TradingState | None) -> risk_profile_pb2.RiskProfile:
    """The profile; a limit that is off is unset. `state`: the account's, or for the ceiling the firm's."""
    values = {path: getattr(profile, name) for path, name in _NAMES.items()}
    return risk_profile_pb2.RiskProfile(
        account_id=profile.account_id,
        version=profile.version,
        updated_time=to_optional_timestamp(profile.updated_time),
        updated_by=profile.updated_by,
        trading_state=TRADING_STATES[state],
        **{path: _FIELDS[path].out(value) for path, value in values.items() if value is not None},
    )


def profile_changes(
    request: risk_profile_update_pb2.UpdateRiskProfileRequest | risk_profile_update_pb2.UpdateFirmRiskProfileRequest,
) -> Mapping[str, Any]:
    """What the request changes, by field of the domain's profile; InvalidArgument for a path that it can't."""
    profile = request.risk_profile
    given = {field.name for field, _ in profile.ListFields()} - _OUTPUT_ONLY
    paths = _masked(request.update_mask.paths) or sorted(given)
    changes = {_NAMES[path]: _new_value(profile, path) if path in given else _FIELDS[path].unset for path in paths}
    if isinstance(request, risk_profile_update_pb2.UpdateFirmRiskProfileRequest) and "allow_short_selling" not in given:
        # A firm that says nothing about it leaves it to the accounts.
        changes.update({"short_selling": True} if "short_selling" in changes else {})
    return changes


def _new_value(profile: risk_profile_pb2.RiskProfile, path: str) -> Any:
    return _FIELDS[path].into(getattr(profile, path))


def _masked(paths: Any) -> list[str]:
    """The fields that an update_mask names; InvalidArgument for one that can't be changed."""
    for path in paths:
        if path in _OUTPUT_ONLY:
            raise InvalidArgument("update_mask.paths", f"{path!r} is output only")
        if path != "*" and path not in _FIELDS:
            raise InvalidArgument("update_mask.paths", f"{path!r} is no field of RiskProfile")
    return list(_FIELDS) if "*" in paths else list(paths)


# -- what rules say ---------------------------------------------------------------------------------------


def rule_message(result: RuleResult) -> rule_result_pb2.RuleResult:
    return rule_result_pb2.RuleResult(
        rule=result.rule,
        passed=result.passed,
        value=_shown(result.value),
        limit=_shown(result.limit),
        unit=result.unit,
        message=result.message,
    )


def violation_message(failed: Violation) -> rule_result_pb2.RuleResult:
    """A rule that failed, as an event keeps it."""
    return rule_result_pb2.RuleResult(
        rule=failed.rule,
        passed=False,
        value=failed.value,
        limit=failed.limit,
        unit=failed.unit,
        message=failed.description,
    )


def limit_reached_message(use: LimitUse) -> rule_result_pb2.RuleResult:
    """A limit that is not passed yet, with how much of it is used."""
    about = f" of {use.key}" if use.key else ""
    return rule_result_pb2.RuleResult(
        rule=use.rule,
        passed=True,
        value=settled_or_empty(use.value),
        limit=settled_or_empty(use.limit),
        unit=use.unit,
        message=f"{settled_or_empty(use.used_percent)} % of the limit{about} is used",
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
