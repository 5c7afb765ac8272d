"""The rules that every new or changed order is held against. RULES is the list, in the order applied.

A rule that lacks what it needs to measure fails: no data, no order. Rules whose ground an earlier rule has
already found missing (no instrument, so no tick size) are left out of the answer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.decimals import ZERO, is_multiple, plain
from domain.errors import Violation
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.margin import Margin, OpenOrders
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import Side


class RuleResult(NamedTuple):
    """What one rule said: `value` was held against `limit`, both in `unit`; a None could not be measured."""

    rule: str
    passed: bool
    value: Decimal | str | None
    limit: Decimal | str | None
    unit: str
    says: str

    @property
    def message(self) -> str:
        """One sentence for a person."""
        if self.value is None:
            return f"{self.says}: not available"
        value = f"{self.says}: {shown(self.value)} {self.unit}".rstrip()
        return value if self.limit is None else f"{value}, limit {shown(self.limit)} {self.unit}".rstrip()


def shown(value: Decimal | str | None) -> str:
    return plain(value) if isinstance(value, Decimal) else value or ""


@dataclass(slots=True)
class Situation:
    """One order and everything the rules look at.

    `adds` is the quantity the order could still trade, `reserve_price` the price it is counted at, and
    `costs` what that makes at worst: more than their product only while a replace is pending.
    `position` and `waiting` leave this order itself out. `before` is the margin without it, None when the
    account cannot be valued; `rate` converts the instrument's currency to the base.
    """

    terms: OrderTerms
    now: datetime
    profile: RiskProfile
    base_currency: str
    instrument: Instrument | None
    quote: Quote | None
    broker_refuses: str
    broker_shorts: bool
    position: Decimal
    waiting: OpenOrders | None
    before: Margin | None
    missing: str
    rate: Decimal | None
    adds: Decimal
    reserve_price: Decimal
    costs: Decimal
    after_buying_power: Decimal | None = field(init=False, default=None)


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


def _instrument_known(s: Situation) -> RuleResult:
    known = s.instrument is not None
    return RuleResult("INSTRUMENT_KNOWN", known, "known" if known else None, None, "", f"instrument {s.terms.symbol}")


def _broker_capability(s: Situation) -> RuleResult:
    return RuleResult(
        "BROKER_CAPABILITY", not s.broker_refuses, s.broker_refuses or "supported", None, "", "at this broker"
    )


def _tick_size(s: Situation) -> RuleResult | None:
    if s.instrument is None:
        return None
    tick, currency = s.instrument.tick_size, s.instrument.currency
    prices = [p for p in (s.terms.limit_price, s.terms.stop_price, s.terms.trail_offset) if p is not None]
    for price in prices:
        if not is_multiple(price, tick):
            return RuleResult("TICK_SIZE", False, price, tick, currency, "price off the tick size")
    return RuleResult("TICK_SIZE", True, prices[0] if prices else ZERO, tick, currency, "price on the tick size")


def _lot_size(s: Situation) -> RuleResult | None:
    if s.instrument is None:
        return None
    lot = max(s.instrument.lot_size, s.instrument.min_quantity)
    fits = is_multiple(s.terms.quantity, s.instrument.lot_size) and s.terms.quantity >= lot
    return RuleResult("LOT_SIZE", fits, s.terms.quantity, lot, "units", "quantity against lot size")


def _quote_present(s: Situation) -> RuleResult | None:
    if s.instrument is None:
        return None
    return RuleResult(
        "QUOTE_PRESENT", s.quote is not None, s.quote.mid if s.quote else None, None, s.instrument.currency, "quote"
    )


def _quote_fresh(s: Situation) -> RuleResult | None:
    if s.quote is None or s.instrument is None:
        return None
    age = Decimal(str(max(0.0, (s.now - s.quote.quote_time).total_seconds())))
    limit = s.profile.max_quote_age
    # While the venue is closed the last quote of the session is the newest there can be.
    fresh = age <= limit or s.instrument.hours.session_at(s.now) is None
    return RuleResult("QUOTE_FRESH", fresh, age, limit, "seconds", "age of the quote")


def _currency_rate(s: Situation) -> RuleResult | None:
    if s.instrument is None:
        return None
    name = f"{s.missing} into {s.base_currency}" if s.missing else s.base_currency
    known = s.before is not None and s.rate is not None
    return RuleResult("CURRENCY_RATE", known, s.rate if known else None, None, "", f"rate or price of {name}")


def _expire_time(s: Situation) -> RuleResult | None:
    expires = s.terms.expire_time
    if expires is None:
        return None
    return RuleResult("EXPIRE_TIME", expires > s.now, expires.isoformat(), s.now.isoformat(), "", "expires after now")


def _max_order_quantity(s: Situation) -> RuleResult | None:
    limits = [s.profile.max_order_quantity, s.instrument.max_quantity if s.instrument else None]
    limit = min((limit for limit in limits if limit is not None), default=None)
    if limit is None:
        return None
    return RuleResult(
        "MAX_ORDER_QUANTITY", s.terms.quantity <= limit, s.terms.quantity, limit, "units", "order quantity"
    )


def _max_order_notional(s: Situation) -> RuleResult | None:
    limit = s.profile.max_order_notional
    if limit is None:
        return None
    value = None if s.rate is None else s.terms.quantity * s.reserve_price * s.rate
    passed = value is not None and value <= limit
    return RuleResult("MAX_ORDER_NOTIONAL", passed, value, limit, s.base_currency, "order notional")


def _short_selling(s: Situation) -> RuleResult | None:
    if s.terms.side is Side.BUY or s.terms.reduce_only:
        return None
    waiting = s.waiting.sell_quantity if s.waiting else ZERO
    short = max(ZERO, waiting + s.adds - s.position)
    limit = s.profile.max_short_quantity if s.profile.short_selling and s.broker_shorts else ZERO
    return RuleResult(
        "SHORT_SELLING", limit is None or short <= limit, short, limit, "units", "short if all sells fill"
    )


def _reduce_only(s: Situation) -> RuleResult | None:
    if not s.terms.reduce_only:
        return None
    closes = max(ZERO, -s.position * s.terms.side.sign)
    return RuleResult("REDUCE_ONLY", s.adds <= closes, s.adds, closes, "units", "quantity against the open position")


def _buying_power(s: Situation) -> RuleResult | None:
    if s.before is None or s.rate is None or s.quote is None:
        return None
    increase = _increase(s) * s.rate
    s.after_buying_power = s.before.buying_power - increase
    passed = increase <= ZERO or increase <= s.before.buying_power
    limit = max(s.before.buying_power, ZERO)
    return RuleResult("BUYING_POWER", passed, increase, limit, s.base_currency, "added exposure against buying power")


def _increase(s: Situation) -> Decimal:
    """What the order adds to its symbol's worst exposure, in the symbol's currency."""
    if s.terms.reduce_only or s.quote is None:
        return ZERO
    held = s.position * s.quote.mid
    waiting = s.waiting or OpenOrders("")
    if s.terms.side is Side.BUY:
        extreme = held + waiting.buy_notional + s.costs
    else:
        extreme = waiting.sell_notional + s.costs - held
    return max(ZERO, extreme - waiting.worst_exposure(held))


RULES: tuple[Callable[[Situation], RuleResult | None], ...] = (
    _instrument_known,
    _broker_capability,
    _tick_size,
    _lot_size,
    _quote_present,
    _quote_fresh,
    _currency_rate,
    _expire_time,
    _max_order_quantity,
    _max_order_notional,
    _short_selling,
    _reduce_only,
    _buying_power,
)


def check(situation: Situation) -> list[RuleResult]:
    """Every rule that applies to the order, passed and failed, in the order of RULES."""
    return [result for rule in RULES if (result := rule(situation)) is not None]


def violations(results: Sequence[RuleResult], subject: str) -> list[Violation]:
    return [Violation(result.rule, subject, result.message) for result in results if not result.passed]
