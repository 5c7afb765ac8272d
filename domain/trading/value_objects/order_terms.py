"""What a caller asks for: the terms of one order, and the rules that need no outside knowledge."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.errors import InvalidArgument
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """The terms of one order. Prices a type does not use are None; `tags` are sorted pairs.

    `limit_price` belongs to LIMIT and STOP_LIMIT, `stop_price` to STOP and STOP_LIMIT; a TRAILING_STOP
    has either `trail_offset` (in the price's currency) or `trail_percent` (of the price, 0-100).
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_offset: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    expire_time: datetime | None = None
    post_only: bool = False
    reduce_only: bool = False
    strategy_id: str = ""
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def trail(self) -> tuple[Decimal | None, Decimal | None]:
        """How far behind the market a trailing stop stays: as an amount, or as a percentage."""
        return self.trail_offset, self.trail_percent

    def check(self, path: str = "order") -> None:
        """Raise InvalidArgument, naming the field under `path`, when the terms contradict themselves."""
        for broken, field, rule in _CONTRADICTIONS:
            if broken(self):
                raise InvalidArgument(f"{path}.{field}" if path else field, rule)


_RESTING = {TimeInForce.DAY, TimeInForce.GTC, TimeInForce.GTD}
_AUCTION = {TimeInForce.OPG, TimeInForce.CLS}

_CONTRADICTIONS: tuple[tuple[Callable[[OrderTerms], bool], str, str], ...] = (
    (
        lambda t: (t.time_in_force is TimeInForce.GTD) != (t.expire_time is not None),
        "expire_time",
        "must be set with TIME_IN_FORCE_GTD, and only then",
    ),
    (
        lambda t: t.post_only and t.type not in (OrderType.LIMIT, OrderType.STOP_LIMIT),
        "post_only",
        "is for limit and stop_limit orders only",
    ),
    (
        lambda t: t.post_only and t.time_in_force not in _RESTING,
        "post_only",
        "needs a time in force that can rest: DAY, GTC or GTD",
    ),
    (
        lambda t: t.time_in_force in _AUCTION and t.type not in (OrderType.MARKET, OrderType.LIMIT),
        "time_in_force",
        "OPG and CLS take market and limit orders only",
    ),
    (
        lambda t: t.trail_percent is not None and t.trail_percent >= 100,
        "trailing_stop.percent",
        "must be below 100",
    ),
)
