"""Stops and trailing stops: when they trigger, and what they do then."""

from decimal import Decimal

import pytest

from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import Liquidity, OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import COIN, Desk, desk_with_quote

X = ExecType


# -- stops -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "stop", "before", "reached", "price"),
    [
        (Side.BUY, "103", ("101", "102.99"), ("102", "103"), "103"),
        (Side.SELL, "97", ("97.01", "98"), ("97", "98"), "97"),
    ],
)
async def test_a_stop_triggers_on_the_price_it_would_trade_at_and_works_as_a_market_order(
    side: Side, stop: str, before: tuple[str, str], reached: tuple[str, str], price: str
) -> None:
    desk = await desk_with_quote()
    order = desk.place(side=side, type=OrderType.STOP, stop_price=stop)
    desk.show(COIN, *before)
    assert desk.told(order) == [X.NEW]
    desk.show(COIN, *reached)
    assert desk.told(order) == [X.NEW, X.TRIGGERED, X.TRADE]
    assert desk.of(order)[1].price == Decimal(stop)
    assert desk.fills(order) == [("1", price)]


async def test_a_stop_that_the_market_has_passed_triggers_as_it_comes() -> None:
    desk = await desk_with_quote()
    order = desk.place(type=OrderType.STOP, stop_price="100")
    assert desk.told(order) == [X.NEW, X.TRIGGERED, X.TRADE]


async def test_stops_trigger_nearest_first_and_share_the_quote() -> None:
    desk = await desk_with_quote()
    far = desk.place(type=OrderType.STOP, stop_price="104")
    near = desk.place(type=OrderType.STOP, stop_price="103")
    desk.show(COIN, "104", "105", "1", "1.5")
    assert (desk.fills(near), desk.fills(far)) == ([("1", "105")], [("0.5", "105")])


async def test_a_triggered_stop_limit_works_as_a_limit_order() -> None:
    desk = await desk_with_quote()
    order = desk.place(type=OrderType.STOP_LIMIT, stop_price="103", limit_price="103.5")
    desk.show(COIN, "103", "104")
    assert desk.told(order) == [X.NEW, X.TRIGGERED]
    desk.show(COIN, "101", "102")
    assert desk.fills(order) == [("1", "103.5")]
    assert desk.of(order)[-1].liquidity is Liquidity.MAKER


async def test_a_stop_limit_that_triggers_as_it_comes_rests_when_its_limit_is_away_from_the_market() -> None:
    desk = await desk_with_quote()
    desk.place()
    order = desk.place(type=OrderType.STOP_LIMIT, stop_price="100", limit_price="100.5")
    assert desk.told(order) == [X.NEW, X.TRIGGERED]
    desk.show(COIN, "98", "99")
    assert desk.fills(order) == [("1", "100.5")]


async def test_a_triggered_stop_limit_that_crosses_takes_at_the_quote() -> None:
    desk = await desk_with_quote()
    order = desk.place(type=OrderType.STOP_LIMIT, stop_price="103", limit_price="105")
    desk.show(COIN, "103", "104")
    assert desk.fills(order) == [("1", "104")]


async def test_a_triggered_stop_with_ioc_does_not_rest() -> None:
    desk = await desk_with_quote()
    order = desk.place(quantity="3", type=OrderType.STOP, stop_price="103", time_in_force=TimeInForce.IOC)
    desk.show(COIN, "102", "103", "1", "1")
    assert desk.told(order) == [X.NEW, X.TRIGGERED, X.TRADE, X.CANCELED]


# -- trailing stops --------------------------------------------------------------------------------


async def test_a_trailing_stop_follows_the_market_and_triggers_when_it_turns() -> None:
    desk = await desk_with_quote()
    order = desk.place(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="2")
    for bid in ("100", "103", "101.01"):
        desk.show(COIN, bid, "110")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED]
    desk.show(COIN, "101", "110")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED, X.TRIGGERED, X.TRADE]
    assert desk.of(order)[2].price == Decimal(101)


async def test_a_trailing_buy_stop_follows_the_ask_down_by_percent_and_its_stop_lies_on_the_tick() -> None:
    desk = await desk_with_quote()
    order = desk.place(type=OrderType.TRAILING_STOP, trail_percent="3")
    desk.show(COIN, "60", "77.77")
    desk.show(COIN, "60", "80.10")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED]
    desk.show(COIN, "60", "80.11")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED, X.TRIGGERED, X.TRADE]
    assert desk.of(order)[2].price == Decimal("80.11")  # 77.77 x 1.03 = 80.1031


async def test_a_trailing_stop_begins_with_the_first_quote_that_it_sees() -> None:
    desk = await Desk().open()
    order = desk.place(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="2")
    desk.show(COIN, "100", "101")
    desk.show(COIN, "98.01", "101")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED]
    desk.show(COIN, "98", "101")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED, X.TRIGGERED, X.TRADE]
