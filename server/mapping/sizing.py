"""Position sizes, as the contract asks for them and tells them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from application.risk.queries.size_position_query import PositionSize, SizePosition
from domain.decimals import ONE
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
from quantmesh.risk.v1 import position_sizing_pb2
from server.mapping.common import from_duration, settled_or_empty
from server.mapping.orders import SIDE_OF

_MINUTE: Final = Decimal(60)
_HOUR: Final = Decimal(3_600)
_DAY: Final = Decimal(86_400)
_ATR_PERIOD: Final = 14
_INTERVALS: Final[dict[Decimal, BarInterval]] = {
    _MINUTE: BarInterval.MINUTE_1,
    5 * _MINUTE: BarInterval.MINUTE_5,
    15 * _MINUTE: BarInterval.MINUTE_15,
    30 * _MINUTE: BarInterval.MINUTE_30,
    _HOUR: BarInterval.HOUR_1,
    2 * _HOUR: BarInterval.HOUR_2,
    4 * _HOUR: BarInterval.HOUR_4,
    _DAY: BarInterval.DAY_1,
    7 * _DAY: BarInterval.WEEK_1,
}


def size_position(request: position_sizing_pb2.SizePositionRequest, actor: str) -> SizePosition:
    """Raises InvalidArgument for a bar interval that ListBars does not offer."""
    name = request.WhichOneof("method") or ""
    return SizePosition(
        request.account_id,
        actor,
        request.symbol,
        SIDE_OF[request.side],
        _METHODS[name](getattr(request, name)),
        _optional(request.price),
        request.strategy_id,
    )


def _volatility_target(asked: position_sizing_pb2.VolatilityTarget) -> VolatilityTarget:
    return VolatilityTarget(
        Decimal(asked.risk_percent),
        _optional(asked.multiple) or ONE,
        _optional(asked.atr),
        asked.atr_period if asked.HasField("atr_period") else _ATR_PERIOD,
        _interval(asked),
    )


def _interval(asked: position_sizing_pb2.VolatilityTarget) -> BarInterval:
    if not asked.HasField("bar_interval"):
        return BarInterval.DAY_1
    interval = _INTERVALS.get(from_duration(asked.bar_interval))
    if interval is None:
        offered = "1, 5, 15 or 30 minutes, 1, 2 or 4 hours, 1 day or 7 days"
        raise InvalidArgument("volatility_target.bar_interval", f"must be the length of a bar: {offered}")
    return interval


_METHODS: Final[dict[str, Callable[[Any], SizingMethod]]] = {
    "fixed_quantity": lambda asked: FixedQuantity(Decimal(asked.quantity)),
    "fixed_notional": lambda asked: FixedNotional(Decimal(asked.notional)),
    "percent_of_equity": lambda asked: PercentOfEquity(Decimal(asked.percent)),
    "percent_risk": lambda asked: PercentRisk(Decimal(asked.risk_percent), Decimal(asked.stop_price)),
    "volatility_target": _volatility_target,
    "kelly": lambda asked: Kelly(
        Decimal(asked.win_rate_percent), Decimal(asked.payoff), _optional(asked.fraction) or ONE
    ),
    "equal_risk": lambda asked: EqualRisk(Decimal(asked.risk_percent), asked.position_count, Decimal(asked.stop_price)),
}


def _optional(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def size_message(size: PositionSize) -> position_sizing_pb2.SizePositionResponse:
    return position_sizing_pb2.SizePositionResponse(
        quantity=settled_or_empty(size.quantity),
        notional=settled_or_empty(size.notional),
        price=settled_or_empty(size.price),
        unrounded_quantity=settled_or_empty(size.unrounded),
        limited_by=size.limited_by,
        steps=map(_step_message, size.steps),
        explanation=size.explanation,
        sequence=size.sequence,
    )


def _step_message(step: SizingStep) -> position_sizing_pb2.SizingStep:
    return position_sizing_pb2.SizingStep(
        name=step.name, value=settled_or_empty(step.value), unit=step.unit, text=step.text
    )
