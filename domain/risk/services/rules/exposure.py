"""What the account may have at risk in all, open orders counted as if they had filled.

An order that does not raise what a rule limits passes it, however much of it there is: who is beyond a limit
must be able to come back.
"""

from decimal import Decimal
from typing import Final

from domain.decimals import ZERO
from domain.risk.services.situation import BUY, Situation, Verdict, impact, pushes

_HUNDRED: Final = Decimal(100)


def buying_power(s: Situation) -> Verdict | None:
    measured = impact(s)
    if s.before is None or measured is None:
        return None
    added, power = measured.added, s.before.buying_power
    s.after_buying_power = power - added
    return added <= ZERO or added <= power, added, max(ZERO, power)


def max_gross(s: Situation) -> Verdict | None:
    limit, measured = s.profile.max_gross_exposure, impact(s)
    if limit is None:
        return None
    if s.before is None or measured is None:
        return False, None, limit
    value = s.before.used + measured.added
    return value <= limit or measured.added <= ZERO, value, limit


def max_net(s: Situation) -> Verdict | None:
    """How far the net could go to the order's side: up for a buy, down for a sell."""
    limit, measured = s.profile.max_net_exposure, impact(s)
    if limit is None:
        return None
    if s.before is None or measured is None:
        return False, None, limit
    reached = s.before.net_high if s.terms.side is BUY else -s.before.net_low
    value = max(ZERO, reached + measured.costs)
    return value <= limit or (s.terms.reduce_only and not pushes(s)), value, limit


def max_leverage(s: Situation) -> Verdict | None:
    """Every account has this limit, so without a price it is left out as buying power is: the price's rule fails."""
    limit, measured = s.profile.max_leverage, impact(s)
    if limit is None or s.before is None or measured is None:
        return None
    return _per_equity(s.before.used + measured.added, s.before.equity, limit, measured.added)


def max_concentration(s: Situation) -> Verdict | None:
    limit, measured = s.profile.max_concentration_percent, impact(s)
    if limit is None:
        return None
    if s.before is None or measured is None:
        return False, None, limit
    return _per_equity(measured.worst * _HUNDRED, s.before.equity, limit, measured.added)


def _per_equity(amount: Decimal, equity: Decimal, limit: Decimal, added: Decimal) -> Verdict | None:
    value = (amount, equity) if equity > ZERO else None
    return added <= ZERO or amount <= limit * equity, value, limit
