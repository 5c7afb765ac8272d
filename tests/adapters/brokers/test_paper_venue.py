"""The life of an order at the venue: duplicates, cancels, replaces."""

from datetime import timedelta
from typing import Any

import pytest

from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import (
    CLOSE,
    COIN,
    OPENING,
    STOCK,
    TUESDAY_NOON,
    desk_with_quote,
    types,
)

X = ExecType
OPG, CLS = TimeInForce.OPG, TimeInForce.CLS
BEFORE_OPENING = OPENING - timedelta(hours=1)
NEXT_CLOSE = CLOSE + timedelta(days=1)


# -- identity --------------------------------------------------------------------------------------


async def test_the_same_order_handed_over_twice_is_placed_once() -> None:
    desk = await desk_with_quote()
    order = desk.place()
    desk.broker.submit(order)
    desk.pass_time(1)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_another_order_with_a_client_id_that_is_taken_is_rejected_even_when_the_first_is_done() -> None:
    desk = await desk_with_quote()
    first = desk.place("c-1")
    second = desk.place("c-1")
    elsewhere = desk.place("c-1", account="other")
    assert desk.told(first) == desk.told(elsewhere) == [X.NEW, X.TRADE]
    assert desk.told(second) == [X.REJECTED]
    assert desk.reason(second) == "the client order id is taken"
    assert await desk.broker.find(second) == tuple(desk.of(second))


async def test_a_symbol_that_nobody_knows_is_rejected() -> None:
    desk = await desk_with_quote()
    order = desk.place(symbol="NONE")
    assert desk.told(order) == [X.REJECTED]
    assert desk.reason(order) == "unknown symbol NONE"


async def test_all_reports_of_an_order_carry_its_number_at_the_venue() -> None:
    desk = await desk_with_quote()
    order = desk.place()
    numbers = {report.broker_order_id for report in desk.of(order)}
    assert len(numbers) == 1
    assert numbers != {""}


# -- cancel ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "terms",
    [
        {"type": OrderType.LIMIT, "limit_price": "100"},
        {"type": OrderType.STOP, "stop_price": "120"},
        {"type": OrderType.TRAILING_STOP, "trail_offset": "10"},
        {"type": OrderType.TRAILING_STOP, "trail_percent": "10"},
        {"quantity": "50"},
    ],
)
async def test_a_canceled_order_never_trades_again(terms: dict[str, Any]) -> None:
    desk = await desk_with_quote()
    order = desk.place(**terms)
    desk.cancel(order)
    before = desk.told(order)
    assert before[-1] is X.CANCELED
    for ask in ("50", "150", "90"):
        desk.show(COIN, "40", ask)
    assert desk.told(order) == before


async def test_an_order_that_waits_for_its_auction_can_be_canceled() -> None:
    desk = await desk_with_quote()
    opening, close = (desk.place(symbol=STOCK, time_in_force=tif) for tif in (OPG, CLS))
    desk.cancel(opening)
    desk.cancel(close)
    desk.go_to(NEXT_CLOSE)
    assert desk.told(opening) == desk.told(close) == [X.NEW, X.CANCELED]


async def test_a_cancel_that_comes_too_late_is_refused() -> None:
    desk = await desk_with_quote()
    order = desk.place()
    desk.cancel(order)
    assert desk.told(order) == [X.NEW, X.TRADE, X.CANCEL_REJECTED]
    assert "too late" in desk.reason(order)


async def test_a_request_about_an_order_that_never_came_is_refused() -> None:
    desk = await desk_with_quote()
    order = desk.order(type=OrderType.LIMIT, limit_price="100")
    desk.cancel(order)
    desk.replace(order, limit_price="99", version=7)
    assert desk.told(order) == [X.CANCEL_REJECTED, X.REPLACE_REJECTED]
    assert desk.of(order)[-1].request_version == 7
    assert await desk.broker.find(order) is None


# -- replace ---------------------------------------------------------------------------------------


async def test_a_new_price_is_confirmed_first_and_may_then_trade_at_once() -> None:
    desk = await desk_with_quote()
    order = desk.limit("100")
    desk.replace(order, limit_price="102", version=5)
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRADE]
    assert desk.of(order)[1].request_version == 5
    assert desk.fills(order) == [("1", "101")]


@pytest.mark.parametrize(
    ("terms", "keeps_priority"),
    [
        ({"quantity": "1"}, True),
        ({"quantity": "3"}, False),
        ({"limit_price": "100"}, True),
    ],
)
async def test_only_more_quantity_or_another_price_costs_the_place_in_the_line(
    terms: dict[str, Any], keeps_priority: bool
) -> None:
    desk = await desk_with_quote()
    first, second = desk.limit("100", quantity="2"), desk.limit("100", quantity="2")
    desk.replace(first, **terms)
    desk.show(COIN, "90", "99", "5", "1")
    assert bool(desk.fills(first)) is keeps_priority
    assert bool(desk.fills(second)) is not keeps_priority


async def test_a_price_that_goes_away_and_comes_back_has_lost_its_place() -> None:
    desk = await desk_with_quote()
    first, second = desk.limit("100"), desk.limit("100")
    desk.replace(desk.replace(first, limit_price="99", version=2), limit_price="100", version=3)
    desk.show(COIN, "90", "99.5", "5", "1")
    assert (desk.fills(first), desk.fills(second)) == ([], [("1", "100")])


async def test_a_quantity_not_above_what_is_filled_ends_the_order() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8")
    desk.replace(order, quantity="4")
    assert desk.told(order) == [X.NEW, X.TRADE, X.REPLACED]
    desk.show(COIN, "99", "101")
    desk.cancel(order)
    assert desk.told(order)[3:] == [X.CANCEL_REJECTED]


async def test_what_remains_of_a_smaller_quantity_is_all_that_fills() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8")
    desk.replace(order, quantity="6")
    desk.show(COIN, "99", "101")
    assert desk.fills(order) == [("5", "101"), ("1", "101")]


async def test_an_order_that_is_replaced_for_ever_keeps_a_short_history() -> None:
    desk = await desk_with_quote()
    order = desk.limit("90")
    for version in range(2, 100):
        desk.replace(order, limit_price=str(50 + version % 40), version=version)
    known = await desk.broker.find(order)
    assert known is not None
    assert [(r.type, r.request_version) for r in known] == [(X.NEW, 0), (X.REPLACED, 99)]


async def test_a_refused_replace_does_not_hide_the_one_that_ended_the_order() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8")
    desk.replace(order, quantity="4", version=2)
    desk.replace(order, quantity="9", version=3)
    assert types(await desk.broker.find(order)) == [X.NEW, X.TRADE, X.REPLACED, X.REPLACE_REJECTED]


async def test_a_trailing_stop_that_only_changes_its_quantity_keeps_its_stop() -> None:
    desk = await desk_with_quote()
    order = desk.place(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="2")
    desk.show(COIN, "110", "111")
    desk.show(COIN, "109", "111")
    desk.replace(order, quantity="3")
    desk.show(COIN, "108", "111")
    assert desk.told(order) == [X.NEW, X.STOP_MOVED, X.REPLACED, X.TRIGGERED, X.TRADE]
    assert desk.fills(order) == [("3", "108")]


async def test_a_trailing_stop_that_is_to_last_longer_keeps_its_stop_and_lasts_longer() -> None:
    desk = await desk_with_quote()
    until = TUESDAY_NOON + timedelta(minutes=1)
    gtd: dict[str, Any] = {"time_in_force": TimeInForce.GTD, "expire_time": until}
    order = desk.place(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="2", **gtd)
    desk.show(COIN, "110", "111")
    desk.show(COIN, "109", "111")
    assert [str(report.price) for report in desk.of(order)[1:]] == ["108"]
    longer = desk.replace(order, expire_time=until + timedelta(minutes=1))
    desk.go_to(until + timedelta(seconds=1))
    assert desk.told(order) == [X.NEW, X.STOP_MOVED, X.REPLACED]
    desk.replace(longer, version=3, expire_time=until + timedelta(seconds=10))
    desk.show(COIN, "108.01", "111")
    desk.go_to(until + timedelta(seconds=10))
    assert desk.told(order)[3:] == [X.REPLACED, X.EXPIRED]


async def test_a_waiting_stop_whose_new_expiry_has_passed_on_the_way_expires() -> None:
    desk = await desk_with_quote()
    gtd: dict[str, Any] = {"time_in_force": TimeInForce.GTD, "expire_time": TUESDAY_NOON + timedelta(minutes=1)}
    order = desk.place(type=OrderType.STOP, stop_price="103", **gtd)
    desk.replace(order, expire_time=desk.clock.now())
    assert desk.told(order) == [X.NEW, X.REPLACED, X.EXPIRED]


async def test_a_stop_moves_with_its_new_price() -> None:
    desk = await desk_with_quote()
    order = desk.place(type=OrderType.STOP, stop_price="103")
    desk.replace(order, stop_price="105")
    desk.show(COIN, "103", "104")
    assert desk.told(order) == [X.NEW, X.REPLACED]
    desk.show(COIN, "103", "105")
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRIGGERED, X.TRADE]


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"symbol": STOCK}, "a replace keeps"),
        ({"side": Side.SELL}, "a replace keeps"),
        ({"limit_price": "101"}, "post_only"),
    ],
)
async def test_a_replace_that_is_refused_changes_nothing(terms: dict[str, Any], why: str) -> None:
    desk = await desk_with_quote()
    order = desk.limit("100", post_only=True)
    desk.replace(order, **terms)
    assert desk.told(order) == [X.NEW, X.REPLACE_REJECTED]
    assert why in desk.reason(order)
    desk.show(COIN, "90", "99")
    assert desk.fills(order) == [("1", "100")]


async def test_a_replace_that_comes_too_late_is_refused() -> None:
    desk = await desk_with_quote()
    order = desk.place(quantity="2")
    desk.replace(order, quantity="3", version=9)
    assert desk.told(order) == [X.NEW, X.TRADE, X.REPLACE_REJECTED]
    assert (desk.of(order)[-1].request_version, desk.reason(order)) == (9, "too late: the order is done")


async def test_an_order_that_waits_for_its_auction_takes_part_with_its_new_terms() -> None:
    desk = await desk_with_quote(start=BEFORE_OPENING)
    order = desk.limit("90", symbol=STOCK, time_in_force=OPG)
    desk.replace(order, limit_price="102", quantity="2")
    desk.go_to(OPENING)
    desk.show(STOCK, "100", "101")
    assert desk.told(order) == [X.NEW, X.REPLACED, X.TRADE]
    assert desk.fills(order) == [("2", "101")]
