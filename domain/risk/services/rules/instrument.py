"""What the order needs to know first: the instrument, its quote, its currency's rate, its grid and its hours."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from domain.decimals import ZERO, is_multiple
from domain.market_data.instrument import InstrumentStatus
from domain.market_data.trading_hours import Session, TradingHours
from domain.risk.services.situation import Situation, Verdict

# An enum's member costs more to look up than the rule.
ACTIVE: Final = InstrumentStatus.ACTIVE
_MICROSECOND: Final = timedelta(microseconds=1)
_MICROS: Final = Decimal("0.000001")
_TWO: Final = Decimal(2)
_MOST_SESSIONS: Final = 4096

# By the identity of the hours, which is why they are kept: when they were asked for, and the session from then on.
_sessions: dict[int, tuple[TradingHours, datetime, Session]] = {}


def is_open(hours: TradingHours, now: datetime) -> bool:
    """Whether the venue trades at `now`. To find a session takes long, so it is kept until it has closed."""
    known = _sessions.get(id(hours))
    if known is not None and known[0] is hours and known[1] <= now < known[2].close:
        return known[2].open <= now
    session = hours.next_session(now)
    if len(_sessions) >= _MOST_SESSIONS:
        _sessions.clear()
    _sessions[id(hours)] = hours, now, session
    return session.open <= now


def instrument_known(s: Situation) -> Verdict | None:
    """Known, and one that takes orders."""
    if s.instrument is None:
        return False, None, None
    status = s.instrument.status
    return (True, "known", None) if status is ACTIVE else (False, status.value, "ACTIVE")


def tick_size(s: Situation) -> Verdict | None:
    if s.instrument is None:
        return None
    terms, tick = s.terms, s.instrument.tick_size
    first = None
    for price in (terms.limit_price, terms.stop_price, terms.trail_offset):
        if price is None:
            continue
        if not is_multiple(price, tick):
            return False, price, tick
        first = price if first is None else first
    return True, ZERO if first is None else first, tick


def lot_size(s: Situation) -> Verdict | None:
    if s.instrument is None:
        return None
    quantity, lot, least = s.terms.quantity, s.instrument.lot_size, s.instrument.min_quantity
    if least < lot:
        least = lot
    return quantity >= least and is_multiple(quantity, lot), quantity, least


def quote_present(s: Situation) -> Verdict | None:
    if s.instrument is None:
        return None
    quote = s.quote
    return (False, None, None) if quote is None else (True, (quote.bid_price + quote.ask_price, _TWO), None)


def quote_fresh(s: Situation) -> Verdict | None:
    limit = s.profile.max_quote_age
    if s.quote is None or s.instrument is None or limit is None:
        return None
    micros = (s.now - s.quote.quote_time) // _MICROSECOND
    age = micros * _MICROS if micros > 0 else ZERO
    # While the venue is closed the last quote of the session is the newest there can be.
    return age <= limit or not is_open(s.instrument.hours, s.now), age, limit


def currency_rate(s: Situation) -> Verdict | None:
    if s.instrument is None:
        return None
    known = s.before is not None and s.rate is not None
    return known, s.rate if known else None, None


def expire_time(s: Situation) -> Verdict | None:
    expires = s.terms.expire_time
    if expires is None:
        return None
    return expires > s.now, expires, s.now


def trading_hours(s: Situation) -> Verdict | None:
    if s.instrument is None or s.flattens or not s.profile.trading_hours_only:
        return None
    open = is_open(s.instrument.hours, s.now)
    return open, "open" if open else "closed", "open"
