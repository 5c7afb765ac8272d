"""A vendor's stream breaks, or falls silent: readers are told, and in the end they have all there was, each once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio

from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE
from quantmesh.marketdata.v1.market_data_stream_pb2 import (
    STREAM_STATE_BACKFILLED,
    STREAM_STATE_LIVE,
    STREAM_STATE_RECONNECTING,
    STREAM_STATE_RESUBSCRIBED,
    StreamBarsRequest,
    StreamQuotesRequest,
    StreamTradesRequest,
)
from tests.end_to_end.vendor_desk import (
    MINUTE,
    SIMULATED,
    Desk,
    alpaca_quote,
    alpaca_settings,
    polygon_settings,
    polygon_vendor,
    prices,
    quote,
    serving,
    snapshot,
    stock,
    timestamp,
    until,
    utc,
)
from tests.end_to_end.vendor_streams import (
    Reading,
    alpaca_frame,
    later,
    polygon_minute,
    polygon_quote,
    polygon_trade,
    reading,
)
from tests.support.server import Site
from tests.support.vendors.alpaca_data import AlpacaServer, asset
from tests.support.vendors.polygon import FakePolygon, refusal
from tests.support.vendors.polygon_market import NOW, row, rows

pytestmark = pytest.mark.timeout(120)

# So late that nothing of it counts as settled: minutes come to be while the test runs.
_START: Final = NOW - 20 * MINUTE
_TWICE: Final = [STREAM_STATE_RECONNECTING, STREAM_STATE_RESUBSCRIBED]


class Line(NamedTuple):
    desk: Desk
    polygon: FakePolygon


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def line(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """One server for all of these: each test has a share of its own, and leaves the vendor well."""
    async with polygon_vendor() as polygon:
        settings = {**polygon_settings(polygon), "polygon_timeout_seconds": 1}
        async with serving(Site(tmp_path_factory.mktemp("line")), **settings) as desk:
            yield Line(desk, polygon)


def _list(polygon: FakePolygon, ticker: str) -> dict[str, Any]:
    """A new share, as a request for it names it."""
    polygon.tickers.append(stock(ticker))
    return {"symbols": [ticker], "provider": "polygon"}


async def _connected(polygon: FakePolygon, subscription: str, after: int = 0) -> int:
    """The number of the newest connection, which is later than `after`, once it has just this subscription."""
    await polygon.until(
        lambda: polygon.connections["stocks"] > after and polygon.subscribed["stocks"] == {subscription}
    )
    return polygon.connections["stocks"]


def _told(*states: int) -> Callable[[Reading], bool]:
    """Whether a reader was told of just these."""
    return lambda reader: reader.states == list(states)


def _require_gap(reader: Reading, symbol: str, broke: datetime) -> None:
    """The last news names the instrument, its provider, and the span in which data may be missing."""
    status = reader.all("status")[-1]
    assert (status.provider, list(status.symbols)) == ("polygon", [symbol])
    assert broke <= utc(status.gap_start_time) < utc(status.gap_end_time) <= utc(status.status_time)


async def test_quotes_go_on_after_a_dropped_socket_and_none_comes_twice(line: Line) -> None:
    desk, polygon = line
    request = StreamQuotesRequest(**_list(polygon, "QUOTES"))
    async with reading(*(desk.client.market.StreamQuotes(request) for _ in range(2))) as readers:
        now = await desk.now()
        connection = first = await _connected(polygon, "Q.QUOTES")
        for number, ends in ((1, polygon.drop), (2, polygon.end)):
            newest = polygon_quote("QUOTES", 200 + number, later(now, number))
            await polygon.send("stocks", newest)
            for reader in readers:
                await reader.has("quote", number)
            broke = await desk.now()
            await (ends("stocks") or asyncio.sleep(0))
            for reader in readers:
                await reader.until(lambda one: one.states[-1:] == [STREAM_STATE_RECONNECTING])
            assert (await quote(desk.client, SIMULATED)).provider == "simulated"
            connection = await _connected(polygon, "Q.QUOTES", after=connection)
            for reader in readers:
                await reader.until(_told(STREAM_STATE_LIVE, *_TWICE * number))  # before there is another quote
                _require_gap(reader, "QUOTES", broke)
            await polygon.send("stocks", newest)  # as many vendors begin: with the quote as it is
        await polygon.send("stocks", polygon_quote("QUOTES", 203, later(now, 3)))
        for reader in readers:
            await reader.has("quote", 3)
            assert [one.bid_price for one in reader.all("quote")] == ["201", "202", "203"]
    assert connection == first + 2


async def test_bars_of_the_gap_are_fetched_and_each_comes_once_and_in_order(line: Line) -> None:
    desk, polygon = line
    wanted = _list(polygon, "BARS") | {"interval": BAR_INTERVAL_ONE_MINUTE}
    table = polygon.aggregates["BARS", 1, "minute"] = rows(_START, MINUTE, 10)
    past = StreamBarsRequest(start_time=timestamp(_START + 7 * MINUTE), **wanted)
    market = desk.client.market
    async with reading(market.StreamBars(StreamBarsRequest(**wanted)), market.StreamBars(past)) as (live, whole):
        connection = await _connected(polygon, "AM.BARS")
        for number in (10, 11):
            table.append(row(_START + number * MINUTE, 100 + number))
            await polygon.send("stocks", polygon_minute("BARS", _START + number * MINUTE, 100 + number))
        await live.has("bar", 2)
        await whole.has("bar", 5)

        broke = await desk.now()
        polygon.drop("stocks")
        await live.until(_told(STREAM_STATE_LIVE, STREAM_STATE_RECONNECTING))
        table += rows(_START + 12 * MINUTE, MINUTE, 6, lambda n: 112 + n)
        del table[14]  # a minute without a trade
        await _connected(polygon, "AM.BARS", after=connection)
        for reader in (live, whole):
            await reader.until(lambda one: one.states[-1:] == [STREAM_STATE_BACKFILLED])
            assert utc(reader.all("bar")[-1].open_time) == _START + 17 * MINUTE, "before there is another bar"
        for number in (11, 17, 18):
            await polygon.send("stocks", polygon_minute("BARS", _START + number * MINUTE, 100 + number))

        for reader, first in ((live, 10), (whole, 7)):
            numbers = [number for number in range(first, 19) if number != 14]
            bars = await reader.has("bar", len(numbers))
            assert [utc(bar.open_time) for bar in bars] == [_START + number * MINUTE for number in numbers]
            assert [prices(bar)[0] for bar in bars] == [100 + number for number in numbers]
            assert {(bar.provider, bar.partial) for bar in bars} == {("polygon", False)}
            assert reader.states == [STREAM_STATE_LIVE, STREAM_STATE_RECONNECTING, STREAM_STATE_BACKFILLED]
            _require_gap(reader, "BARS", broke)


async def test_a_gap_that_cannot_be_filled_at_once_is_filled_when_the_vendor_answers(line: Line) -> None:
    desk, polygon = line
    wanted = _list(polygon, "GAP") | {"interval": BAR_INTERVAL_ONE_MINUTE}
    table = polygon.aggregates["GAP", 1, "minute"] = rows(_START, MINUTE, 12)
    async with reading(desk.client.market.StreamBars(StreamBarsRequest(**wanted))) as (reader,):
        connection = await _connected(polygon, "AM.GAP")
        await polygon.send("stocks", polygon_minute("GAP", _START + 11 * MINUTE, 111))
        await reader.has("bar", 1)
        polygon.drop("stocks")
        await reader.until(_told(STREAM_STATE_LIVE, STREAM_STATE_RECONNECTING))
        table += rows(_START + 12 * MINUTE, MINUTE, 4, lambda n: 112 + n)
        polygon.bad_days.append(refusal(500, {}))
        await _connected(polygon, "AM.GAP", after=connection)
        await polygon.send("stocks", polygon_minute("GAP", _START + 15 * MINUTE, 115))
        await until(lambda: not polygon.bad_days)
        table.append(row(_START + 16 * MINUTE, 116))
        while STREAM_STATE_BACKFILLED not in reader.states:  # the vendor is not told when it is read again
            await polygon.send("stocks", polygon_minute("GAP", _START + 16 * MINUTE, 116))
            await asyncio.sleep(0.1)
        bars = await reader.has("bar", 6)
        assert [utc(bar.open_time) for bar in bars] == [_START + number * MINUTE for number in range(11, 17)]


async def test_trades_of_the_gap_are_lost_and_the_news_says_so(line: Line) -> None:
    desk, polygon = line
    request = StreamTradesRequest(**_list(polygon, "TRADES"))
    async with reading(desk.client.market.StreamTrades(request)) as (reader,):
        now = await desk.now()
        connection = await _connected(polygon, "T.TRADES")
        await polygon.send("stocks", polygon_trade("TRADES", 1, now))
        await reader.has("trade", 1)
        polygon.drop("stocks")
        await reader.until(_told(STREAM_STATE_LIVE, STREAM_STATE_RECONNECTING))
        await _connected(polygon, "T.TRADES", after=connection)
        await reader.until(_told(STREAM_STATE_LIVE, *_TWICE))
        await polygon.send("stocks", polygon_trade("TRADES", 3, now))
        await reader.has("trade", 2)
        assert [kind for kind, _ in reader.seen] == ["status", "trade", "status", "status", "trade"]


async def test_a_reader_who_comes_while_the_stream_is_broken_is_told_so(line: Line) -> None:
    """The last one on that line: the server is left with a socket that does not open."""
    desk, polygon = line
    request = StreamQuotesRequest(**_list(polygon, "LATE"))
    async with reading(desk.client.market.StreamQuotes(request)) as (early,):
        await _connected(polygon, "Q.LATE")
        now = await desk.now()
        await polygon.send("stocks", polygon_quote("LATE", 201, later(now, 1)))
        await early.has("quote", 1)
        polygon.silent_handshake = True
        try:
            polygon.drop("stocks")
            await early.until(_told(STREAM_STATE_LIVE, STREAM_STATE_RECONNECTING))
            async with reading(desk.client.market.StreamQuotes(request)) as (late,):
                await late.until(_told(STREAM_STATE_RECONNECTING))
                assert [one.bid_price for one in late.all("quote")] == ["201"]
                polygon.snapshots["LATE"] = snapshot("LATE", 202, 203, later(now, 50))
                for reader in (early, late):
                    await reader.has("quote", 2)
                    assert [kind for kind, _ in reader.seen[-3:]] == ["quote", "status", "quote"]
                    assert reader.all("quote")[-1].bid_price == "202", "meanwhile it is asked for"
        finally:
            polygon.silent_handshake = False


async def test_a_socket_that_falls_silent_is_taken_for_broken_and_one_of_a_quiet_market_is_not(tmp_path: Path) -> None:
    async with AlpacaServer().running() as alpaca:
        alpaca.assets = [asset("BTC/USD", vendor_class="crypto", exchange="CRYPTO")]
        settings = {**alpaca_settings(alpaca), "alpaca_stream_silence_seconds": 1}
        async with serving(Site(tmp_path), **settings, market_routes="BTC/*=alpaca") as desk:
            now = await desk.now()
            alpaca.quotes["BTC/USD"] = alpaca_quote(70_001, 70_011, later(now, 1))
            stream = desk.client.market.StreamQuotes(StreamQuotesRequest(symbols=["BTC/USD"]))
            async with reading(stream) as (reader,):
                await alpaca.until_subscribed("crypto", "quotes", "BTC/USD")
                await reader.has("quote", 1)
                await asyncio.sleep(1.2)  # nothing comes but answers to pings
                assert reader.states == [STREAM_STATE_LIVE]
                (session,) = alpaca.sessions["crypto"]
                session.mute = True
                await reader.until(_told(STREAM_STATE_LIVE, STREAM_STATE_RECONNECTING))
                await alpaca.until(lambda: any(one is not session for one in alpaca.sessions["crypto"]))
                await alpaca.until_subscribed("crypto", "quotes", "BTC/USD")
                await alpaca.push("crypto", alpaca_frame("BTC/USD", 70_002, later(now, 2)))
                await reader.has("quote", 2)
                assert reader.states == [STREAM_STATE_LIVE, *_TWICE]
                assert [one.bid_price for one in reader.all("quote")] == ["70001", "70002"]
                assert alpaca.connections == 2
