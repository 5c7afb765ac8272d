"""What a look at the market costs, counted in calls."""

import sys
from datetime import timedelta
from decimal import Decimal
from types import FrameType

from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import COIN, OPENING, STOCK, desk_with_quote

X = ExecType


class Calls:
    """Counts the calls made while it is entered: a measure of work that no other load can disturb."""

    count = 0

    def __enter__(self) -> "Calls":
        sys.setprofile(self._seen)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(None)

    def _seen(self, frame: FrameType, event: str, argument: object) -> None:
        self.count += event in ("call", "c_call")


async def calls_of_a_look(resting: int) -> int:
    desk = await desk_with_quote()
    for n in range(resting):
        price = str(Decimal(50) + Decimal(n % 4000) / 100)
        desk.send(type=OrderType.LIMIT, limit_price=price, time_in_force=TimeInForce.GTC)
        desk.send(type=OrderType.STOP, stop_price=str(Decimal(price) + 100), time_in_force=TimeInForce.GTC)
        desk.send(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="40", time_in_force=TimeInForce.GTC)
    crossing = desk.limit("100", time_in_force=TimeInForce.GTC)
    desk.pass_time(1)
    desk.show(COIN, "99.1", "101")  # where the trailing stops stand is told, and not again within a second
    desk.quotes.show(COIN, "99.2", "99.9", "5", "1")
    with Calls() as calls:
        desk.pass_time(0.1)
    assert desk.fills(crossing) == [("1", "100")]
    return calls.count


async def test_a_new_quote_costs_the_same_however_many_orders_it_does_not_reach() -> None:
    assert await calls_of_a_look(3_400) <= await calls_of_a_look(10) + 20


async def test_a_market_that_runs_is_told_of_once_a_second_for_each_trailing_stop() -> None:
    desk = await desk_with_quote()
    orders = [desk.send(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="2") for _ in range(50)]
    for step in range(100):
        desk.show(COIN, str(99 + Decimal(step) / 100), "101")
    assert 10 * len(orders) <= len([r for r in desk.reports if r.type is X.STOP_MOVED]) <= 11 * len(orders)


async def test_without_a_new_quote_nothing_is_matched() -> None:
    desk = await desk_with_quote()
    desk.limit("100", time_in_force=TimeInForce.GTC)
    desk.pass_time(0.5)
    with Calls() as idle:
        desk.pass_time(0.1)
    desk.quotes.show(COIN, "99", "101")
    with Calls() as busy:
        desk.pass_time(0.1)
    assert idle.count < busy.count


async def test_while_all_markets_of_its_orders_are_closed_the_broker_sleeps() -> None:
    desk = await desk_with_quote(start=OPENING - timedelta(hours=2))
    desk.limit("100", symbol=STOCK, time_in_force=TimeInForce.GTC)
    desk.pass_time(1)
    with Calls() as calls:
        desk.pass_time(3600)
    assert calls.count < 50
