"""Yahoo's rows at the prices that are asked for. Yahoo's own are divided by later splits, and by nothing else.

RAW multiplies by the ratios of the splits that came later, which gives back the price that was traded (see
yfinance_numbers); ALL multiplies by what the dividends since then have left of the day's price.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from math import log

from adapters.market_data.yfinance_client import Page, Row, Split
from adapters.market_data.yfinance_instruments import Listing
from adapters.market_data.yfinance_numbers import price, scaled, volume
from domain.decimals import ONE, ZERO
from domain.market_data.bar import PriceAdjustment
from domain.market_data.bar_shaping import RawBar

_Prices = tuple[Decimal, Decimal, Decimal, Decimal]

_NOTABLE = log(1.5)
_NEAR = 0.2


def raw_bars(page: Page, listing: Listing, adjustment: PriceAdjustment) -> list[RawBar | datetime]:
    """A row without prices and volume holds no trade and is left out; one that is half there is broken."""
    ratios = _Ratios(page.splits if adjustment is PriceAdjustment.RAW else ())
    spoilt_before = _not_yet_divided(page.rows, page.splits)
    # A day of which it should be known and is not spoils its rows; no dividend has been paid since the last that is.
    left_on = page.dividends or {}
    newest = max(left_on, default=date.min)
    made: list[RawBar | datetime] = []
    for row in page.rows:
        if _is_without_trade(row):
            continue
        day = row.at.date()
        left = left_on.get(day, None if day <= newest else ONE) if adjustment is PriceAdjustment.ALL else ONE
        prices = None if spoilt_before and day < spoilt_before else _prices(row, ratios.after(day), left)
        quantity = volume(row.volume, ratios.after(day)) if listing.counts_volume else ZERO
        at = row.at.astimezone(UTC)
        if prices is None or quantity is None:
            made.append(at)
        else:
            opens, high, low, close = (one.scaleb(-2) if listing.in_hundredths else one for one in prices)
            made.append(RawBar(at, opens, high, low, close, quantity))
    return made


class _Ratios:
    """How many of today's shares one of a day is."""

    def __init__(self, splits: Sequence[Split]) -> None:
        self._days = [split.day for split in splits]
        self._after = [Fraction(1)]
        for split in reversed(splits):
            self._after.append(self._after[-1] * split.ratio)
        self._after.reverse()

    def after(self, day: date) -> Fraction:
        return self._after[bisect_right(self._days, day)]


def _prices(row: Row, ratio: Fraction, left: Decimal | None) -> _Prices | None:
    if left is None:
        return None
    values = row.open, row.high, row.low, row.close
    opens, high, low, close = (price(value, ratio) if left == ONE else scaled(value, left) for value in values)
    return None if opens is None or high is None or low is None or close is None else (opens, high, low, close)


def _is_without_trade(row: Row) -> bool:
    return not row.volume and not any(_is_price(value) for value in (row.open, row.high, row.low, row.close))


def _is_price(value: object) -> bool:
    """Yahoo's null is NaN here."""
    return not isinstance(value, float) or value == value


def _not_yet_divided(rows: Sequence[Row], splits: Sequence[Split]) -> date | None:
    """The newest split at which the prices jump by its ratio: Yahoo knows of it, and has not divided what was before.

    Their adjustment is not known then, so none of them can be shown. Of small splits it cannot be told.
    """
    for split, before, after in _around(rows, splits):
        ratio = log(split.ratio)
        if abs(ratio) >= _NOTABLE and abs(log(before / after) - ratio) < _NEAR * abs(ratio):
            return split.day
    return None


def _around(rows: Sequence[Row], splits: Sequence[Split]) -> Iterator[tuple[Split, float, float]]:
    """The splits, newest first, with the last price before and the first price after each."""
    days = [row.at.date() for row in rows]
    for split in reversed(splits):
        first = next((at for at, day in enumerate(days) if day >= split.day), len(days))
        if 0 < first < len(days):
            before, after = rows[first - 1].close, rows[first].open
            if isinstance(before, float) and isinstance(after, float) and before > 0 and after > 0:
                yield split, before, after
