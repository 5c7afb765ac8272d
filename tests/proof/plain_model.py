"""An account as anybody can work it out from its journal, and what its limits say: plain sums over plain lists.

Nothing of the rules is used here, only the words that journal and requests are written in.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from domain.trading.aggregates.order import Order
from domain.trading.events.order_events import Event
from domain.trading.value_objects.order_terms import OrderTerms
from tests.proof.plain_limits import Limits

ZERO = Decimal(0)
BUFFER: Final = Decimal("0.02")  # so much beyond the quote an order without a limit price may fill

MODELLED: Final = frozenset(
    {
        "KILL_SWITCH",
        "TRADING_STATE",
        "RESTRICTED_SYMBOL",
        "REDUCE_ONLY",
        "MAX_ORDER_QUANTITY",
        "BUYING_POWER",
        "MAX_POSITION",
        "MAX_OPEN_ORDERS",
        "MAX_GROSS_EXPOSURE",
        "MAX_LEVERAGE",
        "ORDER_RATE",
        "DUPLICATE_ORDER",
        "SELF_MATCH",
    }
)
# What holds for the orders with which a kill switch closes positions.
_FLATTENING: Final = frozenset({"MAX_ORDER_QUANTITY", "REDUCE_ONLY"})

Prices = Mapping[str, tuple[Decimal, Decimal]]


@dataclass
class Known:
    """An order as the journal has told it. `price`: what a unit of it counts, `asked`: a pending replace."""

    order_id: str
    terms: OrderTerms
    symbol: str
    sign: int
    strategy_id: str
    quantity: Decimal
    limit: Decimal | None
    price: Decimal
    look: tuple[Any, ...]
    placed: datetime
    only_reduces: bool = False
    flattens: str = ""
    waits_for: str = ""
    filled: Decimal = ZERO
    ended: bool = False
    cancel_asked: bool = False
    cancels: int = 0
    asked: tuple[OrderTerms, Decimal] | None = None

    @property
    def left(self) -> Decimal:
        return max(ZERO, self.quantity - self.filled)

    @property
    def asked_left(self) -> Decimal:
        return max(ZERO, self.asked[0].quantity - self.filled) if self.asked else ZERO

    @property
    def is_open(self) -> bool:
        """Whether it can still trade, or the venue owes an answer about it."""
        return not self.ended and bool(self.left or self.cancel_asked or self.asked)

    @property
    def could_trade(self) -> Decimal:
        return max(self.left, self.asked_left)

    @property
    def could_cost(self) -> Decimal:
        """All that is left trades as it stands and the rest of a replace after it, or the replace comes first."""
        if self.asked is None:
            return self.left * self.price
        price = self.asked[1]
        more = max(ZERO, self.asked_left - self.left)
        return max(self.asked_left * price, self.left * self.price + more * price)

    @property
    def wants(self) -> Decimal:
        """The whole quantity that was asked for last."""
        return self.asked[0].quantity if self.asked else self.quantity

    @property
    def wants_left(self) -> Decimal:
        return max(ZERO, self.wants - self.filled)

    @property
    def offers(self) -> list[Decimal | None]:
        """The limit prices at which it may meet another order; None is any."""
        return [self.limit] if self.asked is None else [self.limit, self.asked[0].limit_price]

    def could_meet(self, other: "Known", prices: Prices) -> bool:
        """Whether it could trade with the other one, were both at the venue now."""
        if self.symbol != other.symbol or self.sign == other.sign:
            return False
        mine = self.offers[-1]
        if mine is None:
            bid, ask = prices[self.symbol]
            mine = ask * (1 + BUFFER) if self.sign > 0 else bid * (1 - BUFFER)
        return any(theirs is None or (mine - theirs) * self.sign >= 0 for theirs in other.offers)


@dataclass
class Account:
    """One account's journal, told event by event."""

    account_id: str
    cash: Decimal = ZERO
    limits: Limits = field(default_factory=lambda: Limits(max_leverage=Decimal(1)))
    orders: dict[str, Known] = field(default_factory=dict)
    position: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    missing: Fraction = Fraction(0)  # tokens
    missing_at: datetime | None = None
    sequence: int = 0

    # -- what the limits say --------------------------------------------------------------------------

    def breaks(
        self, order: Known, limits: Limits, prices: Prices, now: datetime, *, is_new: bool, state: str, killed: bool
    ) -> frozenset[str]:
        """The limits that `order` would break now and here, as it would be once it is placed, or asked to change."""
        broken = self._by_size(order, limits) | self._by_exposure(order, limits, prices)
        meets = not order.waits_for and self.met_by(order, prices) is not None
        if meets and (limits.self_match == "REJECT" or (limits.self_match == "CANCEL_RESTING" and not is_new)):
            broken.add("SELF_MATCH")
        if killed:
            broken.add("KILL_SWITCH")
        lowers = self.lowers(order)
        if state == "HALTED" or (state == "REDUCING" and not lowers):
            broken.add("TRADING_STATE")
        if order.symbol in limits.restricted and not lowers:
            broken.add("RESTRICTED_SYMBOL")
        if order.only_reduces and order.wants_left > self.closes(order):
            broken.add("REDUCE_ONLY")
        if is_new and limits.order_rate is not None and self.tokens(limits.order_rate, now) < 1:
            broken.add("ORDER_RATE")
        if limits.duplicate_window is not None:
            since = now - timedelta(seconds=float(limits.duplicate_window))
            if any(one.look == order.look and one.placed >= since for one in self._others(order)):
                broken.add("DUPLICATE_ORDER")
        return frozenset(broken & _FLATTENING if order.flattens and is_new else broken)

    def _by_size(self, order: Known, limits: Limits) -> set[str]:
        open_orders = sum(1 for one in self._others(order) if one.is_open) + 1
        takes = self.takes(order)
        reached = order.sign * self.position[order.symbol] + self.ahead(order) + takes
        measured: dict[str, tuple[Any, Any]] = {
            "MAX_ORDER_QUANTITY": (order.wants, limits.max_order_quantity),
            "MAX_POSITION": (reached if takes else ZERO, limits.max_position_quantity),
            "MAX_OPEN_ORDERS": (open_orders, limits.max_open_orders),
        }
        return {name for name, (value, limit) in measured.items() if limit is not None and value > limit}

    def _by_exposure(self, order: Known, limits: Limits, prices: Prices) -> set[str]:
        """Each symbol counts with the worse of two cases: all open buys have filled, or all open sells have."""
        before, after = (self._gross([*self._others(order), *more], prices) for more in ([], [order]))
        if after <= before:
            return set()
        equity = self.cash + sum((held * _mid(prices, symbol) for symbol, held in self.position.items()), ZERO)
        measured = {
            "MAX_GROSS_EXPOSURE": limits.max_gross_exposure,
            "BUYING_POWER": equity * (1 if limits.max_leverage is None else limits.max_leverage),
            "MAX_LEVERAGE": None if limits.max_leverage is None else equity * limits.max_leverage,
        }
        return {name for name, limit in measured.items() if limit is not None and after > limit}

    def _gross(self, orders: Iterable[Known], prices: Prices) -> Decimal:
        cost: defaultdict[tuple[str, int, bool], Decimal] = defaultdict(Decimal)
        for one in orders:
            if one.is_open:
                cost[one.symbol, one.sign, one.only_reduces] += one.could_cost
        return sum((self._worst(symbol, cost, prices) for symbol in prices), ZERO)

    def _worst(self, symbol: str, cost: Mapping[tuple[str, int, bool], Decimal], prices: Prices) -> Decimal:
        held = self.position[symbol] * _mid(prices, symbol)
        return max(
            sign * held + cost[symbol, sign, False] + min(cost[symbol, sign, True], max(ZERO, -sign * held))
            for sign in (1, -1)
        )

    def _others(self, order: Known) -> Iterable[Known]:
        return (one for one in self.orders.values() if one.order_id != order.order_id)

    def closes(self, order: Known) -> Decimal:
        """What of the position its side could close."""
        return max(ZERO, -order.sign * self.position[order.symbol])

    def ahead(self, order: Known) -> Decimal:
        """What the other open orders on its side may still trade."""
        plain, reducing = self._on_its_side(order)
        return plain + min(reducing, self.closes(order))

    def _on_its_side(self, order: Known) -> tuple[Decimal, Decimal]:
        """What the other open orders of its side may trade: the plain ones, and those that only reduce."""
        same = [o for o in self._others(order) if o.is_open and (o.symbol, o.sign) == (order.symbol, order.sign)]
        plain, reducing = (sum((o.could_trade for o in same if o.only_reduces is kind), ZERO) for kind in (False, True))
        return plain, reducing

    def takes(self, order: Known) -> Decimal:
        """By how much it raises what its side may trade. All that only reduce together trade no more than is held."""
        if not order.only_reduces:
            return order.wants_left
        _, reducing = self._on_its_side(order)
        return min(reducing + order.wants_left, self.closes(order)) - min(reducing, self.closes(order))

    def lowers(self, order: Known) -> bool:
        """Whether it only closes what no other order closes, or takes back a part of what it may do itself."""
        old = self.orders.get(order.order_id)
        if old is not None and order.wants_left < old.could_trade and order.could_cost <= old.could_cost:
            return True
        left = self.closes(order) - self.ahead(order)
        takes = self.takes(order)
        return takes <= left or (order.only_reduces and not takes)

    def met_by(self, order: Known, prices: Prices) -> Known | None:
        """An open order at the venue that it could trade with."""
        others = (one for one in self._others(order) if one.is_open and not one.waits_for)
        return next((one for one in others if order.could_meet(one, prices)), None)

    def tokens(self, rate: tuple[int, Decimal], now: datetime) -> Fraction:
        """An empty bucket is full after the period; what was missing comes back at the rate that holds when asked."""
        return rate[0] - self._missing(rate, now)

    def _missing(self, rate: tuple[int, Decimal], now: datetime) -> Fraction:
        if self.missing_at is None:
            return Fraction(0)
        seconds = Fraction((now - self.missing_at) // timedelta(microseconds=1), 1_000_000)
        return max(Fraction(0), self.missing - seconds * rate[0] / Fraction(rate[1]))

    # -- what the journal says ------------------------------------------------------------------------

    def wanted(self, id: str, terms: OrderTerms, prices: Prices, now: datetime) -> Known:
        """A new order of these terms, at the price at which it would cost the account the most."""
        _, ask = prices[terms.symbol]
        sign = terms.side.sign
        limit = terms.limit_price
        price = max(limit or ZERO, ask) if sign < 0 else limit or ask * (1 + BUFFER)
        flattens = dict(terms.tags).get("kill_switch", "")
        return Known(
            id,
            terms,
            terms.symbol,
            sign,
            terms.strategy_id,
            terms.quantity,
            limit,
            price,
            _look(terms),
            now,
            terms.reduce_only,
            flattens,
        )

    def changed(self, old: Known, terms: OrderTerms, prices: Prices, now: datetime) -> Known:
        """`old` as it would be once it is asked to change; one that is at no venue changes at once."""
        new = self.wanted(old.order_id, terms, prices, now)
        if old.waits_for:
            return replace(old, terms=terms, quantity=new.quantity, limit=new.limit, price=new.price, look=new.look)
        return replace(old, asked=(terms, new.price), look=new.look)

    def tell(self, event: Event, prices: Prices) -> None:
        """The next event has happened."""
        assert event.sequence == self.sequence + 1, "the journal has no holes"
        self.sequence = event.sequence
        if event.account is not None:
            self.cash = event.account.starting_cash
        if event.risk_profile is not None and event.risk_profile.account_id == self.account_id:
            self.limits = Limits.of(event.risk_profile)
        order = None if event.order is None else self.orders.get(event.order.order_id)
        name = event.type.value
        if name == "ORDER_PLACED":
            self._placed(event, prices)
        elif order is not None:
            assert event.order is not None
            self._order_told(order, event, event.order, name, prices)

    def _placed(self, event: Event, prices: Prices) -> None:
        assert event.order is not None
        order = self.wanted(event.order.order_id, event.order.terms, prices, event.event_time)
        order.waits_for = event.order.waits_for
        self.orders[order.order_id] = order
        rate = self.limits.order_rate
        if rate is not None:
            self.missing = self._missing(rate, event.event_time) + 1
            self.missing_at = event.event_time

    def _order_told(self, order: Known, event: Event, told: Order, name: str, prices: Prices) -> None:
        if event.fill is not None:
            order.filled += event.fill.quantity
            self.position[order.symbol] += order.sign * event.fill.quantity
            self.cash -= order.sign * event.fill.quantity * event.fill.price
            if order.asked is not None and order.quantity < order.filled <= order.asked[0].quantity:
                _replaced(order, told)  # no venue fills more than it has been asked for
        elif name == "ORDER_ACTIVATED":
            order.waits_for = told.waits_for
        elif name in ("ORDER_CANCELED", "ORDER_EXPIRED", "ORDER_REJECTED"):
            order.ended, order.cancel_asked, order.asked = True, False, None
            if name == "ORDER_REJECTED":  # it never was at the venue: to send it again is no slip of the hand
                order.look = ()
        elif name in ("CANCEL_REQUESTED", "CANCEL_REJECTED"):
            order.cancel_asked = name == "CANCEL_REQUESTED"
            order.cancels += order.cancel_asked
        elif name == "REPLACE_REQUESTED":
            assert told.replace_terms is not None
            self._changed(order, told.replace_terms, prices, event.event_time)
        elif name == "REPLACE_REJECTED":
            order.asked = None
        elif name == "ORDER_REPLACED" and order.asked is None:
            self._changed(order, told.terms, prices, event.event_time)
        elif name == "ORDER_REPLACED" and order.asked is not None:
            _replaced(order, told)

    def _changed(self, order: Known, terms: OrderTerms, prices: Prices, now: datetime) -> None:
        """What is only asked for does not change what it looks like."""
        changed = self.changed(order, terms, prices, now)
        self.orders[order.order_id] = changed if order.waits_for else replace(changed, look=order.look)


def _replaced(order: Known, told: Order) -> None:
    """What was asked for is in force."""
    assert order.asked is not None
    terms, order.price = order.asked
    order.terms = terms
    order.quantity, order.limit, order.asked = max(terms.quantity, order.filled), terms.limit_price, None
    order.look = _look(told.terms)


def _look(terms: OrderTerms) -> tuple[Any, ...]:
    return (terms.symbol, terms.side, terms.quantity, terms.type, terms.limit_price)


def _mid(prices: Prices, symbol: str) -> Decimal:
    bid, ask = prices[symbol]
    return (bid + ask) / 2
