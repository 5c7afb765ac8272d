"""Prices before and after splits and dividends: as they were traded, or as they compare with today's."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.market_data.bar import BarInterval, PriceAdjustment
from tests.support.vendors.yahoo_bars import between, traded, values
from tests.support.vendors.yahoo_chart import Json, Traded
from tests.support.vendors.yahoo_market import INPLACE, LEFT, SPLIT, utc, yahoo_market

pytestmark = pytest.mark.filterwarnings(INPLACE)


async def test_raw_prices_are_those_before_the_split(tmp_path: Path) -> None:
    start, end = utc(2024, 2, 28), utc(2024, 3, 8)
    async with yahoo_market(tmp_path) as market:
        raw = await market.bars("AAPL", BarInterval.DAY_1, start, end)
        divided = await market.bars("AAPL", BarInterval.DAY_1, start, end, adjustment=PriceAdjustment.SPLITS)
        rows = between(market.yahoo.listings["AAPL"].candles["1d"], start, end)
    assert [values(bar) for bar in raw.bars] == [traded([row]) for row in rows]
    assert {bar.adjustment for bar in divided.bars} == {PriceAdjustment.SPLITS}
    for bar, row in zip(divided.bars, rows, strict=True):
        ratio = 4 if row.at.date() < SPLIT else 1
        assert bar.close == Decimal(row.close) / ratio
        assert bar.volume == row.volume * ratio


async def test_raw_hours_are_those_before_the_split_too(tmp_path: Path) -> None:
    start, end = utc(2024, 3, 1), utc(2024, 3, 5)
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.HOUR_1, start, end)
        rows = between(market.yahoo.listings["AAPL"].candles["1h"], start, end)
    assert [values(bar) for bar in found.bars] == [traded([row]) for row in rows]
    assert len(rows) == 14


async def test_all_prices_are_less_the_dividends_since(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        start, end = utc(2024, 5, 8), utc(2024, 5, 15)
        found = await market.bars("AAPL", BarInterval.DAY_1, start, end, adjustment=PriceAdjustment.ALL)
        rows = between(market.yahoo.listings["AAPL"].candles["1d"], start, end)
    before, after = [bar for bar in found.bars if bar.open_time < utc(2024, 5, 10)], found.bars[2:]
    assert len(before) == 2
    for bar, row in zip(before, rows, strict=False):
        assert abs(bar.close - Decimal(row.close) * LEFT) < Decimal("0.0002")
        assert bar.volume == row.volume
    assert [values(bar) for bar in after] == [traded([row]) for row in rows[2:]]


async def test_hours_are_less_the_dividends_of_their_day(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        start, end = utc(2024, 5, 9), utc(2024, 5, 11)
        found = await market.bars("AAPL", BarInterval.HOUR_1, start, end, adjustment=PriceAdjustment.ALL)
        rows = between(market.yahoo.listings["AAPL"].candles["1h"], start, end)
    assert len(found.bars) == len(rows) == 14
    for bar, row in zip(found.bars, rows, strict=True):
        left = LEFT if bar.open_time < utc(2024, 5, 10) else 1
        assert abs(bar.close - Decimal(row.close) * left) < Decimal("0.0002")


async def test_the_split_of_last_night_that_is_not_in_the_prices_yet_spoils_what_is_before_it(tmp_path: Path) -> None:
    def not_yet(payload: Json) -> None:
        result = payload["chart"]["result"][0]
        quote = result["indicators"]["quote"][0]
        for at, stamp in enumerate(result.get("timestamp", ())):
            if stamp < utc(2024, 3, 4).timestamp():
                for name in ("open", "high", "low", "close"):
                    quote[name][at] *= 4

    async with yahoo_market(tmp_path) as market:
        listing = market.yahoo.listings["AAPL"]
        # Today's price is a quarter of yesterday's, as it is after such a split.
        listing.candles["1d"] = [row if row.at.date() < SPLIT else _quartered(row) for row in listing.candles["1d"]]
        market.yahoo.edit = not_yet
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 2, 28), utc(2024, 3, 8))
    assert found.bars[0].open_time.date() == SPLIT
    assert found.invalid == [(utc(2024, 2, 28, 14, 30), utc(2024, 2, 28, 21)), *found.invalid[1:]]
    assert len(found.invalid) == 3


def _quartered(row: Traded) -> Traded:
    opened, high, low, close = (str(Decimal(price) / 4) for price in row[1:5])
    return Traded(row.at, opened, high, low, close, row.volume)
