from decimal import Decimal
from typing import Any

import pytest

from domain.errors import InvalidArgument
from domain.trading.value_objects.order_type import OrderType, TimeInForce
from tests.support.trading import START, terms

STOP: dict[str, Any] = {"price": None, "type": OrderType.STOP, "stop_price": Decimal(60)}
TRAIL: dict[str, Any] = {"price": None, "type": OrderType.TRAILING_STOP}


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"time_in_force": TimeInForce.GTD, "expire_time": START},
        {"post_only": True},
        {"post_only": True, "time_in_force": TimeInForce.GTC},
        {"post_only": True, "type": OrderType.STOP_LIMIT, "stop_price": Decimal(60)},
        {"price": None, "time_in_force": TimeInForce.OPG},
        {"time_in_force": TimeInForce.CLS},
        TRAIL | {"trail_percent": Decimal("99.99")},
        STOP | {"time_in_force": TimeInForce.IOC},
    ],
)
def test_terms_that_agree_with_themselves_are_taken(order: dict[str, Any]) -> None:
    terms(**order).check()


@pytest.mark.parametrize(
    ("order", "field"),
    [
        ({"time_in_force": TimeInForce.GTD}, "expire_time"),
        ({"time_in_force": TimeInForce.GTC, "expire_time": START}, "expire_time"),
        ({"post_only": True, "price": None}, "post_only"),
        (STOP | {"post_only": True}, "post_only"),
        ({"post_only": True, "time_in_force": TimeInForce.IOC}, "post_only"),
        ({"post_only": True, "time_in_force": TimeInForce.FOK}, "post_only"),
        ({"post_only": True, "time_in_force": TimeInForce.OPG}, "post_only"),
        (STOP | {"time_in_force": TimeInForce.OPG}, "time_in_force"),
        (TRAIL | {"trail_offset": Decimal(1), "time_in_force": TimeInForce.CLS}, "time_in_force"),
        (TRAIL | {"trail_percent": Decimal(100)}, "trailing_stop.percent"),
    ],
)
def test_terms_that_contradict_themselves_are_malformed_and_name_the_field(order: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        terms(**order).check("orders[3]")
    assert refused.value.field == f"orders[3].{field}"
