"""The rules that every new or changed order is held against. RULES is the list, in the order applied.

A rule that lacks what it needs to measure fails: no data, no order. Rules whose ground an earlier rule has
already found missing (no instrument, so no tick size) are left out of the answer, and so are those whose limit is
off. `passes` only decides, `check` tells what every rule measured; a rule itself gives both, as a plain tuple.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Context, Decimal
from typing import NamedTuple

from domain.decimals import ZERO, plain, settle
from domain.errors import Violation
from domain.market_data.quote import Quote
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.services.rules import exposure, flow, instrument, loss, permission, price, size
from domain.risk.services.situation import Raw, Situation, Value, Verdict
from domain.risk.value_objects.limits import SymbolLimits
from domain.risk.value_objects.strictness import least
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import Side

__all__ = ["RULES", "Rule", "RuleResult", "Situation", "check", "check_cancel", "passes", "reserve_price", "violations"]


class RuleResult(NamedTuple):
    """What one rule said: `value` was held against `limit`, both in `unit`; a None could not be measured."""

    rule: str
    passed: bool
    value: Value
    limit: Value
    unit: str
    says: str

    @property
    def message(self) -> str:
        """One sentence for a person."""
        if self.value is None:
            return f"{self.says}: not available"
        value = f"{self.says}: {_rounded(self.value)} {self.unit}".rstrip()
        return value if self.limit is None else f"{value}, limit {shown(self.limit)} {self.unit}".rstrip()


_READABLE = Context(prec=12)


def _rounded(value: Value) -> str:
    """As a person reads it: a quotient has no end."""
    return shown(_READABLE.plus(value) if isinstance(value, Decimal) else value)


def shown(value: Value) -> str:
    return plain(value) if isinstance(value, Decimal) else value or ""


Judge = Callable[[Situation], Verdict | None]


class Rule(NamedTuple):
    """`unit` and `says` may name {base} (the account's currency), {currency} (the instrument's), {symbol} and
    {rate}. `limits` are the profile's fields of which one must be set for the rule to apply; none: it always does.
    """

    code: str
    judge: Judge
    unit: str
    says: str
    limits: tuple[str, ...] = ()


RULES: tuple[Rule, ...] = (
    Rule("KILL_SWITCH", permission.kill_switch, "", "engaged kill switch"),
    Rule("TRADING_STATE", permission.trading_state, "", "trading state"),
    Rule("INSTRUMENT_KNOWN", instrument.instrument_known, "", "instrument {symbol}"),
    Rule("RESTRICTED_SYMBOL", permission.restricted_symbol, "", "restricted symbols", ("restricted_symbols",)),
    Rule("ALLOWED_SYMBOL", permission.allowed_symbol, "", "allowed symbols", ("allowed_symbols",)),
    Rule("BROKER_CAPABILITY", permission.broker_capability, "", "at this broker"),
    Rule("TICK_SIZE", instrument.tick_size, "{currency}", "price against tick size"),
    Rule("LOT_SIZE", instrument.lot_size, "units", "quantity against lot size"),
    Rule("QUOTE_PRESENT", instrument.quote_present, "{currency}", "quote"),
    Rule("QUOTE_FRESH", instrument.quote_fresh, "seconds", "age of the quote", ("max_quote_age",)),
    Rule("CURRENCY_RATE", instrument.currency_rate, "", "rate or price of {rate}"),
    Rule("EXPIRE_TIME", instrument.expire_time, "", "expires after now"),
    Rule("TRADING_HOURS", instrument.trading_hours, "", "the market", ("trading_hours_only",)),
    Rule("POST_ONLY", price.post_only, "{currency}", "post-only price against the market"),
    Rule("MIN_NOTIONAL", size.min_notional, "{currency}", "order notional against the venue's minimum"),
    Rule("MAX_ORDER_QUANTITY", size.max_order_quantity, "units", "order quantity"),
    Rule(
        "MAX_ORDER_NOTIONAL",
        size.max_order_notional,
        "{base}",
        "order notional",
        ("max_order_notional", "symbol_limits"),
    ),
    Rule("PRICE_COLLAR_PERCENT", price.collar_percent, "percent", "price beyond the quote", ("price_collar_percent",)),
    Rule("PRICE_COLLAR_TICKS", price.collar_ticks, "ticks", "price beyond the quote", ("price_collar_ticks",)),
    Rule("PRICE_COLLAR_WINDOW", price.collar_window, "percent", "price beyond recent prices", ("price_collar_window",)),
    Rule("SHORT_SELLING", permission.short_selling, "units", "short if all sells fill"),
    Rule("REDUCE_ONLY", permission.reduce_only, "units", "quantity against the open position"),
    Rule("BUYING_POWER", exposure.buying_power, "{base}", "added exposure against buying power"),
    Rule(
        "MAX_POSITION",
        size.max_position,
        "units",
        "position if all open orders on the side fill",
        ("max_position_quantity", "max_position_notional", "symbol_limits"),
    ),
    Rule("MAX_OPEN_ORDERS", size.max_open_orders, "orders", "open orders", ("max_open_orders",)),
    Rule("MAX_GROSS_EXPOSURE", exposure.max_gross, "{base}", "gross exposure", ("max_gross_exposure",)),
    Rule("MAX_NET_EXPOSURE", exposure.max_net, "{base}", "net exposure", ("max_net_exposure",)),
    Rule("MAX_LEVERAGE", exposure.max_leverage, "ratio", "gross exposure to equity", ("max_leverage",)),
    Rule(
        "MAX_CONCENTRATION",
        exposure.max_concentration,
        "percent",
        "share of {symbol} in equity",
        ("max_concentration_percent",),
    ),
    Rule("MAX_DAILY_LOSS", loss.max_daily_loss, "{base}", "loss of the day", ("max_daily_loss",)),
    Rule(
        "MAX_DAILY_DRAWDOWN",
        loss.max_daily_drawdown,
        "percent",
        "fall from the day's high",
        ("max_daily_drawdown_percent",),
    ),
    Rule("MAX_DRAWDOWN", loss.max_drawdown, "percent", "fall from the all-time high", ("max_drawdown_percent",)),
    Rule("ORDER_RATE", flow.order_rate, "orders", "new orders lately", ("order_rate",)),
    Rule("REPLACE_RATE", flow.replace_rate, "orders", "replaces lately", ("replace_rate",)),
    Rule(
        "REPEATED_EXECUTION",
        flow.repeated_execution,
        "executions",
        "executions of the strategy",
        ("repeated_execution",),
    ),
    Rule("DUPLICATE_ORDER", flow.duplicate_order, "", "order that looks the same", ("duplicate_window",)),
    Rule("SELF_MATCH", flow.self_match, "", "own order that it could trade with"),
)


class _Plan(NamedTuple):
    """What of the rules one profile needs."""

    profile: RiskProfile
    rules: tuple[Rule, ...]
    judges: tuple[Judge, ...]
    symbols: Mapping[str, SymbolLimits]
    of_others: SymbolLimits


_MOST_PLANS = 10_000
# By the identity of the profile, which is why it is kept: to hash one takes longer than all its rules.
_plans: dict[int, _Plan] = {}


def _plan_for(profile: RiskProfile) -> _Plan:
    plan = _plans.get(id(profile))
    if plan is None or plan.profile is not profile:
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        rules = tuple(
            rule for rule in RULES if not rule.limits or any(_is_on(getattr(profile, n)) for n in rule.limits)
        )
        plan = _plans[id(profile)] = _Plan(
            profile,
            rules,
            tuple(rule.judge for rule in rules),
            {limits.symbol: _with_profile(limits, profile) for limits in profile.symbol_limits},
            _with_profile(SymbolLimits(""), profile),
        )
    return plan


def _with_profile(limits: SymbolLimits, profile: RiskProfile) -> SymbolLimits:
    return SymbolLimits(
        limits.symbol,
        least(limits.max_order_quantity, profile.max_order_quantity),
        least(limits.max_order_notional, profile.max_order_notional),
        least(limits.max_position_quantity, profile.max_position_quantity),
        least(limits.max_position_notional, profile.max_position_notional),
    )


def _is_on(limit: object) -> bool:
    return limit is not None and limit is not False and limit != () and limit != frozenset()


def _planned(situation: Situation) -> _Plan:
    plan = _plan_for(situation.profile)
    situation.symbol_limits = plan.symbols.get(situation.terms.symbol, plan.of_others)
    return plan


def passes(situation: Situation) -> bool:
    """Whether no rule fails. Then `after_buying_power` is set as by `check`; else ask `check` why."""
    for judge in _planned(situation).judges:
        verdict = judge(situation)
        if verdict is not None and not verdict[0]:
            return False
    return True


def check(situation: Situation) -> list[RuleResult]:
    """Every rule that applies to the order, passed and failed, in the order of RULES."""
    words = _words(situation)
    verdicts = [(rule, rule.judge(situation)) for rule in _planned(situation).rules]
    return [_result(rule, verdict, words) for rule, verdict in verdicts if verdict is not None]


def check_cancel(profile: RiskProfile, state: RiskState, now: datetime) -> RuleResult | None:
    """What CANCEL_RATE says about a caller's cancel; None when it is off.

    The cancels of kill switches, leases and groups do not ask, and take nothing from the bucket: that is the reserve.
    """
    limit = profile.cancel_rate
    verdict = None if limit is None else flow.within(limit, state.tokens("CANCEL_RATE", limit, now))
    return None if verdict is None else _result(_CANCEL_RATE, verdict, {})


_CANCEL_RATE = Rule("CANCEL_RATE", lambda situation: None, "orders", "cancels lately", ("cancel_rate",))


def _words(s: Situation) -> Mapping[str, str]:
    return {
        "base": s.base_currency,
        "currency": s.instrument.currency if s.instrument else "",
        "symbol": s.terms.symbol,
        "rate": f"{s.missing} into {s.base_currency}" if s.missing else s.base_currency,
    }


def _result(rule: Rule, verdict: Verdict, words: Mapping[str, str]) -> RuleResult:
    passed, value, limit, *unit = verdict
    unit = unit or [rule.unit.format_map(words)]
    return RuleResult(rule.code, passed, _told(value), _told(limit), unit[0], rule.says.format_map(words))


def _told(raw: Raw) -> Value:
    if isinstance(raw, tuple):
        return settle(raw[0] / raw[1])
    if isinstance(raw, int):
        return Decimal(raw)
    if isinstance(raw, datetime):
        return raw.isoformat()
    # A quotient has more places than anybody wants to read.
    return settle(raw) if isinstance(raw, Decimal) and raw != settle(raw) else raw


def violations(results: Sequence[RuleResult], subject: str) -> list[Violation]:
    return [
        Violation(result.rule, subject, result.message, shown(result.value), shown(result.limit), result.unit)
        for result in results
        if not result.passed
    ]


def reserve_price(terms: OrderTerms, quote: Quote | None, buffer: Decimal) -> Decimal:
    """The price at which an order counts: its limit, or what the market may make of it plus `buffer`.

    A sell with a limit below the market fills at the market, so it counts at the higher of the two: at the
    ask, since a short sold at the bid has lost the spread as soon as it is valued at the middle.
    """
    limit = terms.limit_price or ZERO
    if quote is None:
        return limit or terms.stop_price or ZERO
    if terms.side is Side.SELL:
        return max(limit, terms.stop_price or ZERO, quote.ask_price)
    if limit:
        return limit
    reference = max(quote.ask_price, terms.stop_price or ZERO)
    if terms.trail_offset is not None:
        reference += terms.trail_offset
    elif terms.trail_percent is not None:
        reference += reference * terms.trail_percent / 100
    return reference * (1 + buffer)
