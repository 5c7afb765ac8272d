"""The limits that an account's orders are held against."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from domain.decimals import plain
from domain.errors import Violation
from domain.risk.value_objects.limits import LossAction, PriceCollarWindow, RateLimit, SelfMatchAction, SymbolLimits
from domain.risk.value_objects.strictness import (
    SEVERITY,
    by_symbol,
    common,
    least,
    most,
    of_set,
    stricter_match,
    stricter_rate,
    stricter_window,
)


@dataclass(frozen=True, slots=True)
class RiskProfile:
    """The limits of one account, or with an empty `account_id` the firm's ceiling above all accounts.

    A limit of None is off; what has a default is always on in an account, and None in the firm's ceiling means that
    the firm does not care. Percentages are percentages, times are seconds, amounts are in the account's base
    currency. `max_leverage`: gross exposure over equity, at most. `market_order_buffer`: the fraction above the quote
    that is reserved for an order without a limit price, since it may fill there. `max_short_quantity`: per symbol,
    open orders counted as filled. `day_start`: seconds after midnight UTC.
    """

    account_id: str
    version: int = 1
    updated_time: datetime | None = None
    updated_by: str = ""
    max_order_quantity: Decimal | None = None
    max_order_notional: Decimal | None = None
    price_collar_percent: Decimal | None = None
    price_collar_ticks: int | None = None
    price_collar_window: PriceCollarWindow | None = None
    max_open_orders: int | None = None
    max_position_quantity: Decimal | None = None
    max_position_notional: Decimal | None = None
    symbol_limits: tuple[SymbolLimits, ...] = ()
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None
    max_leverage: Decimal | None = Decimal(1)
    max_concentration_percent: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_daily_drawdown_percent: Decimal | None = None
    max_drawdown_percent: Decimal | None = None
    loss_action: LossAction = LossAction.REDUCE
    day_start: Decimal = Decimal(0)
    order_rate: RateLimit | None = None
    replace_rate: RateLimit | None = None
    cancel_rate: RateLimit | None = None
    repeated_execution: RateLimit | None = None
    duplicate_window: Decimal | None = None
    self_match_action: SelfMatchAction | None = None
    restricted_symbols: frozenset[str] = frozenset()
    allowed_symbols: frozenset[str] = frozenset()
    short_selling: bool = True
    reduce_only: bool = False
    trading_hours_only: bool = False
    max_short_quantity: Decimal | None = None
    market_order_buffer: Decimal = Decimal("0.02")
    max_quote_age: Decimal | None = Decimal(60)
    warn_at_percent: Decimal | None = None

    @property
    def limits_losses(self) -> bool:
        """Whether any loss or drawdown limit is set, so that `loss_action` means something."""
        return not (self.max_daily_loss is self.max_daily_drawdown_percent is self.max_drawdown_percent is None)


def applied(own: RiskProfile, firm: RiskProfile) -> RiskProfile:
    """The limits that hold for an account.

    An account that does not say what is to happen when its orders could meet refuses it; a firm that does not say
    leaves it to the account.
    """
    return stricter(own if own.self_match_action else replace(own, self_match_action=SelfMatchAction.REJECT), firm)


def stricter(own: RiskProfile, firm: RiskProfile) -> RiskProfile:
    """Of each limit the stricter, never looser than either of the two.

    What is no limit stays that of the first: its names and times, `day_start` and `market_order_buffer`.
    """
    chosen = {name: field.choose(getattr(own, name), getattr(firm, name)) for name, field in _FIELDS.items()}
    return replace(own, **chosen, loss_action=_loss_action(own, firm))


def above_ceiling(own: RiskProfile, firm: RiskProfile) -> list[Violation]:
    """One violation for each limit that is looser than the firm's. `subject` is the field as the contract spells it.

    A limit that is off is not above the ceiling: there the firm's applies.
    """
    return [violation for name, field in _FIELDS.items() for violation in _above(own, firm, name, field)]


class _Field(NamedTuple):
    """How the stricter of two is chosen, and the rule whose limit it is; empty for what may be looser than the
    firm's, and yields to it.
    """

    choose: Callable[[Any, Any], Any]
    rule: str = ""


def _either(own: bool, firm: bool) -> bool:
    return own or firm


def _both(own: bool, firm: bool) -> bool:
    return own and firm


def _union(own: frozenset[str], firm: frozenset[str]) -> frozenset[str]:
    return own | firm


def _loss_action(own: RiskProfile, firm: RiskProfile) -> LossAction:
    """The most severe, of those who limit losses: where nothing can be reached, what would happen is no choice."""
    said = [profile.loss_action for profile in (own, firm) if profile.limits_losses]
    return max(said, key=SEVERITY.__getitem__, default=own.loss_action)


_RATE: Final = of_set(stricter_rate)
_FIELDS: Final[Mapping[str, _Field]] = {
    "max_order_quantity": _Field(least, "MAX_ORDER_QUANTITY"),
    "max_order_notional": _Field(least, "MAX_ORDER_NOTIONAL"),
    "price_collar_percent": _Field(least, "PRICE_COLLAR_PERCENT"),
    "price_collar_ticks": _Field(least, "PRICE_COLLAR_TICKS"),
    "price_collar_window": _Field(of_set(stricter_window), "PRICE_COLLAR_WINDOW"),
    "max_open_orders": _Field(least, "MAX_OPEN_ORDERS"),
    "max_position_quantity": _Field(least, "MAX_POSITION"),
    "max_position_notional": _Field(least, "MAX_POSITION"),
    "symbol_limits": _Field(by_symbol, "MAX_POSITION"),
    "max_gross_exposure": _Field(least, "MAX_GROSS_EXPOSURE"),
    "max_net_exposure": _Field(least, "MAX_NET_EXPOSURE"),
    "max_leverage": _Field(least, "MAX_LEVERAGE"),
    "max_concentration_percent": _Field(least, "MAX_CONCENTRATION"),
    "max_daily_loss": _Field(least, "MAX_DAILY_LOSS"),
    "max_daily_drawdown_percent": _Field(least, "MAX_DAILY_DRAWDOWN"),
    "max_drawdown_percent": _Field(least, "MAX_DRAWDOWN"),
    "order_rate": _Field(_RATE, "ORDER_RATE"),
    "replace_rate": _Field(_RATE, "REPLACE_RATE"),
    "cancel_rate": _Field(_RATE, "CANCEL_RATE"),
    "repeated_execution": _Field(_RATE, "REPEATED_EXECUTION"),
    "duplicate_window": _Field(most, "DUPLICATE_ORDER"),
    "self_match_action": _Field(of_set(stricter_match), "SELF_MATCH"),
    "restricted_symbols": _Field(_union),
    "allowed_symbols": _Field(common, "ALLOWED_SYMBOL"),
    "short_selling": _Field(_both, "SHORT_SELLING"),
    "reduce_only": _Field(_either),
    "trading_hours_only": _Field(_either),
    "max_short_quantity": _Field(least, "SHORT_SELLING"),
    "max_quote_age": _Field(least, "QUOTE_FRESH"),
    "warn_at_percent": _Field(least),
}
# Where the contract's name is another.
_CONTRACT_NAMES: Final = {"short_selling": "allow_short_selling"}


def _above(own: RiskProfile, firm: RiskProfile, name: str, field: _Field) -> Iterator[Violation]:
    mine, ceiling = getattr(own, name), getattr(firm, name)
    if name == "symbol_limits":
        yield from _symbols_above(mine, ceiling)
    elif field.rule and mine is not None and mine != frozenset() and field.choose(mine, ceiling) != mine:
        yield _violation(field.rule, _CONTRACT_NAMES.get(name, name), mine, ceiling)


def _symbols_above(own: tuple[SymbolLimits, ...], firm: tuple[SymbolLimits, ...]) -> Iterator[Violation]:
    ceilings = {limits.symbol: limits for limits in firm}
    for limits in own:
        ceiling = ceilings.get(limits.symbol)
        for name, rule in _SYMBOL_RULES.items() if ceiling else ():
            mine, theirs = getattr(limits, name), getattr(ceiling, name)
            if mine is not None and least(mine, theirs) != mine:
                yield _violation(rule, f"symbol_limits[{limits.symbol}].{name}", mine, theirs)


_SYMBOL_RULES: Final = {
    "max_order_quantity": "MAX_ORDER_QUANTITY",
    "max_order_notional": "MAX_ORDER_NOTIONAL",
    "max_position_quantity": "MAX_POSITION",
    "max_position_notional": "MAX_POSITION",
}


def _violation(rule: str, field: str, mine: object, ceiling: object) -> Violation:
    value, limit = _shown(mine), _shown(ceiling)
    return Violation(rule, field, f"{field}: {value} is above the firm's ceiling of {limit}", value, limit)


def _shown(value: object) -> str:
    match value:
        case Decimal():
            return plain(value)
        case RateLimit(count, period):
            return f"{count} in {plain(period)} s"
        case PriceCollarWindow(percent, seconds):
            return f"{plain(percent)} % of {plain(seconds)} s"
        case SelfMatchAction():
            return value.value
        case frozenset():
            return ", ".join(sorted(map(str, value)))
        case _:
            return str(value).lower()
