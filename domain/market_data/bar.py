"""Bars (candles) and their intervals."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from domain.terms import Term


class BarInterval(Term):
    """The usual intervals. A day, week or month is the venue's own, so its length varies."""

    SECOND_1 = "1s"
    MINUTE_1 = "1m"
    MINUTE_5 = "5m"
    MINUTE_15 = "15m"
    MINUTE_30 = "30m"
    HOUR_1 = "1h"
    HOUR_2 = "2h"
    HOUR_4 = "4h"
    DAY_1 = "1d"
    WEEK_1 = "1w"
    MONTH_1 = "1mo"

    @property
    def fixed_length(self) -> timedelta | None:
        """The interval's length, or None where the calendar decides."""
        return _FIXED_LENGTHS.get(self)


_FIXED_LENGTHS = {
    BarInterval.SECOND_1: timedelta(seconds=1),
    BarInterval.MINUTE_1: timedelta(minutes=1),
    BarInterval.MINUTE_5: timedelta(minutes=5),
    BarInterval.MINUTE_15: timedelta(minutes=15),
    BarInterval.MINUTE_30: timedelta(minutes=30),
    BarInterval.HOUR_1: timedelta(hours=1),
    BarInterval.HOUR_2: timedelta(hours=2),
    BarInterval.HOUR_4: timedelta(hours=4),
}


class PriceAdjustment(Term):
    """What was done to past prices so that they compare with today's."""

    RAW = "RAW"
    SPLITS = "SPLITS"
    ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices over [open_time, close_time). `partial` marks a bar that is not over yet.

    `vwap` (the average price weighted by quantity) and `trade_count` are None where the source does not say.
    """

    symbol: str
    interval: BarInterval
    open_time: datetime
    close_time: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trade_count: int | None
    partial: bool = False
    vwap: Decimal | None = None
    adjustment: PriceAdjustment = PriceAdjustment.RAW
