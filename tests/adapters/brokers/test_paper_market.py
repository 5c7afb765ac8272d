"""How orders meet the quote: prices, sizes, priority, fees."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.decimals import ZERO
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import Liquidity, OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import COIN, PLAIN, STOCK, Desk, desk_with_quote

X = ExecType


# -- market orders ---------------------------------------------------------------------------------


async def test_a_market_order_is_acknowledged_and_takes_the_quote() -> None:
    desk = await desk_with_quote()
    buy, sell = desk.place(), desk.place(side=Side.SELL)
    assert desk.told(buy) == desk.told(sell) == [X.NEW, X.TRADE]
    assert (desk.fills(buy), desk.fills(sell)) == ([("1", "101")], [("1", "99")])
    assert desk.of(buy)[-1].liquidity is Liquidity.TAKER


async def test_a_market_order_larger_than_the_quote_goes_on_with_the_next_quotes() -> None:
    desk = await desk_with_quote()
    order = desk.place(quantity="12")
    assert desk.fills(order) == [("5", "101")]
    desk.pass_time(1)
    assert desk.fills(order) == [("5", "101")]
    desk.show(COIN, "100", "102", "5", "4")
    desk.show(COIN, "101", "103", "5", "9")
    assert desk.fills(order) == [("5", "101"), ("4", "102"), ("3", "103")]
    assert desk.told(order) == [X.NEW, X.TRADE, X.TRADE, X.TRADE]


async def test_the_quoted_size_is_shared_until_the_next_quote() -> None:
    desk = await desk_with_quote()
    first, second = desk.place(quantity="3"), desk.place(quantity="3", account="other")
    assert (desk.fills(first), desk.fills(second)) == ([("3", "101")], [("2", "101")])
    other_side = desk.place(quantity="5", side=Side.SELL)
    assert desk.fills(other_side) == [("5", "99")]


async def test_a_size_off_the_lot_is_traded_down_to_the_lot() -> None:
    desk = await Desk().open()
    desk.quotes.show(STOCK, "99", "101", "5", "2.7")
    assert desk.fills(desk.place(symbol=STOCK, quantity="10")) == [("2", "101")]


@pytest.mark.parametrize(("slippage", "bought", "sold"), [("0.0001", "101.02", "98.99"), ("0.02", "103.02", "97.02")])
async def test_slippage_is_against_the_trader_and_on_the_tick(slippage: str, bought: str, sold: str) -> None:
    desk = await desk_with_quote(replace(PLAIN, slippage=Decimal(slippage)))
    assert desk.fills(desk.place())[0][1] == bought
    assert desk.fills(desk.place(side=Side.SELL))[0][1] == sold


async def test_slippage_never_makes_a_price_of_nothing() -> None:
    desk = await Desk(replace(PLAIN, slippage=Decimal("0.9"))).open()
    desk.quotes.show(COIN, "0.01", "0.02")
    assert desk.fills(desk.place(side=Side.SELL)) == [("1", "0.01")]


async def test_a_limit_order_does_not_slip() -> None:
    desk = await desk_with_quote(replace(PLAIN, slippage=Decimal("0.02")))
    assert desk.fills(desk.limit("150")) == [("1", "101")]


# -- fees ------------------------------------------------------------------------------------------


async def test_takers_and_makers_pay_their_own_rate_of_the_notional() -> None:
    desk = await desk_with_quote()
    maker, taker = desk.limit("100", quantity="2"), desk.place(quantity="2")
    desk.show(COIN, "98", "99.5")
    made, took = desk.of(maker)[-1], desk.of(taker)[-1]
    assert (made.liquidity, made.fee, made.fee_currency) == (Liquidity.MAKER, Decimal("0.04"), "USD")
    assert (took.liquidity, took.fee, took.fee_currency) == (Liquidity.TAKER, Decimal("0.101"), "USD")


async def test_no_fill_costs_less_than_the_minimum_fee() -> None:
    desk = await desk_with_quote(replace(PLAIN, minimum_fee=Decimal(1)))
    assert desk.of(desk.place())[-1].fee == Decimal(1)


async def test_the_fees_of_a_free_venue_are_nothing() -> None:
    desk = await desk_with_quote(replace(PLAIN, taker_fee_rate=ZERO))
    assert desk.of(desk.place())[-1].fee == ZERO


# -- limit orders ----------------------------------------------------------------------------------


async def test_a_limit_order_rests_and_makes_at_its_own_price_once_the_market_comes_to_it() -> None:
    desk = await desk_with_quote()
    order = desk.limit("100")
    assert desk.told(order) == [X.NEW]
    desk.show(COIN, "99", "100.01")
    assert desk.told(order) == [X.NEW]
    desk.show(COIN, "98", "99.5")
    assert desk.fills(order) == [("1", "100")]


async def test_a_limit_order_that_crosses_takes_at_the_better_price() -> None:
    desk = await desk_with_quote()
    buy, sell = desk.limit("105"), desk.limit("90", side=Side.SELL)
    assert (desk.fills(buy), desk.fills(sell)) == ([("1", "101")], [("1", "99")])
    assert desk.of(buy)[-1].liquidity is Liquidity.TAKER


async def test_what_a_crossing_limit_order_leaves_takes_on_until_the_market_moves_away_and_then_makes() -> None:
    desk = await desk_with_quote()
    order = desk.limit("105", quantity="20")
    desk.show(COIN, "100", "103", "5", "6")
    desk.show(COIN, "104", "106")
    desk.show(COIN, "99", "101", "5", "4")
    assert desk.fills(order) == [("5", "101"), ("6", "103"), ("4", "105")]
    assert [r.liquidity for r in desk.of(order)[1:]] == [Liquidity.TAKER, Liquidity.TAKER, Liquidity.MAKER]


async def test_the_better_price_goes_first_and_then_whoever_came_first() -> None:
    desk = await desk_with_quote()
    low, first, second = desk.limit("98"), desk.limit("100"), desk.limit("100")
    high = desk.limit("100.5")
    market_size = "2.5"
    desk.show(COIN, "90", "97", "5", market_size)
    assert desk.fills(high) == [("1", "100.5")]
    assert desk.fills(first) == [("1", "100")]
    assert desk.fills(second) == [("0.5", "100")]
    assert desk.fills(low) == []


async def test_among_sells_the_lower_price_goes_first() -> None:
    desk = await desk_with_quote()
    high, low = desk.limit("103", side=Side.SELL), desk.limit("102", side=Side.SELL)
    desk.show(COIN, "104", "105", "1", "5")
    assert (desk.fills(high), desk.fills(low)) == ([], [("1", "102")])


async def test_an_order_without_any_quote_rests_until_there_is_one() -> None:
    desk = await Desk().open()
    order = desk.place()
    assert desk.told(order) == [X.NEW]
    desk.show(COIN, "99", "101")
    assert desk.fills(order) == [("1", "101")]


async def test_a_quote_that_is_too_old_trades_with_nobody() -> None:
    desk = await desk_with_quote()
    desk.pass_time(PLAIN.max_quote_age_seconds)
    order = desk.place()
    assert desk.told(order) == [X.NEW]
    desk.show(COIN, "99", "101")
    assert desk.fills(order) == [("1", "101")]


async def test_a_side_without_a_price_or_size_trades_with_nobody() -> None:
    desk = await Desk().open()
    desk.quotes.show(COIN, "0", "101", "5", "0")
    buy, sell = desk.place(), desk.place(side=Side.SELL)
    stop = desk.place(side=Side.SELL, type=OrderType.STOP, stop_price="90")
    desk.quotes.show(COIN, "99", "0", "5", "0")
    assert desk.told(desk.limit("100", post_only=True)) == [X.NEW]
    assert desk.told(buy) == desk.told(sell) == desk.told(stop) == [X.NEW]


# -- post_only -------------------------------------------------------------------------------------


async def test_a_post_only_order_that_would_trade_at_once_is_rejected() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", post_only=True)
    assert desk.told(order) == [X.REJECTED]
    assert "post_only" in desk.reason(order)


async def test_a_post_only_order_rests_and_makes() -> None:
    desk = await desk_with_quote()
    order = desk.limit("100", post_only=True)
    desk.show(COIN, "98", "99")
    assert desk.fills(order) == [("1", "100")]


async def test_a_post_only_order_that_came_before_any_quote_is_canceled_rather_than_taking() -> None:
    desk = await Desk().open()
    order = desk.limit("100", post_only=True)
    desk.show(COIN, "98", "99")
    assert desk.told(order) == [X.NEW, X.CANCELED]


# -- immediate or cancel, fill or kill -------------------------------------------------------------


async def test_what_an_ioc_order_cannot_fill_at_once_is_canceled() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8", time_in_force=TimeInForce.IOC)
    assert desk.told(order) == [X.NEW, X.TRADE, X.CANCELED]
    assert desk.fills(order) == [("5", "101")]
    assert desk.told(desk.place(time_in_force=TimeInForce.IOC)) == [X.NEW, X.CANCELED]


async def test_an_ioc_order_away_from_the_market_is_canceled_without_a_fill() -> None:
    desk = await desk_with_quote()
    assert desk.told(desk.limit("100", time_in_force=TimeInForce.IOC)) == [X.NEW, X.CANCELED]


@pytest.mark.parametrize("tif", [TimeInForce.IOC, TimeInForce.FOK])
async def test_without_a_market_an_immediate_order_is_canceled(tif: TimeInForce) -> None:
    desk = await Desk().open()
    order = desk.place(time_in_force=tif)
    assert desk.told(order) == [X.NEW, X.CANCELED]
    assert "no fresh quote" in desk.reason(order)


async def test_a_fok_order_fills_wholly_or_not_at_all() -> None:
    desk = await desk_with_quote()
    too_large = desk.place(quantity="5.001", time_in_force=TimeInForce.FOK)
    fitting = desk.limit("101", quantity="5", time_in_force=TimeInForce.FOK)
    too_late = desk.place(quantity="0.001", time_in_force=TimeInForce.FOK)
    assert desk.told(too_large) == [X.NEW, X.CANCELED]
    assert desk.fills(fitting) == [("5", "101")]
    assert desk.told(too_late) == [X.NEW, X.CANCELED]


# -- reduce_only -----------------------------------------------------------------------------------


async def test_a_reduce_only_order_without_a_position_to_reduce_is_rejected() -> None:
    desk = await desk_with_quote()
    desk.place(quantity="2")
    adds = desk.place(reduce_only=True)
    elsewhere = desk.place(side=Side.SELL, reduce_only=True, account="other")
    assert desk.told(adds) == desk.told(elsewhere) == [X.REJECTED]
    assert "reduce_only" in desk.reason(adds)


async def test_a_reduce_only_order_fills_no_more_than_the_position() -> None:
    desk = await desk_with_quote()
    desk.place(quantity="2")
    order = desk.place(quantity="3", side=Side.SELL, reduce_only=True)
    assert desk.told(order) == [X.NEW, X.TRADE, X.CANCELED]
    assert desk.fills(order) == [("2", "99")]


async def test_a_reduce_only_order_smaller_than_the_position_fills_its_own_quantity() -> None:
    desk = await desk_with_quote()
    desk.place(quantity="4")
    order = desk.place(quantity="3", side=Side.SELL, reduce_only=True)
    assert desk.told(order) == [X.NEW, X.TRADE]
    assert desk.fills(order) == [("3", "99")]


async def test_a_resting_reduce_only_order_is_canceled_when_its_position_is_gone() -> None:
    desk = await desk_with_quote()
    desk.place(quantity="2")
    order = desk.limit("105", quantity="2", side=Side.SELL, reduce_only=True)
    desk.place(quantity="2", side=Side.SELL)
    desk.show(COIN, "106", "107")
    assert desk.told(order) == [X.NEW, X.CANCELED]
    assert "reduce_only" in desk.reason(order)


async def test_a_fok_order_that_may_only_partly_reduce_is_canceled() -> None:
    desk = await desk_with_quote()
    desk.place(quantity="2")
    order = desk.place(quantity="3", side=Side.SELL, reduce_only=True, time_in_force=TimeInForce.FOK)
    assert desk.told(order) == [X.NEW, X.CANCELED]


async def test_positions_that_were_there_before_are_held_against_reduce_only() -> None:
    desk = Desk()
    desk.broker.adopt_positions("acme", {COIN: Decimal(-2)})
    await desk.open()
    desk.quotes.show(COIN, "99", "101")
    assert desk.fills(desk.place(quantity="3", reduce_only=True)) == [("2", "101")]
    assert desk.told(desk.place(reduce_only=True)) == [X.REJECTED]
