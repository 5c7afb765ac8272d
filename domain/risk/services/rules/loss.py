"""What the account has lost. Beyond a limit, only orders that lower exposure pass; the rest is `loss_action`'s."""

from decimal import Decimal

from domain.risk.services.situation import Situation, Verdict, lowers


def max_daily_loss(s: Situation) -> Verdict | None:
    value = s.state.daily_loss(s.before.equity) if s.before else None
    return _within(s, value, s.profile.max_daily_loss)


def max_daily_drawdown(s: Situation) -> Verdict | None:
    value = s.state.daily_drawdown(s.before.equity) if s.before else None
    return _within(s, value, s.profile.max_daily_drawdown_percent)


def max_drawdown(s: Situation) -> Verdict | None:
    value = s.state.drawdown(s.before.equity) if s.before else None
    return _within(s, value, s.profile.max_drawdown_percent)


def _within(s: Situation, value: Decimal | None, limit: Decimal | None) -> Verdict | None:
    if limit is None:
        return None
    return (value is not None and value <= limit) or lowers(s), value, limit
