"""How much of each limit is used, and which warnings follow: from plain numbers, open orders counted in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from domain.decimals import ONE, ZERO, settle
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState, bucket_key
from domain.risk.services.margin import Margin, OpenOrders
from domain.risk.value_objects.limits import LimitUse, RateLimit, SymbolLimits
from domain.risk.value_objects.strictness import least

_HUNDRED: Final = Decimal(100)
_RATES: Final = {"ORDER_RATE": "order_rate", "REPLACE_RATE": "replace_rate", "CANCEL_RATE": "cancel_rate"}


@dataclass(frozen=True, slots=True)
class SymbolUse:
    """The most of one symbol, long or short, if open orders fill: in units, and in the base currency (None: no
    price or rate).
    """

    quantity: Decimal
    notional: Decimal | None


@dataclass(frozen=True, slots=True)
class Usage:
    """The numbers behind the limits of one account. `margin` is None when the account cannot be valued.

    `symbols` are those with a position or an open order.
    """

    base_currency: str
    margin: Margin | None
    open_orders: int
    state: RiskState
    now: datetime
    symbols: Mapping[str, SymbolUse] = field(default_factory=dict)


def symbol_use(
    held: Decimal, waiting: OpenOrders | None, mark: Decimal | None, rate: Decimal | None = ONE
) -> SymbolUse:
    """Of a position of `held` units (below zero when short), with the symbol's open orders, its price in its
    currency, and what one of that is in the base currency.
    """
    buys, sells = (waiting.buy_quantity, waiting.sell_quantity) if waiting else (ZERO, ZERO)
    if waiting and held > ZERO:
        sells += min(waiting.sell_reducing, held)
    elif waiting:
        buys += min(waiting.buy_reducing, -held)
    quantity = max(held + buys, sells - held)
    if mark is None or rate is None:
        return SymbolUse(quantity, None)
    value = held * mark
    return SymbolUse(quantity, (waiting.worst_exposure(value) if waiting else abs(value)) * rate)


def limit_uses(profile: RiskProfile, usage: Usage) -> list[LimitUse]:
    """The use of every limit in force that can be used up between orders, by orders, symbol and account.

    `profile` is the effective one. What is about single orders (their size, their price) has no use; what cannot be
    measured for lack of a price is left out.
    """
    return [*_of_orders(profile, usage), *_of_symbols(profile, usage), *_of_account(profile, usage)]


def warning_key(use: LimitUse) -> str:
    """The limit's name in `RiskState.warned`: a position has one limit in units and one in money."""
    return f"{use.rule}:{use.key}:{use.unit}"


def warnings(
    uses: Iterable[LimitUse], warned: frozenset[str], warn_at_percent: Decimal | None
) -> tuple[list[LimitUse], frozenset[str]]:
    """The uses to warn of now, and what is warned of from then on.

    A limit is warned of once, and again only after its use was below `warn_at_percent`.
    """
    if warn_at_percent is None:
        return [], frozenset()
    high = {warning_key(use): use for use in uses if use.used_percent >= warn_at_percent}
    return [use for key, use in high.items() if key not in warned], frozenset(high)


def _of_orders(profile: RiskProfile, usage: Usage) -> Iterator[LimitUse]:
    if profile.max_open_orders is not None:
        yield _use("MAX_OPEN_ORDERS", Decimal(usage.open_orders), Decimal(profile.max_open_orders), "orders")
    for rule, field_name in _RATES.items():
        limit = getattr(profile, field_name)
        if limit is not None:
            yield _rate_use(rule, "", limit, "orders", usage)
    executions = profile.repeated_execution
    if executions is not None:
        for key in sorted(usage.state.buckets):
            rule, _, strategy_id = key.partition(":")
            if rule == "REPEATED_EXECUTION":
                yield _rate_use(rule, strategy_id, executions, "executions", usage)


def _rate_use(rule: str, strategy_id: str, limit: RateLimit, unit: str, usage: Usage) -> LimitUse:
    left = usage.state.tokens(bucket_key(rule, strategy_id), limit, usage.now)
    return _use(rule, limit.count - left, Decimal(limit.count), unit, strategy_id)


def _of_symbols(profile: RiskProfile, usage: Usage) -> Iterator[LimitUse]:
    own = {limits.symbol: limits for limits in profile.symbol_limits}
    equity = usage.margin.equity if usage.margin else ZERO
    for symbol, use in usage.symbols.items():
        limits = own.get(symbol) or SymbolLimits(symbol)
        quantity = least(profile.max_position_quantity, limits.max_position_quantity)
        notional = least(profile.max_position_notional, limits.max_position_notional)
        if quantity is not None:
            yield _use("MAX_POSITION", use.quantity, quantity, "units", symbol)
        if use.notional is None:
            continue
        if notional is not None:
            yield _use("MAX_POSITION", use.notional, notional, usage.base_currency, symbol)
        share = profile.max_concentration_percent
        if share is not None and equity > ZERO:
            yield _use("MAX_CONCENTRATION", use.notional * _HUNDRED / equity, share, "percent", symbol)


def _of_account(profile: RiskProfile, usage: Usage) -> Iterator[LimitUse]:
    """`margin.used` is the gross exposure with open orders."""
    margin, state, currency = usage.margin, usage.state, usage.base_currency
    if margin is None:
        return
    equity = margin.equity
    net = max(abs(margin.net_low), abs(margin.net_high))
    measured = (
        ("MAX_GROSS_EXPOSURE", margin.used, profile.max_gross_exposure, currency),
        ("MAX_NET_EXPOSURE", net, profile.max_net_exposure, currency),
        ("MAX_LEVERAGE", margin.used / equity if equity > ZERO else None, profile.max_leverage, "ratio"),
        ("MAX_DAILY_LOSS", state.daily_loss(equity), profile.max_daily_loss, currency),
        ("MAX_DAILY_DRAWDOWN", state.daily_drawdown(equity), profile.max_daily_drawdown_percent, "percent"),
        ("MAX_DRAWDOWN", state.drawdown(equity), profile.max_drawdown_percent, "percent"),
    )
    for rule, value, limit, unit in measured:
        if value is not None and limit is not None:
            yield _use(rule, value, limit, unit)


def _use(rule: str, value: Decimal, limit: Decimal, unit: str, key: str = "") -> LimitUse:
    """Of a limit of 0, anything is all of it."""
    share = value / limit if limit else (ONE if value else ZERO)
    return LimitUse(rule, key, settle(value), limit, unit, settle(share * _HUNDRED))
