"""Which rows of Yahoo's make the bars that are wanted, and whether those that came are to be believed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, takewhile

from adapters.market_data.provider_errors import unavailable
from adapters.market_data.yfinance_client import Asked, Page, Row
from adapters.market_data.yfinance_instruments import Listing
from adapters.market_data.yfinance_rows import raw_bars
from adapters.market_data.yfinance_settings import HOURS_REACH, MINUTES_REACH, NAME, QUARTERS_REACH
from application.ports.market_data import BarRequest, FetchedBars
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.bar_shaping import Shape, rows_needed, shape, source_interval
from domain.market_data.instrument import AssetClass
from domain.market_data.trading_hours import TradingHours

_HOURS = (BarInterval.HOUR_1, BarInterval.HOUR_2, BarInterval.HOUR_4)
_SHORT = (BarInterval.MINUTE_1, BarInterval.MINUTE_5, BarInterval.MINUTE_15)
_REACHES: Mapping[BarInterval, timedelta] = {
    BarInterval.MINUTE_1: MINUTES_REACH,
    BarInterval.MINUTE_5: QUARTERS_REACH,
    BarInterval.MINUTE_15: QUARTERS_REACH,
    BarInterval.HOUR_1: HOURS_REACH,
}
_WEEK = timedelta(days=7)
_AT_ONCE: Mapping[BarInterval, timedelta] = {
    BarInterval.MINUTE_1: _WEEK,
    BarInterval.MINUTE_5: QUARTERS_REACH,
    BarInterval.MINUTE_15: QUARTERS_REACH,
    BarInterval.HOUR_1: HOURS_REACH,
    BarInterval.DAY_1: timedelta(days=20 * 366),
}
"""Yahoo gives eight days of minutes at once. Of days all could be had, but the oldest thousand is asked for often."""

_HOUR_MINUTES = 60
_MANY = 0.1
_SURELY_TRADED = 5
_MAY_HAVE_NO_ROWS = (AssetClass.FUND, AssetClass.INDEX)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request, by the listing it is of.

    `with_breaks`: the venue pauses at noon, and Yahoo's hours are counted anew from there.
    """

    request: BarRequest
    listing: Listing
    now: datetime
    with_breaks: bool

    @property
    def hours(self) -> TradingHours:
        return self.listing.instrument.hours

    @property
    def extended(self) -> bool:
        has_more = self.hours.pre_market_opens is not None or self.hours.post_market_closes is not None
        return self.request.extended_hours and has_more and self.request.interval.fixed_length is not None

    @property
    def source(self) -> BarInterval:
        """Yahoo's hours count from the open of the session; with trading before it they lie on another grid."""
        interval = self.request.interval
        if interval.fixed_length is None:
            return BarInterval.DAY_1
        if interval in _HOURS and not self.extended and not self.with_breaks:
            return BarInterval.HOUR_1
        return source_interval(interval, _SHORT, self.hours.extended() if self.extended else self.hours)

    def chunk(self, begin: datetime) -> tuple[datetime, datetime] | None:
        """The next [start, end) to ask for; None when nothing is left."""
        reach, first = _REACHES.get(self.source), self.listing.first_trade
        start = begin if reach is None else max(begin, self.now - reach)
        start = start if first is None else max(start, first - _WEEK)
        end = min(self.request.end, self.now, start + _AT_ONCE[self.source])
        return (start, end) if start < end else None

    def shape(self, start: datetime, end: datetime, as_of: datetime) -> Shape:
        request = self.request
        return Shape(
            request.symbol,
            request.interval,
            self.source,
            self.hours,
            start,
            end,
            as_of,
            request.adjustment,
            self.extended,
        )

    def asked(self, start: datetime, end: datetime) -> Asked:
        adjustment, has_splits = self.request.adjustment, self.listing.has_splits
        first, last = rows_needed(self.shape(start, end, self.now))
        return Asked(
            symbol=self.listing.instrument.provider_symbol,
            interval=self.source,
            start=first,
            end=last,
            extended_hours=self.extended,
            splits=has_splits and adjustment is PriceAdjustment.RAW,
            dividends=has_splits and adjustment is PriceAdjustment.ALL,
        )


def bars_of(wanted: Wanted, start: datetime, end: datetime, page: Page, settle: timedelta) -> FetchedBars:
    """The bars that open in [start, end). Raises Unavailable for an emptiness that contradicts itself."""
    if not page.rows:
        _believe_nothing(wanted, start, end, page)
    last_trade = None if page.meta is None else page.meta.last_trade
    as_of = wanted.listing.as_of(wanted.now, last_trade, settle)
    rows = raw_bars(page, wanted.listing, wanted.request.adjustment)
    return FetchedBars(*shape(rows, wanted.shape(start, end, as_of)))


def has_breaks(wanted: Wanted, rows: Sequence[Row]) -> bool:
    """Whether hours of Yahoo's do not count from the open of the session: it began to count anew after a break."""
    if wanted.source is not BarInterval.HOUR_1:
        return False
    opens = wanted.hours.opens.minute
    off = sum((row.at.minute - opens) % _HOUR_MINUTES != 0 for row in rows)
    return off > _MANY * len(rows)


def _believe_nothing(wanted: Wanted, start: datetime, end: datetime, page: Page) -> None:
    """When Yahoo has had enough of somebody, it may also say that there is nothing.

    It says as well from when to when there was trading: five whole sessions of that time cannot be empty.
    """
    meta = page.meta
    if meta is None or wanted.listing.instrument.asset_class in _MAY_HAVE_NO_ROWS:
        return
    if meta.first_trade is None or meta.last_trade is None:
        return
    first, last = max(start, meta.first_trade), min(end, meta.last_trade)
    whole = takewhile(lambda session: session.close <= last, wanted.hours.sessions(first))
    if sum(1 for _ in islice(whole, _SURELY_TRADED)) == _SURELY_TRADED:
        raise unavailable(NAME, "it gave no bars of a time in which it says that there was trading")
