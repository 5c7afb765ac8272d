"""Rows to shape bars of, and the bars that they make."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import RawBar, Shape, shape
from domain.market_data.trading_hours import TradingHours

WORKDAYS = frozenset(range(5))
NEW_YORK = TradingHours(
    "America/New_York",
    time(9, 30),
    time(16),
    WORKDAYS,
    frozenset({date(2026, 11, 26)}),
    frozenset({(date(2026, 11, 27), time(13))}),
    pre_market_opens=time(4),
    post_market_closes=time(20),
)
DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))

MINUTE_1, MINUTE_30, HOUR_1, HOUR_4 = (
    BarInterval.MINUTE_1,
    BarInterval.MINUTE_30,
    BarInterval.HOUR_1,
    BarInterval.HOUR_4,
)
DAY_1, WEEK_1, MONTH_1 = BarInterval.DAY_1, BarInterval.WEEK_1, BarInterval.MONTH_1
MINUTE = timedelta(minutes=1)
LATER = datetime(2027, 6, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def row(at: datetime, low: int = 10, high: int = 12, volume: int = 5, trades: int | None = 2) -> RawBar:
    """Opens at its low and closes at its high."""
    prices = Decimal(low), Decimal(high), Decimal(low), Decimal(high)
    return RawBar(at, *prices, Decimal(volume), Decimal(low + high) / 2, trades)


def shaped(
    rows: Sequence[RawBar | datetime | None],
    interval: BarInterval,
    source: BarInterval,
    hours: TradingHours = NEW_YORK,
    *,
    start: str = "2026-01-01",
    end: str = "2027-01-01",
    now: datetime = LATER,
    extended: bool = False,
) -> tuple[list[Bar], list[tuple[datetime, datetime]]]:
    wanted = Shape(
        "ACME", interval, source, hours, utc(start), utc(end), now, PriceAdjustment.SPLITS, extended_hours=extended
    )
    return shape(rows, wanted)


def half_hours(day: str, first: str, count: int) -> list[RawBar]:
    opens = utc(f"{day} {first}")
    return [row(opens + number * 30 * MINUTE, 10 + number, 12 + number) for number in range(count)]
