"""What holds at the paper venue whatever is asked of it and whatever the market does."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.brokers.paper_settings import PaperSettings
from domain.decimals import ZERO
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import CLOSED, OrderStatus
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import COIN, STOCK, Desk, booked

PRICES = st.integers(90, 110).map(str)
SIZES = st.integers(1, 8).map(str)
TYPES: list[dict[str, st.SearchStrategy[Any]]] = [
    {"type": st.just(OrderType.MARKET)},
    {"type": st.just(OrderType.LIMIT), "limit_price": PRICES},
    {"type": st.just(OrderType.STOP), "stop_price": PRICES},
    {"type": st.just(OrderType.STOP_LIMIT), "stop_price": PRICES, "limit_price": PRICES},
    {"type": st.just(OrderType.TRAILING_STOP), "trail_offset": st.integers(1, 6).map(str)},
    {"type": st.just(OrderType.TRAILING_STOP), "trail_percent": st.integers(1, 6).map(str)},
]
TIMES_IN_FORCE = [TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "symbol": st.sampled_from([COIN, STOCK]),
    "side": st.sampled_from(Side),
    "quantity": SIZES,
    "time_in_force": st.sampled_from(TIMES_IN_FORCE),
    "reduce_only": st.booleans(),
    "account": st.sampled_from(["a", "b"]),
}
ORDERS = st.sampled_from(TYPES).flatmap(lambda type: st.fixed_dictionaries(COMMON | type))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("order"), ORDERS),
        st.tuples(st.just("quote"), st.tuples(st.sampled_from([COIN, STOCK]), st.integers(90, 109), SIZES, SIZES)),
        st.tuples(st.just("cancel"), st.integers(0, 40)),
        st.tuples(st.just("replace"), st.tuples(st.integers(0, 40), SIZES, PRICES)),
        st.tuples(st.just("wait"), st.sampled_from([0.001, 0.05, 2_000.0])),
    ),
    max_size=50,
)
# Looking seldom keeps hours short; whatever arrives is matched at once all the same.
CALM = PaperSettings(match_interval_seconds=1)
FAULTS = st.sampled_from(
    [
        CALM,
        replace(CALM, seed=2, delay_rate=0.4, repeat_rate=0.4, reorder_rate=0.4, max_fault_delay_seconds=0.2),
        replace(CALM, seed=3, lose_rate=0.5, reject_rate=0.2),
    ]
)


@dataclass
class Day:
    """A desk that remembers what was asked for: each order's limits and largest quantity, each replace's terms."""

    desk: Desk
    orders: list[Order] = field(default_factory=list)
    limits: dict[str, list[Decimal]] = field(default_factory=lambda: defaultdict(list))
    largest: dict[str, Decimal] = field(default_factory=dict)
    asked: dict[int, OrderTerms] = field(default_factory=dict)

    def order(self, terms: dict[str, Any]) -> None:
        order = self.desk.send(**terms)
        self.orders.append(order)
        self.largest[order.order_id] = order.terms.quantity
        if order.terms.limit_price is not None:
            self.limits[order.order_id].append(order.terms.limit_price)

    def quote(self, shown: tuple[str, int, str, str]) -> None:
        symbol, bid, bid_size, ask_size = shown
        self.desk.show(symbol, str(bid), str(bid + 1), bid_size, ask_size)

    def cancel(self, n: int) -> None:
        if self.orders:
            self.desk.broker.cancel(self.orders[n % len(self.orders)])

    def replace(self, asked: tuple[int, str, str]) -> None:
        if not self.orders:
            return
        n, quantity, price = asked[0] % len(self.orders), Decimal(asked[1]), Decimal(asked[2])
        order = self.orders[n]
        terms = replace(order.terms, quantity=quantity)
        if order.terms.limit_price is not None:
            terms = replace(terms, limit_price=price)
            self.limits[order.order_id].append(price)
        version = len(self.asked) + 1
        self.asked[version] = terms
        self.largest[order.order_id] = max(self.largest[order.order_id], quantity)
        self.desk.broker.replace(order, terms, version)

    def wait(self, seconds: float) -> None:
        self.desk.pass_time(seconds)


async def lived(steps: list[tuple[str, Any]], rules: PaperSettings) -> Day:
    day = Day(await Desk(rules).open())
    for what, how in steps:
        getattr(day, what)(how)
    day.desk.pass_time(1)
    return day


@settings(max_examples=150, deadline=None)
@given(STEPS, FAULTS)
def test_nothing_is_overfilled_or_traded_through_its_limit_and_positions_add_up(
    steps: list[tuple[str, Any]], rules: PaperSettings
) -> None:
    async def check() -> None:
        day = await lived(steps, rules)
        positions: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        for order in day.orders:
            known = await day.desk.broker.find(order) or ()
            trades = [report for report in known if report.type is ExecType.TRADE]
            assert sum((trade.quantity or ZERO for trade in trades), ZERO) <= day.largest[order.order_id]
            sign = order.terms.side.sign
            for trade in trades:
                assert trade.quantity is not None
                assert trade.price is not None
                assert trade.quantity > ZERO
                limits = day.limits[order.order_id]
                assert not limits or sign * trade.price <= max(sign * limit for limit in limits)
                positions[order.account_id, order.terms.symbol] += sign * trade.quantity
        held = day.desk.broker._venue.ledger._positions
        assert {key: value for key, value in held.items() if value} == {k: v for k, v in positions.items() if v}

    asyncio.run(check())


@settings(max_examples=150, deadline=None)
@given(STEPS, FAULTS)
def test_what_was_delivered_and_what_find_tells_make_the_same_order(
    steps: list[tuple[str, Any]], rules: PaperSettings
) -> None:
    async def check() -> None:
        day = await lived(steps, rules)
        for order in day.orders:
            known = await day.desk.broker.find(order)
            assert known is not None
            assert known[0].type in (ExecType.NEW, ExecType.REJECTED)
            truth = booked(order, known)
            # Whatever was lost on the way, asking makes up for it.
            made = booked(order, [*day.desk.reports, *known])
            assert (made.state, made.filled_quantity, made.fees) == (truth.state, truth.filled_quantity, truth.fees)
            if truth.state is OrderStatus.NEW:
                assert made.active_stop_price == truth.active_stop_price
            with_replaces = booked(order, known, day.asked)
            assert (with_replaces.state not in CLOSED) is is_open_at_the_venue(day, order)

    asyncio.run(check())


def is_open_at_the_venue(day: Day, order: Order) -> bool:
    known = day.desk.broker._venue.ledger.find(order.order_id)
    return known is not None and not known.done


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_reduce_only_never_opens_or_turns_a_position(steps: list[tuple[str, Any]]) -> None:
    async def check() -> None:
        day = await lived(steps, CALM)
        by_id = {order.order_id: order for order in day.orders}
        positions: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
        for report in day.desk.reports:
            if report.type is not ExecType.TRADE:
                continue
            order = by_id[report.order_id]
            key = (order.account_id, order.terms.symbol)
            before = positions[key]
            positions[key] += order.terms.side.sign * (report.quantity or ZERO)
            if order.terms.reduce_only:
                assert abs(positions[key]) < abs(before)
                assert positions[key] * before >= ZERO

    asyncio.run(check())
