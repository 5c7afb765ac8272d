"""How far an order's limit price may be on the wrong side of the market: above it for a buy, below it for a sell.

A stop with a limit is held against its stop price where that is further than the market, since it trades there.
An order without a limit price names no price that could be wrong.
"""

from decimal import Decimal
from typing import Final

from domain.decimals import ZERO
from domain.risk.services.situation import BUY, Situation, Verdict
from domain.trading.value_objects.order_type import OrderType

_HUNDRED: Final = Decimal(100)
_STOP_LIMIT: Final = OrderType.STOP_LIMIT


def collar_percent(s: Situation) -> Verdict | None:
    limit = s.profile.price_collar_percent
    if limit is None or s.terms.limit_price is None:
        return None
    if s.quote is None:
        return False, None, limit
    beyond, reference = _beyond(s, s.terms.limit_price, s.quote.ask_price, s.quote.bid_price)
    return (True, ZERO, limit) if beyond <= ZERO else _held_against(limit, beyond, reference)


def collar_ticks(s: Situation) -> Verdict | None:
    ticks = s.profile.price_collar_ticks
    if ticks is None or s.terms.limit_price is None:
        return None
    if s.quote is None or s.instrument is None:
        return False, None, ticks
    beyond, _ = _beyond(s, s.terms.limit_price, s.quote.ask_price, s.quote.bid_price)
    if beyond <= ZERO:
        return True, ZERO, ticks
    tick = s.instrument.tick_size
    return beyond <= ticks * tick, (beyond, tick), ticks


def collar_window(s: Situation) -> Verdict | None:
    collar = s.profile.price_collar_window
    if collar is None or s.terms.limit_price is None:
        return None
    if s.window is None:
        return False, None, collar.percent
    low, high = s.window
    beyond, reference = _beyond(s, s.terms.limit_price, high, low)
    return (True, ZERO, collar.percent) if beyond <= ZERO else _held_against(collar.percent, beyond, reference)


def post_only(s: Situation) -> Verdict | None:
    """A stop comes to the market later, so that only then it can be told whether it rests."""
    price = s.terms.limit_price
    if not s.terms.post_only or price is None or s.terms.type is _STOP_LIMIT:
        return None
    if s.quote is None:
        return False, None, None
    if s.terms.side is BUY:
        return price < s.quote.ask_price, price, s.quote.ask_price
    return price > s.quote.bid_price, price, s.quote.bid_price


def _beyond(s: Situation, price: Decimal, for_buys: Decimal, for_sells: Decimal) -> tuple[Decimal, Decimal]:
    """How far the price is on the wrong side of its reference, below zero on the right one; and the reference."""
    stop = s.terms.stop_price
    if s.terms.side is BUY:
        reference = for_buys if stop is None or stop < for_buys else stop
        return price - reference, reference
    reference = for_sells if stop is None or stop > for_sells else stop
    return reference - price, reference


def _held_against(percent: Decimal, beyond: Decimal, reference: Decimal) -> Verdict:
    if reference <= ZERO:
        return False, None, percent
    value = beyond * _HUNDRED
    return value <= percent * reference, (value, reference), percent
