"""Rows of Yahoo as they should not be, and the bars they make all the same."""

from decimal import Decimal
from pathlib import Path

import pytest

from domain.market_data.bar import BarInterval
from tests.support.vendors.yahoo_chart import Json
from tests.support.vendors.yahoo_market import INPLACE, NOW, utc, yahoo_market

pytestmark = pytest.mark.filterwarnings(INPLACE)


def _quote(payload: Json) -> Json:
    quote: Json = payload["chart"]["result"][0]["indicators"]["quote"][0]
    return quote


async def test_a_row_of_nothing_is_no_bar_and_half_a_row_is_invalid(tmp_path: Path) -> None:
    def holes(payload: Json) -> None:
        result = payload["chart"]["result"][0]
        if len(result.get("timestamp", ())) == 4 and result["meta"]["dataGranularity"] == "1d":
            quote = _quote(payload)
            for column in quote.values():
                column[1] = None
            quote["low"][2] = None

    async with yahoo_market(tmp_path) as market:
        market.yahoo.edit = holes
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 6, 3), utc(2024, 6, 5, 14))
    assert [bar.open_time.day for bar in found.bars] == [3]
    assert found.invalid == [(utc(2024, 6, 5, 13, 30), utc(2024, 6, 5, 20))]


async def test_rows_twice_and_out_of_order_are_bars_once_and_in_order(tmp_path: Path) -> None:
    def shuffle(payload: Json) -> None:
        result = payload["chart"]["result"][0]
        if "timestamp" in result:
            for column in (result["timestamp"], *_quote(payload).values(), *_adjusted(result)):
                column[:] = [*column[3:6], *column[:4], *column[6:]]

    async with yahoo_market(tmp_path) as market:
        good = await market.bars("AAPL", BarInterval.HOUR_1, utc(2024, 6, 10))
        market.yahoo.edit = shuffle
        assert await market.bars("AAPL", BarInterval.HOUR_1, utc(2024, 6, 10)) == good


def _adjusted(result: Json) -> list[list[float]]:
    return [one["adjclose"] for one in result["indicators"].get("adjclose", ())]


@pytest.mark.parametrize(("interval", "name"), [(BarInterval.DAY_1, "1d"), (BarInterval.MINUTE_5, "5m")])
async def test_the_live_row_that_yahoo_appends_is_part_of_the_running_bar(
    tmp_path: Path, interval: BarInterval, name: str
) -> None:
    def live(payload: Json) -> None:
        result = payload["chart"]["result"][0]
        if result["meta"]["dataGranularity"] == name and "timestamp" in result:
            result["timestamp"].append(int(NOW.timestamp()))
            for column in ("open", "high", "low", "close"):
                _quote(payload)[column].append(188.5)
            _quote(payload)["volume"].append(0)
            for adjusted in _adjusted(result):
                adjusted.append(188.5)

    async with yahoo_market(tmp_path) as market:
        before = await market.bars("AAPL", interval, utc(2024, 6, 13))
        market.yahoo.edit = live
        found = await market.bars("AAPL", interval, utc(2024, 6, 13))
    assert [bar.open_time for bar in found.bars] == [bar.open_time for bar in before.bars]
    assert found.bars[:-1] == before.bars[:-1]
    assert found.bars[-1].partial
    assert found.bars[-1].close == Decimal("188.5")


async def test_prices_that_contradict_each_other_are_invalid(tmp_path: Path) -> None:
    def upside_down(payload: Json) -> None:
        if payload["chart"]["result"][0]["meta"]["dataGranularity"] == "1d" and _quote(payload):
            _quote(payload)["high"][0] = 1.0

    async with yahoo_market(tmp_path) as market:
        market.yahoo.edit = upside_down
        found = await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 6, 4), utc(2024, 6, 5))
    assert found.invalid or [bar.open_time.day for bar in found.bars] == [4]
    assert all(bar.low <= bar.open <= bar.high for bar in found.bars)
