"""How sizes are asked for and told on the wire."""

from decimal import Decimal

import pytest
from google.protobuf.duration_pb2 import Duration

from application.risk.queries.size_position_query import PositionSize, SizePosition
from domain.errors import InvalidArgument
from domain.market_data.bar import BarInterval
from domain.risk.services.position_sizer import (
    EqualRisk,
    FixedNotional,
    FixedQuantity,
    Kelly,
    PercentOfEquity,
    PercentRisk,
    SizingMethod,
    SizingStep,
    VolatilityTarget,
)
from domain.trading.value_objects.order_type import Side
from quantmesh.risk.v1 import position_sizing_pb2 as pb
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL
from server.mapping.sizing import size_message, size_position

D = Decimal


@pytest.mark.parametrize(
    ("request_", "method"),
    [
        (pb.SizePositionRequest(fixed_quantity=pb.FixedQuantity(quantity="5")), FixedQuantity(D(5))),
        (pb.SizePositionRequest(fixed_notional=pb.FixedNotional(notional="5.5")), FixedNotional(D("5.5"))),
        (pb.SizePositionRequest(percent_of_equity=pb.PercentOfEquity(percent="2")), PercentOfEquity(D(2))),
        (
            pb.SizePositionRequest(percent_risk=pb.PercentRisk(risk_percent="1", stop_price="45")),
            PercentRisk(D(1), D(45)),
        ),
        (
            pb.SizePositionRequest(volatility_target=pb.VolatilityTarget(risk_percent="1")),
            VolatilityTarget(D(1), D(1), None, 14, BarInterval.DAY_1),
        ),
        (
            pb.SizePositionRequest(
                volatility_target=pb.VolatilityTarget(
                    risk_percent="1", atr="2.5", multiple="3", atr_period=20, bar_interval=Duration(seconds=900)
                )
            ),
            VolatilityTarget(D(1), D(3), D("2.5"), 20, BarInterval.MINUTE_15),
        ),
        (
            pb.SizePositionRequest(kelly=pb.Kelly(win_rate_percent="55", payoff="1.5")),
            Kelly(D(55), D("1.5"), D(1)),
        ),
        (
            pb.SizePositionRequest(kelly=pb.Kelly(win_rate_percent="55", payoff="1.5", fraction="0.5")),
            Kelly(D(55), D("1.5"), D("0.5")),
        ),
        (
            pb.SizePositionRequest(equal_risk=pb.EqualRisk(risk_percent="6", position_count=4, stop_price="45")),
            EqualRisk(D(6), 4, D(45)),
        ),
    ],
)
def test_each_method_is_asked_for_with_its_defaults(request_: pb.SizePositionRequest, method: SizingMethod) -> None:
    request_.MergeFrom(pb.SizePositionRequest(account_id="desk", symbol="ACME", side=SIDE_BUY))
    assert size_position(request_, "user:x") == SizePosition("desk", "user:x", "ACME", Side.BUY, method)


def test_price_and_strategy_are_taken_over() -> None:
    asked = size_position(
        pb.SizePositionRequest(
            side=SIDE_SELL, price="50.5", strategy_id="s", fixed_quantity=pb.FixedQuantity(quantity="5")
        ),
        "user:x",
    )
    assert (asked.side, asked.price, asked.strategy_id) == (Side.SELL, D("50.5"), "s")


@pytest.mark.parametrize("length", [Duration(seconds=61), Duration(seconds=60, nanos=1), Duration(seconds=172_800)])
def test_a_length_that_no_bar_has_is_refused_by_name(length: Duration) -> None:
    target = pb.VolatilityTarget(risk_percent="1", bar_interval=length)
    with pytest.raises(InvalidArgument) as refused:
        size_position(pb.SizePositionRequest(side=SIDE_BUY, volatility_target=target), "user:x")
    assert refused.value.field == "volatility_target.bar_interval"


def test_a_size_is_told_in_plain_decimals() -> None:
    size = PositionSize(
        quantity=D("1E+2"),
        notional=D("5000.00"),
        price=D("50"),
        unrounded=D(1000) / 7,
        limited_by=("MAX_ORDER_QUANTITY",),
        steps=(SizingStep("lot", D("1.0"), "shares", "why"),),
        explanation="because",
        sequence=7,
    )
    assert size_message(size) == pb.SizePositionResponse(
        quantity="100",
        notional="5000",
        price="50",
        unrounded_quantity="142.857142857142857143",
        limited_by=["MAX_ORDER_QUANTITY"],
        steps=[pb.SizingStep(name="lot", value="1", unit="shares", text="why")],
        explanation="because",
        sequence=7,
    )
