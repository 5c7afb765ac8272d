"""How large one order may be, how many may be open, and how large a position may get.

The limits of an order's symbol are the stricter of the symbol's own and the profile's.
"""

from decimal import Decimal

from domain.decimals import ZERO
from domain.risk.services.situation import BUY, Situation, Verdict, ahead, impact


def max_order_quantity(s: Situation) -> Verdict | None:
    limit = s.symbol_limits.max_order_quantity
    if s.instrument is not None and (limit is None or s.instrument.max_quantity < limit):
        limit = s.instrument.max_quantity
    return None if limit is None else (s.terms.quantity <= limit, s.terms.quantity, limit)


def max_order_notional(s: Situation) -> Verdict | None:
    limit = s.symbol_limits.max_order_notional
    if limit is None:
        return None
    if s.rate is None:
        return False, None, limit
    value = s.terms.quantity * s.reserve_price * s.rate
    return value <= limit, value, limit


def max_open_orders(s: Situation) -> Verdict | None:
    limit = s.profile.max_open_orders
    if limit is None or s.flattens:
        return None
    return s.open_orders < limit, s.open_orders + 1, limit


def max_position(s: Situation) -> Verdict | None:
    """By quantity and by notional; the one that fails is told, or else the first that is set.

    What is on the other side, or only lowers the position, never fails.
    """
    quantity, notional = s.symbol_limits.max_position_quantity, s.symbol_limits.max_position_notional
    by_quantity = None if quantity is None else _by_quantity(s, quantity)
    if notional is None or (by_quantity is not None and not by_quantity[0]):
        return by_quantity
    by_notional = _by_notional(s, notional)
    return by_notional if by_quantity is None or not by_notional[0] else by_quantity


def _by_quantity(s: Situation, limit: Decimal) -> Verdict:
    value = ahead(s) + (s.position if s.terms.side is BUY else -s.position)
    if not s.terms.reduce_only:
        value += s.adds
    if value < ZERO:
        value = ZERO
    return value <= limit or s.terms.reduce_only, value, limit, "units"


def _by_notional(s: Situation, limit: Decimal) -> Verdict:
    measured = impact(s)
    if measured is None:
        return False, None, limit, s.base_currency
    value = max(ZERO, measured.side)
    return value <= limit or s.terms.reduce_only, value, limit, s.base_currency
