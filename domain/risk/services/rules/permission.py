"""Whether the order may be placed at all: by the broker, the trading state, the kill switches and the profile."""

from typing import Final

from domain.decimals import ZERO
from domain.risk.services.situation import BUY, Situation, Verdict, ahead, closes, lowers, pushes, takes
from domain.risk.value_objects.trading_state import TradingState

_ACTIVE: Final = TradingState.ACTIVE
_REDUCING: Final = TradingState.REDUCING


def kill_switch(s: Situation) -> Verdict | None:
    if s.flattens:
        return None
    return s.kill is None, "none" if s.kill is None else s.kill.kill_switch_id, None


def trading_state(s: Situation) -> Verdict | None:
    if s.flattens:
        return None
    state = _ACTIVE if s.controls_state is None else s.controls_state.state
    if state is _ACTIVE:
        return True, "ACTIVE", None
    if state is _REDUCING:
        return lowers(s), "REDUCING", "only what lowers exposure"
    return False, "HALTED", "nothing new"


def broker_capability(s: Situation) -> Verdict | None:
    return not s.broker_refuses, s.broker_refuses or "supported", None


def restricted_symbol(s: Situation) -> Verdict | None:
    symbol = s.terms.symbol
    if symbol not in s.profile.restricted_symbols:
        return True, symbol, None
    return lowers(s), symbol, "only what lowers the position"


def allowed_symbol(s: Situation) -> Verdict | None:
    if s.flattens:
        return None
    return s.terms.symbol in s.profile.allowed_symbols, s.terms.symbol, None


def short_selling(s: Situation) -> Verdict | None:
    if s.terms.side is BUY or (s.terms.reduce_only and not pushes(s)):
        return None
    short = ahead(s) + takes(s) - s.position
    if short < ZERO:
        short = ZERO
    limit = s.profile.max_short_quantity if s.profile.short_selling and s.broker_shorts else ZERO
    return limit is None or short <= limit, short, limit


def reduce_only(s: Situation) -> Verdict | None:
    """A profile that lets positions only fall treats orders as reduce-only of which no venue knows that they are,
    so that what waits already is counted.
    """
    if s.terms.reduce_only:
        most = closes(s)
        return s.adds <= most and not (s.profile.reduce_only and pushes(s)), s.adds, most
    if not s.profile.reduce_only:
        return None
    return lowers(s), s.adds, max(ZERO, closes(s) - ahead(s))
