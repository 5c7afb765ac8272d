"""All bars of one kind of one instrument, and the one of them that is running."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from application.market_data.market import Market
from application.market_data.source import Source
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.trading_hours import TradingHours

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)
_LONGEST_PERIODS = {
    BarInterval.DAY_1: timedelta(days=1),
    BarInterval.WEEK_1: timedelta(days=7),
    BarInterval.MONTH_1: timedelta(days=31),
}
_MOST_RUNNING = 32


def longest(interval: BarInterval) -> timedelta:
    """The longest span that one bar of the interval can cover."""
    return interval.fixed_length or _LONGEST_PERIODS[interval]


@dataclass(frozen=True, slots=True)
class BarSeries:
    """All bars of one kind of one instrument, kept or fetched."""

    market: Market
    source: Source
    interval: BarInterval
    adjustment: PriceAdjustment = PriceAdjustment.RAW
    extended_hours: bool = False

    @property
    def hours(self) -> TradingHours:
        """When a bar of the series can be."""
        hours = self.source.instrument.hours
        return hours.extended() if self.extended_hours and self.interval.fixed_length else hours

    async def between(self, start: datetime, end: datetime, limit: int) -> FetchedBars:
        """At most `limit` bars that open in [start, end), oldest first; raises what the provider raises."""
        request = BarRequest(self.source.symbol, self.interval, start, end, limit, self.adjustment, self.extended_hours)
        return await self.market.catalogue.bars(self.source, request)

    async def running(self) -> Bar | None:
        """The bar that is not over yet; None when none is running, or nothing has traded in it."""
        now = self.market.clock.now()
        page = await self.between(now - longest(self.interval) - _INSTANT, now + _INSTANT, _MOST_RUNNING)
        return page.bars[-1] if page.bars and page.bars[-1].partial else None

    def covers(self, bar: Bar) -> bool:
        """Whether the bar, which a provider pushed, opened in the hours of the series."""
        return self.interval.fixed_length is None or self.hours.session_at(bar.open_time) is not None
