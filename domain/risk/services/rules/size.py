"""How large one order may be and how small, how many may be open, and how large a position may get.

The limits of an order's symbol are the stricter of the symbol's own and the profile's.
"""

from decimal import Decimal

from domain.decimals import ZERO
from domain.market_data.quote import Quote
from domain.risk.services.situation import BUY, Situation, Verdict, ahead, impact, takes
from domain.trading.value_objects.order_terms import OrderTerms


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


def min_notional(s: Situation) -> Verdict | None:
    """The venue's, in the instrument's currency: of the whole quantity, also where a part of it has filled."""
    if s.instrument is None or s.instrument.min_notional is None:
        return None
    price = least_price(s.terms, s.quote)
    if price is None:
        return None
    value = s.terms.quantity * price
    return value >= s.instrument.min_notional, value, s.instrument.min_notional


def least_price(terms: OrderTerms, quote: Quote | None) -> Decimal | None:
    """The price at which an order must be worth the venue's minimum: its limit, or else where it starts to trade.

    `reserve_price` is the most that may come of an order, this the least before the market moves: the ask for a buy,
    the bid for a sell, or the stop price where that is still to be reached. A trailing stop may trigger as near as the
    ask for a buy that follows the market down, and by its trail below the bid for a sell. Nothing is taken off for
    slippage: who closes a position just above the minimum must not be refused what the venue takes.
    None where there is neither a price nor a quote.
    """
    if terms.limit_price is not None:
        return terms.limit_price
    stop = terms.stop_price
    if quote is None:
        return stop
    if terms.side is BUY:
        return quote.ask_price if stop is None or stop < quote.ask_price else stop
    bid = quote.bid_price
    if stop is not None:
        return min(stop, bid)
    if terms.trail_offset is not None:
        return max(ZERO, bid - terms.trail_offset)
    return bid if terms.trail_percent is None else bid - bid * terms.trail_percent / 100


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
    taken = takes(s)
    value = ahead(s) + (s.position if s.terms.side is BUY else -s.position) + taken
    if value < ZERO:
        value = ZERO
    return value <= limit or not taken, value, limit, "units"


def _by_notional(s: Situation, limit: Decimal) -> Verdict:
    measured = impact(s)
    if measured is None:
        return False, None, limit, s.base_currency
    value = max(ZERO, measured.side)
    return value <= limit or not measured.costs, value, limit, s.base_currency
