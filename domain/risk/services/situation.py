"""What the pre-trade rules look at: one order, or one replace, and everything around it."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

from domain.decimals import ZERO
from domain.market_data.instrument import Instrument
from domain.market_data.quote import Quote
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.services.margin import Margin, OpenOrders
from domain.risk.value_objects.limits import SymbolLimits
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import Side

Value: TypeAlias = Decimal | str | None
# What a rule gives at little cost, to be told only when somebody asks; a pair is a quotient.
Raw: TypeAlias = Value | int | datetime | tuple[Decimal, Decimal]
# Whether the order passes, the value that was measured (None: could not be), the limit, and the unit where it is not
# the rule's only one. A rule that does not apply gives None instead.
Verdict: TypeAlias = tuple[bool, Raw, Raw] | tuple[bool, Raw, Raw, str]

# An enum's member costs more to look up than most rules cost in all.
BUY: Final = Side.BUY

_NOTHING_REMEMBERED: Final = RiskState("")
_NO_LIMITS: Final = SymbolLimits("")


class Impact(NamedTuple):
    """What an order makes of its symbol's exposure at worst, in the base currency.

    `added` is the rise of the symbol's worst exposure, `worst` that exposure with the order, `side` the position's
    value if all open orders on the order's side fill: what is long for a buy, what is short for a sell. `costs` is
    what the order itself adds to its side.
    """

    added: Decimal
    worst: Decimal
    side: Decimal
    costs: Decimal


@dataclass(slots=True)
class Situation:
    """One order and everything the rules look at. What counts open orders leaves this order itself out.

    `profile` holds the limits that are applied: the stricter of the account's and the firm's.
    `adds` is the quantity the order could still trade, `reserve_price` the price it is counted at, and
    `costs` what that makes at worst: more than their product only while a replace is pending. `replaces` is
    the same quantity and notional of the order as it stands, None for a new order.
    `before` is the margin without it, None when the account cannot be valued; `rate` converts the instrument's
    currency to the base. `controls_state` is the most severe trading state that bears on the order, None when all are
    ACTIVE; `kill` an engaged kill switch that does. `window`: the lowest and the highest middle price in the
    collar's window, None when unknown. `rate_tokens`: what the bucket of new orders, or of replaces, holds;
    `executions_left`: the same of the strategy's executions. `duplicate_of` and `self_match` are ids of
    orders, or empty. `flattens`: an order of a kill switch or of a loss limit itself. `is_exit`: the position that it
    closes is yet to be opened by its parent.
    What follows is set by the check: `symbol_limits` are those of the profile and the symbol together.
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
    controls_state: ScopedTradingState | None = None
    kill: KillSwitch | None = None
    window: tuple[Decimal, Decimal] | None = None
    open_orders: int = 0
    is_replace: bool = False
    replaces: tuple[Decimal, Decimal] | None = None
    rate_tokens: Decimal | None = None
    executions_left: Decimal | None = None
    duplicate_of: str = ""
    self_match: str = ""
    state: RiskState = _NOTHING_REMEMBERED
    flattens: bool = False
    is_exit: bool = False
    symbol_limits: SymbolLimits = field(init=False, default=_NO_LIMITS)
    after_buying_power: Decimal | None = field(init=False, default=None)
    measured: Impact | None = field(init=False, default=None)


def impact(s: Situation) -> Impact | None:
    """Measured once; None without a quote or a rate."""
    if s.measured is None and s.quote is not None and s.rate is not None:
        s.measured = _measure(s, s.position * s.quote.mid, s.rate)
    return s.measured


def _measure(s: Situation, held: Decimal, rate: Decimal) -> Impact:
    waiting = s.waiting
    buys, sells = (waiting.bought(held), waiting.sold(held)) if waiting else (ZERO, ZERO)
    costs = _takes_value(s, held) if s.terms.reduce_only else s.costs
    long, short = held + buys, sells - held
    before = max(short, long)
    side = (long if s.terms.side is BUY else short) + costs
    added = side - before
    if added <= ZERO:
        return Impact(ZERO, before * rate, side * rate, costs * rate)
    return Impact(added * rate, side * rate, side * rate, costs * rate)


def _takes_value(s: Situation, held: Decimal) -> Decimal:
    """As `takes` of a reduce-only order, by value and as the margin counts it."""
    if s.terms.side is BUY:
        most, reducing = max(ZERO, -held), s.waiting.buy_reducing_notional if s.waiting else ZERO
    else:
        most, reducing = max(ZERO, held), s.waiting.sell_reducing_notional if s.waiting else ZERO
    return _taken(s, s.costs, reducing, most)


def takes(s: Situation) -> Decimal:
    """The quantity that the order adds to what its side could trade.

    One that only reduces adds what it may take of the position. The venue sees to it that it opens nothing, but what
    it closes first, the plain orders of its side open instead.
    """
    return _taken(s, s.adds, _reducing(s), closes(s)) if s.terms.reduce_only else s.adds


def _taken(s: Situation, adds: Decimal, reducing: Decimal, most: Decimal) -> Decimal:
    """What a reduce-only order takes besides those that are `reducing` already; together they take no more than `most`.

    An exit takes only what its own parent opens, and an order of a kill switch is held up by nothing.
    """
    if s.is_exit or s.flattens:
        return ZERO
    return min(reducing + adds, most) - min(reducing, most)


def pushes(s: Situation) -> bool:
    """Whether a reduce-only order takes what plain orders of its side were to close, so that these could open it."""
    taken = takes(s)
    return taken > ZERO and ahead(s) + taken > closes(s)


def _reducing(s: Situation) -> Decimal:
    if s.waiting is None:
        return ZERO
    return s.waiting.buy_reducing if s.terms.side is BUY else s.waiting.sell_reducing


def closes(s: Situation) -> Decimal:
    """The quantity of the position that an order of this side could close."""
    closing = -s.position if s.terms.side is BUY else s.position
    return max(ZERO, closing)


def ahead(s: Situation) -> Decimal:
    """The quantity of the other open orders on the order's side: of those that only reduce, what they can close."""
    waiting = s.waiting
    if waiting is None:
        return ZERO
    if s.terms.side is BUY:
        plain, reducing = waiting.buy_quantity, waiting.buy_reducing
    else:
        plain, reducing = waiting.sell_quantity, waiting.sell_reducing
    return plain + min(reducing, closes(s)) if reducing else plain


def lowers(s: Situation) -> bool:
    """Whether nothing but a lower exposure can come of it: it closes what no other open order does already, or
    it takes back a part of what the order may do as it stands.
    """
    if s.replaces is not None and s.adds < s.replaces[0] and s.costs <= s.replaces[1]:
        return True
    if s.terms.reduce_only:
        return not pushes(s)
    return s.adds <= closes(s) - ahead(s)
