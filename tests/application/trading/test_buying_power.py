"""Orders sent in any order, filled and cancelled in any order, can never together use more than the account has."""

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from application.trading.examination import examine
from domain.errors import PreconditionFailed
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.trading import Desk, instrument, refusal_of, terms

X = ExecType
MARKS = {"ACME": Decimal(50), "EURO": Decimal(20)}
HALF_SPREAD = Decimal("0.5")
RATES = {"USD": Decimal(1), "EUR": Decimal("1.25")}
CURRENCIES = {"ACME": "USD", "EURO": "EUR"}


def a_desk(half_spread: Decimal = HALF_SPREAD) -> Desk:
    """10,000 USD, no leverage, and markets that stand still."""
    desk = Desk(10_000, market_order_buffer=Decimal("0.02"))
    for symbol, currency in CURRENCIES.items():
        desk.quotes.list(instrument(symbol, currency))
        desk.quotes.set(symbol, MARKS[symbol] - half_spread, MARKS[symbol] + half_spread)
    desk.quotes.set("EUR/USD", RATES["EUR"])
    return desk


def worst_price(order: Order, terms: OrderTerms) -> Decimal:
    """The price at which a fill under `terms` costs the account the most, as the caller has allowed it."""
    mark = MARKS[order.terms.symbol]
    if terms.side is Side.SELL:
        return max(mark - HALF_SPREAD, terms.limit_price or Decimal(0))
    return terms.limit_price or (mark + HALF_SPREAD) * Decimal("1.02")


Trade = tuple[Decimal, Decimal]


def courses(order: Order) -> list[list[Trade]]:
    """What may become of the order at its extremes, each course as trades of a quantity at a price.

    All of it fills; while a replace is pending, all of it before that and what is new after it, or after it alone.
    """
    left = max(Decimal(0), order.terms.quantity - order.filled_quantity)
    before = (left, worst_price(order, order.terms))
    if order.replace_terms is None:
        return [[before]]
    new_left = max(Decimal(0), order.replace_terms.quantity - order.filled_quantity)
    price = worst_price(order, order.replace_terms)
    return [[(new_left, price)], [before, (max(Decimal(0), new_left - left), price)]]


def dearest(order: Order) -> list[Trade]:
    """Of the order's courses the one that leaves the account with the least for what it then holds."""
    mark = MARKS[order.terms.symbol]

    def burden(course: list[Trade]) -> Decimal:
        sign = order.terms.side.sign
        return sum((quantity * (mark + sign * (price - mark)) for quantity, price in course), Decimal(0))

    return max(courses(order), key=burden)


def require_affordable(desk: Desk) -> None:
    """Let all buys or all sells of each symbol fill, in every combination: gross exposure stays within equity."""
    for sides in product(Side, repeat=len(MARKS)):
        equity = gross = Decimal(0)
        for currency, amount in desk.book.portfolio.cash.items():
            equity += amount * RATES[currency]
        for (symbol, mark), side in zip(MARKS.items(), sides, strict=True):
            rate = RATES[CURRENCIES[symbol]]
            quantity = desk.book.portfolio.position(symbol, "").quantity
            for order in desk.book.open():
                if order.terms.symbol == symbol and order.terms.side is side:
                    for traded, price in dearest(order):
                        quantity += side.sign * traded
                        equity -= side.sign * traded * price * rate
            equity += quantity * mark * rate
            gross += abs(quantity * mark * rate)
        assert gross <= equity, sides


class BuyingPowerMachine(RuleBasedStateMachine):
    placed = Bundle("placed")

    @initialize()
    def open_account(self) -> None:
        self.desk = a_desk()
        self.made = 0

    @rule(
        target=placed,
        symbol=st.sampled_from(list(MARKS)),
        side=st.sampled_from(Side),
        quantity=st.integers(1, 250),
        percent=st.none() | st.integers(60, 140),
    )
    def place(self, symbol: str, side: Side, quantity: int, percent: int | None) -> str:
        self.made += 1
        price = None if percent is None else MARKS[symbol] * percent / 100
        refused = refusal_of(lambda: self.desk.place(terms(f"o{self.made}", side, quantity, price, symbol=symbol)))
        if isinstance(refused, PreconditionFailed):
            assert [violation.rule for violation in refused.violations] == ["BUYING_POWER", "MAX_LEVERAGE"]
        return f"o{self.made}"

    @rule(name=placed, quantity=st.integers(1, 400), percent=st.none() | st.integers(60, 140))
    def replace(self, name: str, quantity: int, percent: int | None) -> None:
        order = self.desk.order(name)
        has_price = order.terms.limit_price is not None
        price = MARKS[order.terms.symbol] * percent / 100 if percent and has_price else None
        self.desk.report(X.NEW, name)
        refused = refusal_of(lambda: self.desk.replace(name, quantity=Decimal(quantity), limit_price=price))
        reasons = {"RISK_CHECK_FAILED", "ORDER_NOT_OPEN", "ORDER_NOT_REPLACEABLE"}
        assert refused is None or refused.reason in reasons

    @rule(name=placed, type=st.sampled_from([X.REPLACED, X.REPLACE_REJECTED]))
    def answer_a_replace(self, name: str, type: ExecType) -> None:
        self.desk.report(type, name)

    @rule(name=placed, part=st.sampled_from([Decimal(1), Decimal("0.5")]))
    def fill_at_the_worst_price(self, name: str, part: Decimal) -> None:
        order = self.desk.order(name)
        quantity = (order.leaves_quantity * part).to_integral_value()
        if quantity:
            self.made += 1
            self.desk.trade(f"t{self.made}", quantity, worst_price(order, order.terms), name)

    @rule(name=placed, type=st.sampled_from([X.CANCELED, X.EXPIRED, X.REJECTED, X.UNCLEAR, X.ABSENT]))
    def answer(self, name: str, type: ExecType) -> None:
        self.desk.report(type, name)

    @rule(name=placed)
    def cancel(self, name: str) -> None:
        if self.desk.order(name).is_open:
            self.desk.cancel(name)

    @rule()
    def restart(self) -> None:
        self.desk.restart()

    @invariant()
    def all_that_is_open_can_be_paid_for(self) -> None:
        require_affordable(self.desk)


BuyingPowerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBuyingPower = BuyingPowerMachine.TestCase


def buying_power(desk: Desk) -> Decimal:
    before = examine(desk.book, terms("probe", quantity=1)).before
    assert before is not None
    return before.buying_power


def test_two_orders_cannot_use_the_same_money() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(terms("a", quantity=120, price=50))
    with pytest.raises(PreconditionFailed):
        desk.place(terms("b", quantity=81, price=50))
    desk.place(terms("c", quantity=80, price=50))
    assert buying_power(desk) == 0


def test_an_order_of_unknown_outcome_stays_reserved_until_it_is_proven_absent() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(quantity=200)
    desk.report(X.UNCLEAR)
    assert buying_power(desk) == 0
    desk.report(X.ABSENT)
    assert buying_power(desk) == 10_000


def test_a_filled_order_whose_larger_replace_is_pending_reserves_what_that_may_still_buy() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(quantity=100)
    desk.report(X.NEW)
    desk.replace(quantity=Decimal(200))
    desk.trade("t", 100)
    assert buying_power(desk) == 0
    desk.report(X.REPLACE_REJECTED)
    assert buying_power(desk) == 5_000


def test_a_lowered_limit_gives_its_money_back_once_the_broker_has_confirmed_it() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(quantity=100, price=50)
    desk.report(X.NEW)
    desk.replace(limit_price=Decimal(40))
    assert buying_power(desk) == 5_000
    desk.report(X.REPLACED)
    assert buying_power(desk) == 6_000


def test_a_raised_limit_that_is_refused_gives_its_money_back() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(quantity=100, price=50)
    desk.report(X.NEW)
    desk.replace(limit_price=Decimal(60))
    assert buying_power(desk) == 4_000
    desk.report(X.REPLACE_REJECTED)
    assert buying_power(desk) == 5_000


def test_closing_a_position_needs_no_buying_power() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(quantity=200)
    desk.trade("t", 200)
    assert buying_power(desk) == 0
    desk.place(terms("close", Side.SELL, 200, None, type=OrderType.MARKET))
    assert buying_power(desk) == 0


def test_turning_a_position_round_needs_buying_power_for_what_it_opens_alone() -> None:
    desk = a_desk(half_spread=Decimal(0))
    desk.place(quantity=200)
    desk.trade("t", 200)
    desk.place(terms("turn", Side.SELL, 400, None))
    with pytest.raises(PreconditionFailed):
        desk.place(terms("further", Side.SELL, 1, None))
