"""Of two limits of one kind, the one that is never looser than either. None is no limit."""

from collections.abc import Callable
from dataclasses import fields
from decimal import ROUND_CEILING, Decimal
from typing import Any, Final, TypeVar

from domain.risk.value_objects.limits import LossAction, PriceCollarWindow, RateLimit, SelfMatchAction, SymbolLimits

T = TypeVar("T")

# An empty set of allowed symbols means all of them. No instrument has this name.
NOTHING_ALLOWED: Final = frozenset({"-"})

SEVERITY: Final = {LossAction.NOTIFY: 0, LossAction.REDUCE: 1, LossAction.HALT: 2, LossAction.FLATTEN: 3}
_STRICTNESS: Final = {SelfMatchAction.ALLOW: 0, SelfMatchAction.CANCEL_RESTING: 1, SelfMatchAction.REJECT: 2}
_SYMBOL_LIMITS: Final = tuple(field.name for field in fields(SymbolLimits) if field.name != "symbol")
# The contract's durations have nanoseconds.
_NANOSECOND: Final = Decimal("1e-9")


def of_set(choose: Callable[[T, T], T]) -> Callable[[T | None, T | None], T | None]:
    """`choose` where both limits are set, else the one that is."""

    def chosen(a: T | None, b: T | None) -> T | None:
        if a is None or b is None:
            return b if a is None else a
        return choose(a, b)

    return chosen


def stricter_rate(a: RateLimit, b: RateLimit) -> RateLimit:
    """The smaller bucket, filled at the slower of the two rates (rounded down, by the nanosecond)."""
    small, other = (a, b) if (a.count, -a.period) <= (b.count, -b.period) else (b, a)
    if small.count * other.period <= other.count * small.period:
        return small
    period = small.count * other.period / other.count
    return RateLimit(small.count, period.quantize(_NANOSECOND, ROUND_CEILING))


def stricter_window(a: PriceCollarWindow, b: PriceCollarWindow) -> PriceCollarWindow:
    """The smaller distance from the prices of the shorter time, which reach less far."""
    return PriceCollarWindow(min(a.percent, b.percent), min(a.seconds, b.seconds))


def stricter_match(a: SelfMatchAction, b: SelfMatchAction) -> SelfMatchAction:
    return max(a, b, key=_STRICTNESS.__getitem__)


def common(a: frozenset[str], b: frozenset[str]) -> frozenset[str]:
    """The symbols that both allow, where an empty set allows all: NOTHING_ALLOWED when there is none."""
    if not a or not b:
        return a or b
    return a & b or NOTHING_ALLOWED


def by_symbol(a: tuple[SymbolLimits, ...], b: tuple[SymbolLimits, ...]) -> tuple[SymbolLimits, ...]:
    """The limits of every symbol that is named in either, sorted by it if they are in both."""
    if not a or not b:
        return a or b
    merged = {limits.symbol: limits for limits in a}
    for limits in b:
        mine = merged.get(limits.symbol)
        merged[limits.symbol] = limits if mine is None else _of_symbol(mine, limits)
    return tuple(merged[symbol] for symbol in sorted(merged))


def _of_symbol(a: SymbolLimits, b: SymbolLimits) -> SymbolLimits:
    chosen = {name: least(getattr(a, name), getattr(b, name)) for name in _SYMBOL_LIMITS}
    return SymbolLimits(a.symbol, **chosen)


def _min(a: Any, b: Any) -> Any:
    return min(a, b)


def _max(a: Any, b: Any) -> Any:
    return max(a, b)


least = of_set(_min)
most = of_set(_max)
