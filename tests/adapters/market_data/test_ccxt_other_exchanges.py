"""The ccxt provider at an exchange with other pages, units, symbols and intervals than Binance."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.clock import ManualClock
from adapters.market_data.ccxt_adapter import CcxtMarketData
from adapters.market_data.ccxt_settings import CcxtSettings
from application.ports.market_data import BarRequest
from domain.errors import PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import Quote
from tests.support.ccxt_rig import HOUR, MINUTE, NOW
from tests.support.vendors.kraken import Kraken

D = Decimal


@asynccontextmanager
async def _kraken() -> AsyncIterator[tuple[CcxtMarketData, Kraken]]:
    clock = ManualClock(NOW)
    async with Kraken(clock.now).serve() as kraken:
        settings = CcxtSettings(exchange="kraken", timeout_seconds=2, mirrors={"https://api.kraken.com": kraken.url})
        market = CcxtMarketData(clock, settings)
        try:
            yield market, kraken
        finally:
            await market.close()


async def test_another_exchange_names_its_markets_otherwise_and_they_are_called_the_same() -> None:
    async with _kraken() as (market, _):
        pair = await market.instrument("BTC/USD")
    assert pair is not None
    assert (pair.venue, pair.provider_symbol, pair.currency) == ("Kraken", "XXBTZUSD", "USD")
    assert (pair.tick_size, pair.lot_size, pair.min_quantity) == (D("0.1"), D("0.00000001"), D("0.00005"))


async def test_quotes_without_a_list_of_best_prices_come_from_tickers_and_books() -> None:
    async with _kraken() as (market, _):
        assert await market.latest_quotes(["BTC/USD"]) == [
            Quote("BTC/USD", D(205), D("2.5"), D("205.1"), D("1.5"), NOW)
        ]
        book = await market.order_book("BTC/USD", 10)
    assert book is not None
    assert [level.price for level in book.asks] == [D("205.1"), D("205.2")]


async def test_bars_of_an_interval_that_the_exchange_lacks_are_made_of_a_shorter_one() -> None:
    start = datetime(2026, 11, 22, 8, tzinfo=UTC)
    async with _kraken() as (market, kraken):
        found = await market.bars(BarRequest("BTC/USD", BarInterval.HOUR_2, start, NOW, 10))
        assert {query["interval"] for query in kraken.asked} == {"60"}
        first, second = (kraken.candle(60, int((start + number * HOUR).timestamp())) for number in range(2))
    assert [bar.open_time for bar in found.bars] == [start, start + 2 * HOUR, start + 4 * HOUR]
    assert [bar.partial for bar in found.bars] == [False, False, True]
    assert (found.bars[0].open, found.bars[0].close, found.bars[0].volume) == (D(first[1]), D(second[4]), D("2.5"))


async def test_what_is_older_than_the_exchange_keeps_is_not_there() -> None:
    async with _kraken() as (market, _):
        found = await market.bars(
            BarRequest("BTC/USD", BarInterval.MINUTE_1, NOW - timedelta(days=30), NOW + HOUR, 10_000)
        )
    running = NOW.replace(second=0)
    assert [bar.open_time for bar in found.bars] == [running - number * MINUTE for number in reversed(range(720))]


async def test_an_interval_that_cannot_be_made_is_refused() -> None:
    async with _kraken() as (market, _):
        with pytest.raises(PreconditionFailed) as raised:
            await market.bars(BarRequest("BTC/USD", BarInterval.SECOND_1, NOW - MINUTE, NOW, 10))
        assert raised.value.reason == "PROVIDER_NOT_CAPABLE"
        with pytest.raises(PreconditionFailed):
            await anext(market.live_bars(["BTC/USD"], BarInterval.HOUR_2))


async def test_its_own_errors_are_understood() -> None:
    async with _kraken() as (market, kraken):
        wanted = BarRequest("BTC/USD", BarInterval.MINUTE_1, NOW - MINUTE, NOW, 10)
        for text, error in (("EAPI:Rate limit exceeded", Throttled), ("EService:Unavailable", Unavailable)):
            kraken.error = text
            with pytest.raises(error):
                await market.bars(wanted)
