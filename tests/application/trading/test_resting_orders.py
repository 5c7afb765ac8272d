"""The best offer is found as if all orders had been looked at."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from application.trading.resting_orders import RestingOrders
from domain.market_data.quote import Quote
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.order_type import OrderType, Side
from tests.support.trading import START, D, terms

_BUFFER = D("0.02")
_QUOTE = Quote("ACME", D(49), D(100), D(51), D(100), START)


def order(order_id: str, side: Side, price: int | None, **changes: object) -> Order:
    asked = terms(order_id, side, 10, price)
    made = Order.new(
        order_id=order_id,
        account_id="desk",
        terms=asked,
        initial_quantity=asked.quantity,
        broker="paper",
        currency="USD",
        created_time=START,
        updated_time=START,
        state=OrderStatus.NEW,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # any field


def crosses(mine: Order, other: Order) -> bool:
    """Whether the two could trade with each other, said in plain prices."""
    if other.terms.side is mine.terms.side or not other.is_open:
        return False
    buy, sell = (mine, other) if mine.terms.side is Side.BUY else (other, mine)
    if other.terms.limit_price is None:
        return True
    lowest = sell.terms.limit_price if sell.terms.limit_price is not None else _QUOTE.bid_price * (1 - _BUFFER)
    highest = buy.terms.limit_price if buy.terms.limit_price is not None else _QUOTE.ask_price * (1 + _BUFFER)
    return highest >= lowest


_ORDERS = st.lists(
    st.tuples(st.sampled_from(Side), st.one_of(st.none(), st.integers(45, 55)), st.sampled_from(["keep", "close"])),
    max_size=25,
)


@given(_ORDERS, st.sampled_from(Side), st.one_of(st.none(), st.integers(45, 55)))
def test_an_order_is_found_exactly_when_one_could_trade_with_the_new_one(
    placed: list[tuple[Side, int | None, str]], side: Side, price: int | None
) -> None:
    resting, kept = RestingOrders(), []
    for number, (of, at, fate) in enumerate(placed):
        one = order(str(number), of, at)
        resting.keep(one)
        if fate == "close":
            one = replace(one, state=OrderStatus.CANCELED)
            resting.keep(one)
        kept.append(one)
    mine = order("mine", side, price)
    matching = {other.order_id for other in kept if crosses(mine, other)}
    found = resting.match(mine.terms, _QUOTE, _BUFFER)
    assert bool(found) == bool(matching)
    assert found in matching | {""}


def test_what_has_ended_is_not_kept_though_nobody_ever_asks() -> None:
    resting = RestingOrders()
    for number in range(5_000):
        one = order(str(number), Side.BUY, 50)
        resting.keep(one)
        resting.keep(replace(one, state=OrderStatus.FILLED))
    assert sum(map(len, resting._best.values())) < 200


def test_a_stop_that_has_not_triggered_rests_nowhere() -> None:
    resting = RestingOrders()
    stop = order("stop", Side.SELL, None)
    stop = replace(stop, terms=replace(stop.terms, type=OrderType.STOP, stop_price=D(40)))
    resting.keep(stop)
    assert resting.match(terms(price=60), _QUOTE, _BUFFER) == ""
    resting.keep(replace(stop, state=OrderStatus.TRIGGERED))
    assert resting.match(terms(price=60), _QUOTE, _BUFFER) == "stop"


def test_a_replace_that_is_pending_counts_at_the_better_of_its_two_prices() -> None:
    resting = RestingOrders()
    sell = order("sell", Side.SELL, 60)
    resting.keep(replace(sell, replace_terms=replace(sell.terms, limit_price=Decimal(50))))
    assert resting.match(terms(price=50), _QUOTE, _BUFFER) == "sell"
    resting.keep(sell)
    assert resting.match(terms(price=50), _QUOTE, _BUFFER) == ""
