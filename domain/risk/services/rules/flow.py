"""How often, and how much alike: rates, duplicates and orders of one account that could trade with each other."""

from decimal import Decimal
from typing import Final

from domain.decimals import ONE
from domain.risk.services.situation import Situation, Verdict
from domain.risk.value_objects.limits import RateLimit, SelfMatchAction

_REJECT: Final = SelfMatchAction.REJECT


def order_rate(s: Situation) -> Verdict | None:
    return None if s.is_replace or s.flattens else within(s.profile.order_rate, s.rate_tokens)


def replace_rate(s: Situation) -> Verdict | None:
    return within(s.profile.replace_rate, s.rate_tokens) if s.is_replace and not s.flattens else None


def repeated_execution(s: Situation) -> Verdict | None:
    if s.flattens or not s.terms.strategy_id:
        return None
    return within(s.profile.repeated_execution, s.executions_left)


def within(limit: RateLimit | None, tokens: Decimal | None) -> Verdict | None:
    """Whether one more may pass: the value is how many have been counted, this one included."""
    if limit is None:
        return None
    if tokens is None:
        return False, None, limit.count
    return tokens >= ONE, limit.count + ONE - tokens, limit.count


def duplicate_order(s: Situation) -> Verdict | None:
    if s.flattens:
        return None
    return not s.duplicate_of, s.duplicate_of or "none", None


def self_match(s: Situation) -> Verdict | None:
    """An order that cancels the resting one first never meets it."""
    action = s.profile.self_match_action
    if s.flattens or (action is not None and action is not _REJECT):
        return None
    return not s.self_match, s.self_match or "none", None
