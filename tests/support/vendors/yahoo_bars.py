"""Bars as values that compare with those of the rows that they are made of."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from domain.market_data.bar import Bar
from tests.support.vendors.yahoo_chart import Traded


def values(bar: Bar) -> tuple[Decimal, ...]:
    return bar.open, bar.high, bar.low, bar.close, bar.volume


def traded(rows: Sequence[Traded]) -> tuple[Decimal, ...]:
    """The values of the bar that the rows make."""
    return (
        Decimal(rows[0].open),
        max(Decimal(row.high) for row in rows),
        min(Decimal(row.low) for row in rows),
        Decimal(rows[-1].close),
        Decimal(sum(row.volume for row in rows)),
    )


def between(rows: Sequence[Traded], start: datetime, end: datetime) -> list[Traded]:
    return [row for row in rows if start <= row.at < end]
