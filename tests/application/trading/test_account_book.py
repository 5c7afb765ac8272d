"""The account's book under anything that callers and brokers may do to it, and what it keeps in memory."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from application.trading import account_book
from application.trading.commands.cancel_orders_command import CancelOrders
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import GroupType, OrderType, Side
from tests.support.replay import require_read_models_equal_a_replay
from tests.support.trading import ACCOUNT, Desk, instrument, refusal_of, terms

START = {"USD": Decimal(20_000), "EUR": Decimal(500)}
SYMBOLS = {"ACME": "USD", "EURO": "EUR"}
X = ExecType

QUANTITIES = st.integers(1, 30)
PRICES = st.integers(30, 70).map(Decimal)
ANSWERS = [
    X.NEW,
    X.TRIGGERED,
    X.CANCELED,
    X.CANCEL_REJECTED,
    X.REPLACED,
    X.REPLACE_REJECTED,
    X.REJECTED,
    X.EXPIRED,
    X.UNCLEAR,
    X.ABSENT,
]


class BookMachine(RuleBasedStateMachine):
    """Callers ask, brokers answer, the process restarts: in any order."""

    placed = Bundle("placed")

    @initialize()
    def open_account(self) -> None:
        self.desk = Desk({currency: str(amount) for currency, amount in START.items()})
        for symbol, currency in SYMBOLS.items():
            self.desk.quotes.list(instrument(symbol, currency))
            self.desk.quotes.set(symbol, "50")
        self.desk.quotes.set("EUR/USD", "1.25")
        self.made = 0

    def new_id(self) -> str:
        self.made += 1
        return f"id {self.made}"

    # -- callers ------------------------------------------------------------------------------------

    @rule(
        target=placed,
        symbol=st.sampled_from(list(SYMBOLS)),
        side=st.sampled_from(Side),
        quantity=QUANTITIES,
        price=PRICES,
        type=st.sampled_from([OrderType.LIMIT, OrderType.MARKET, OrderType.STOP]),
        reduce_only=st.booleans(),
    )
    def place(self, symbol: str, side: Side, quantity: int, price: Decimal, type: OrderType, reduce_only: bool) -> str:
        name = self.new_id()
        more: dict[str, Any] = {"symbol": symbol, "type": type, "reduce_only": reduce_only}
        if type is OrderType.STOP:
            more["stop_price"] = price
        limit = price if type is OrderType.LIMIT else None
        refusal_of(lambda: self.desk.place(terms(name, side, quantity, limit, **more)))
        return name

    @rule(target=placed, type=st.sampled_from(GroupType), side=st.sampled_from(Side), quantity=QUANTITIES)
    def place_group(self, type: GroupType, side: Side, quantity: int) -> Any:
        first, second, third = self.new_id(), self.new_id(), self.new_id()
        exit_side = side if type is GroupType.OCO else side.opposite
        members = [terms(first, side, quantity, 50), terms(second, exit_side, quantity, 55)]
        if type is GroupType.BRACKET:
            members.append(terms(third, exit_side, quantity, None, type=OrderType.STOP, stop_price=Decimal(45)))
        refusal_of(lambda: self.desk.place_group(type, *members))
        return second

    @rule(name=placed)
    def cancel(self, name: str) -> None:
        refusal_of(lambda: self.desk.cancel(name))

    @rule(symbol=st.sampled_from(list(SYMBOLS)))
    def cancel_all_of(self, symbol: str) -> None:
        self.desk.run(CancelOrders(ACCOUNT, "user:test", symbol=symbol))

    @rule(name=placed, quantity=QUANTITIES, price=st.none() | PRICES)
    def replace(self, name: str, quantity: int, price: Decimal | None) -> None:
        refusal_of(lambda: self.desk.replace(name, quantity=Decimal(quantity), limit_price=price))

    @rule(limit=st.none() | QUANTITIES.map(Decimal))
    def change_a_limit(self, limit: Decimal | None) -> None:
        self.desk.run(UpdateRiskProfile(ACCOUNT, "user:test", {"max_order_quantity": limit}))

    # -- brokers ------------------------------------------------------------------------------------

    def any_order(self, which: int) -> Order | None:
        orders = list(self.desk.records.orders.values())
        return orders[which % len(orders)] if orders else None

    @rule(which=st.integers(0, 50), type=st.sampled_from(ANSWERS))
    def answer(self, which: int, type: ExecType) -> None:
        order = self.any_order(which)
        if order is not None and not order.held:
            self.desk.report(type, order.terms.client_order_id)

    @rule(which=st.integers(0, 50), quantity=QUANTITIES, price=PRICES, fee=st.integers(-1, 3).map(Decimal))
    def trade(self, which: int, quantity: int, price: Decimal, fee: Decimal) -> None:
        order = self.any_order(which)
        if order is not None and not order.held:
            details = {"fee": fee, "fee_currency": "USD"}
            self.desk.trade(self.new_id(), quantity, price, order.terms.client_order_id, **details)

    @rule(which=st.integers(0, 50), to=st.none() | QUANTITIES, price=PRICES)
    def bust_or_correct(self, which: int, to: int | None, price: Decimal) -> None:
        fills = list(self.desk.records.fills.values())
        if not fills:
            return
        fill = fills[which % len(fills)]
        reference = {"reference_id": fill.execution_id}
        if to is None:
            self.desk.report(X.TRADE_CANCEL, fill.client_order_id, **reference)
        else:
            details = {"execution_id": self.new_id(), "quantity": Decimal(to), "price": price}
            self.desk.report(X.TRADE_CORRECT, fill.client_order_id, **reference, **details)

    @rule()
    def restart(self) -> None:
        before = self.desk.book
        self.desk.restart()
        assert {o.order_id: o for o in self.desk.book.open()} == {o.order_id: o for o in before.open()}
        assert self.desk.book.open_orders == before.open_orders
        assert self.desk.book.portfolio.positions == before.portfolio.positions

    # -- what always holds --------------------------------------------------------------------------

    @invariant()
    def open_orders_equal_a_recount(self) -> None:
        assert as_counted(self.desk) == recounted(self.desk)

    @invariant()
    def the_store_has_what_memory_has(self) -> None:
        stored = self.desk.records.orders
        assert all(stored[order_id] == order for order_id, order in self.desk.book.orders.items())
        open_in_store = {order_id for order_id, order in stored.items() if order.is_open}
        assert {order.order_id for order in self.desk.book.open()} == open_in_store

    @invariant()
    def each_change_is_the_next_version_of_its_order(self) -> None:
        versions: defaultdict[str, list[int]] = defaultdict(list)
        for event in self.desk.records.events:
            if event.order is None:
                continue
            assert event.order.sequence == event.sequence
            seen = versions[event.order.order_id]
            if event.type is EventType.SUBMISSION_RESOLVED:
                assert event.order.version == seen[-1]  # it changes nothing
            else:
                seen.append(event.order.version)
        assert all(seen == list(range(1, len(seen) + 1)) for seen in versions.values())

    @invariant()
    def nothing_is_left_of_a_closed_order_and_nothing_less_than_nothing_of_an_open_one(self) -> None:
        for order in self.desk.book.orders.values():
            assert order.leaves_quantity >= 0
            assert order.is_open or not order.leaves_quantity

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            require_read_models_equal_a_replay(self.desk.records, START)


def as_counted(desk: Desk) -> dict[str, tuple[Decimal, ...]]:
    return {
        symbol: (
            *(waiting.buy_quantity, waiting.buy_notional, waiting.sell_quantity, waiting.sell_notional),
            *(waiting.buy_reducing, waiting.buy_reducing_notional),
            *(waiting.sell_reducing, waiting.sell_reducing_notional),
        )
        for symbol, waiting in desk.book.open_orders.items()
    }


def recounted(desk: Desk) -> dict[str, tuple[Decimal, ...]]:
    """What each order could still trade at most, and at what cost, added up from nothing."""
    totals: defaultdict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 8)
    for order in desk.book.orders.values():
        if not order.is_open or (order.terms.reduce_only and order.held):
            continue
        quantity, cost = at_most(order)
        if quantity:
            at = (0 if order.terms.side is Side.BUY else 2) + (4 if order.terms.reduce_only else 0)
            totals[order.terms.symbol][at] += quantity
            totals[order.terms.symbol][at + 1] += cost
    return {symbol: tuple(sums) for symbol, sums in totals.items()}


def at_most(order: Order) -> tuple[Decimal, Decimal]:
    """Every number of units that may trade before a pending replace, and the rest after it: the dearest course."""
    asked = max(order.terms.quantity, order.initial_quantity if order.parent_order_id else Decimal(0))
    left = max(Decimal(0), asked - order.filled_quantity)
    if order.replace_terms is None:
        return left, left * order.reserve_price
    new_left = max(Decimal(0), order.replace_terms.quantity - order.filled_quantity)
    courses = [
        first * order.reserve_price + max(Decimal(0), new_left - first) * order.replace_price
        for first in map(Decimal, range(int(left) + 1))
    ]
    return max(left, new_left), max(courses)


BookMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestTheBookUnderAnything = BookMachine.TestCase


# -- what stays in memory -----------------------------------------------------------------------------


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk that keeps three closed orders in memory."""
    monkeypatch.setattr(account_book, "_RECENT_CLOSED_ORDERS", 3)
    return Desk()


def close_some(desk: Desk, count: int = 6, prefix: str = "closed") -> None:
    for number in range(count):
        desk.place(client_order_id=f"{prefix} {number}")
        desk.report(X.CANCELED, f"{prefix} {number}")


def remembered(desk: Desk) -> set[str]:
    return {order.terms.client_order_id for order in desk.book.orders.values()}


def bracket(desk: Desk) -> None:
    desk.place_group(
        GroupType.BRACKET,
        terms("entry", quantity=10),
        terms("profit", Side.SELL, 10, 55),
        terms("loss", Side.SELL, 10, None, type=OrderType.STOP, stop_price=Decimal(45)),
    )


def test_the_oldest_closed_orders_leave_memory_and_open_ones_never_do(desk: Desk) -> None:
    desk.place(client_order_id="open")
    close_some(desk, 6)
    assert remembered(desk) == {"open", "closed 3", "closed 4", "closed 5"}


def test_a_forgotten_order_comes_back_when_it_is_spoken_of(desk: Desk) -> None:
    close_some(desk)
    assert desk.cancel("closed 0").status is OrderStatus.CANCELED


def test_a_fill_told_again_after_its_order_was_forgotten_is_not_booked_twice(desk: Desk) -> None:
    desk.place(quantity=10)
    desk.trade("t", 10)
    close_some(desk)
    assert "x" not in remembered(desk)
    desk.trade("t", 10)
    assert desk.order().filled_quantity == 10
    assert desk.book.portfolio.position("ACME", "USD").quantity == 10


def test_a_bust_of_a_forgotten_orders_fill_takes_effect(desk: Desk) -> None:
    desk.place(quantity=10)
    desk.trade("t", 10)
    close_some(desk)
    desk.report(X.TRADE_CANCEL, reference_id="t")
    assert desk.order().status is OrderStatus.NEW
    assert desk.book.portfolio.position("ACME", "USD").quantity == 0


def test_a_group_that_stays_open_keeps_no_other_closed_order_in_memory(desk: Desk) -> None:
    bracket(desk)
    desk.trade("t", 10, client_order_id="entry")
    close_some(desk, 6)
    assert remembered(desk) == {"entry", "profit", "loss", "closed 3", "closed 4", "closed 5"}


def test_the_members_of_a_group_leave_memory_together(desk: Desk) -> None:
    bracket(desk)
    desk.report(X.CANCELED, "entry")
    close_some(desk, 2)
    assert {"entry", "profit", "loss"}.isdisjoint(remembered(desk))


def test_a_late_fill_of_a_forgotten_groups_member_finds_the_others_again(desk: Desk) -> None:
    bracket(desk)
    desk.report(X.CANCELED, "entry")
    close_some(desk)
    desk.trade("late", 4, client_order_id="entry")
    assert {"entry", "profit", "loss"} <= remembered(desk)
    assert desk.book.portfolio.position("ACME", "USD").quantity == 4


def test_a_group_told_to_place_again_after_it_was_forgotten_books_no_fill_twice(desk: Desk) -> None:
    bracket(desk)
    desk.trade("t", 10, client_order_id="entry")
    desk.trade("u", 10, 55, client_order_id="profit")
    desk.report(X.CANCELED, "loss")
    close_some(desk)
    assert "entry" not in remembered(desk)
    bracket(desk)
    desk.trade("u", 10, 55, client_order_id="profit")
    assert desk.order("profit").filled_quantity == 10
