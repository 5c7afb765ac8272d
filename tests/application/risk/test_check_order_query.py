"""What a caller learns from a check: every rule, passed or failed, and nothing is done."""

from decimal import Decimal
from typing import Any

from domain.trading.value_objects.order_type import Side, TimeInForce
from tests.support.trading import START, Desk

SELL = Side.SELL
D = Decimal


def test_a_check_lists_every_rule_that_applies_in_their_order_passed_or_failed() -> None:
    desk = Desk(max_order_quantity=D(5), max_order_notional=D(100))
    order: dict[str, Any] = {
        "side": SELL,
        "quantity": "6.5",
        "price": "50.001",
        "time_in_force": TimeInForce.GTD,
        "expire_time": START,
    }
    results = desk.check(**order)
    assert list(results) == [
        "KILL_SWITCH",
        "TRADING_STATE",
        "INSTRUMENT_KNOWN",
        "BROKER_CAPABILITY",
        "TICK_SIZE",
        "LOT_SIZE",
        "QUOTE_PRESENT",
        "QUOTE_FRESH",
        "CURRENCY_RATE",
        "EXPIRE_TIME",
        "MAX_ORDER_QUANTITY",
        "MAX_ORDER_NOTIONAL",
        "SHORT_SELLING",
        "BUYING_POWER",
        "MAX_LEVERAGE",
    ]
    failed = {rule for rule, result in results.items() if not result.passed}
    assert failed == {"TICK_SIZE", "LOT_SIZE", "EXPIRE_TIME", "MAX_ORDER_QUANTITY", "MAX_ORDER_NOTIONAL"}
    assert set(desk.check(side=SELL, quantity=1, reduce_only=True)) >= {"REDUCE_ONLY"}


def test_every_failed_rule_names_its_value_and_limit() -> None:
    result = Desk(max_order_quantity=D(5)).check(quantity=6)["MAX_ORDER_QUANTITY"]
    assert result.message == "order quantity: 6 units, limit 5 units"


def test_a_check_records_nothing_and_leaves_the_id_free() -> None:
    desk = Desk()
    desk.check()
    assert desk.records.sequence == 1
    assert desk.book.open_orders == {}
    assert desk.place().version == 1
