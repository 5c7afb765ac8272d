"""Live data of vendors over the wire: shared by all who read it, and steered while it runs."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration

from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE
from quantmesh.marketdata.v1.market_data_stream_pb2 import (
    StreamBarsRequest,
    StreamQuotesRequest,
    StreamTradesRequest,
)
from quantmesh.marketdata.v1.subscription_pb2 import (
    CHANNEL_BARS,
    CHANNEL_ORDER_BOOK,
    CHANNEL_QUOTES,
    CHANNEL_TRADES,
    AddSubscriptions,
    ListSubscriptions,
    RemoveSubscriptions,
    SubscribeRequest,
)
from tests.end_to_end.refusals import read
from tests.end_to_end.vendor_desk import (
    MINUTE,
    SIMULATED,
    Desk,
    alpaca_quote,
    alpaca_settings,
    bars,
    opens,
    polygon_settings,
    polygon_vendor,
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
from tests.support.vendors.polygon import FakePolygon, never
from tests.support.vendors.polygon_market import OPEN, rows

pytestmark = pytest.mark.timeout(120)

_READERS: Final = 20


class Live(NamedTuple):
    desk: Desk
    polygon: FakePolygon
    alpaca: AlpacaServer


@asynccontextmanager
async def _live(folder: Path, **more: object) -> AsyncIterator[Live]:
    """Shares are Polygon's, bitcoin is Alpaca's."""
    async with polygon_vendor() as polygon, AlpacaServer().running() as alpaca:
        polygon.tickers.append(stock("IBM"))
        alpaca.assets = [asset("BTC/USD", vendor_class="crypto", exchange="CRYPTO")]
        routes = {"market_routes": "AAPL=polygon, IBM=polygon, BTC/*=alpaca", "alpaca_stream_linger_seconds": 0.1}
        settings = {**polygon_settings(polygon), **alpaca_settings(alpaca), **routes, **more}
        async with serving(Site(folder), **settings) as desk:
            yield Live(desk, polygon, alpaca)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Live]:
    """One server for tests that do it no harm."""
    async with _live(tmp_path_factory.mktemp("live")) as running:
        yield running


def _quotes(client: Any, *symbols: str) -> Any:
    return client.market.StreamQuotes(StreamQuotesRequest(symbols=symbols))


async def test_many_readers_on_many_connections_make_one_subscription_at_the_vendor(live: Live) -> None:
    desk, polygon, alpaca = live
    now, asked = await desk.now(), len(polygon.requests)
    alpaca.quotes["BTC/USD"] = alpaca_quote(70_000, 70_010, now)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(desk.server.client()) for _ in range(_READERS)]
        async with reading(*(_quotes(client, "BTC/USD", "AAPL") for client in clients)) as readers:
            await alpaca.until_subscribed("crypto", "quotes", "BTC/USD")
            await polygon.until_subscribed("stocks", "Q.AAPL")
            connections = (alpaca.connections, dict(polygon.connections))
            for reader in readers:
                assert (await reader.has("quote", 1))[0].bid_price == "70000", "the latest known one comes first"
            for number in range(1, 4):
                await alpaca.push("crypto", alpaca_frame("BTC/USD", 70_000 + number, later(now, number)))
                await polygon.send("stocks", polygon_quote("AAPL", 200 + number, later(now, number)))
                for reader in readers:
                    await reader.has("quote", 1 + 2 * number)
            for reader in readers:
                assert [one.bid_price for one in reader.all("quote") if one.symbol == "AAPL"] == ["201", "202", "203"]
                assert {(one.symbol, one.provider) for one in reader.all("quote")} == {
                    ("AAPL", "polygon"),
                    ("BTC/USD", "alpaca"),
                }
            assert (alpaca.connections, dict(polygon.connections)) == connections
            (session,) = alpaca.sessions["crypto"]
            assert session.subscribe_messages == 1
            snapshots = [path for path in polygon.requests[asked:] if path.startswith("/v3/snapshot")]
            assert len(snapshots) == 1, "each reader asked"
    await alpaca.until(lambda: not alpaca.sessions["crypto"])
    await polygon.until(lambda: not polygon.subscribed["stocks"])


async def test_a_reader_that_wants_few_quotes_is_told_how_many_it_did_not_get(live: Live) -> None:
    desk, polygon, _ = live
    now = await desk.now()
    request = StreamQuotesRequest(symbols=["IBM"], min_interval=Duration(nanos=600_000_000))
    async with reading(desk.client.market.StreamQuotes(request), _quotes(desk.client, "IBM")) as (few, every):
        await polygon.until_subscribed("stocks", "Q.IBM")
        for number in range(1, 6):
            await polygon.send("stocks", polygon_quote("IBM", 200 + number, later(now, number)))
            await every.has("quote", number)
        merged = await few.has("quote", 2)
        assert [(one.bid_price, one.merged_count) for one in merged] == [("201", 0), ("205", 3)]


async def test_trades_and_bars_come_each_once_and_in_order(live: Live) -> None:
    desk, polygon, _ = live
    polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 10)
    market, now = desk.client.market, await desk.now()
    past = StreamBarsRequest(
        symbols=["AAPL"], interval=BAR_INTERVAL_ONE_MINUTE, start_time=timestamp(OPEN + 5 * MINUTE)
    )
    trades = market.StreamTrades(StreamTradesRequest(symbols=["AAPL"]))
    async with reading(trades, market.StreamBars(past)) as (traded, minutes):
        await polygon.until_subscribed("stocks", "T.AAPL", "AM.AAPL")
        for first in range(0, 1_000, 100):
            await polygon.send("stocks", *(polygon_trade("AAPL", number, now) for number in range(first, first + 100)))
        for number in (9, 10, 11, 10, 12):
            await polygon.send("stocks", polygon_minute("AAPL", OPEN + number * MINUTE, 100 + number))
        ids = [one.trade_id for one in await traded.has("trade", 1_000)]
        assert ids == [f"4-{number}" for number in range(1_000)]
        came = [utc(bar.open_time) for bar in await minutes.has("bar", 8)]
        assert came == [OPEN + number * MINUTE for number in range(5, 13)]
        assert opens(await bars(desk.client, "AAPL", OPEN + 5 * MINUTE, OPEN + 10 * MINUTE)) == came[:5]


# -- Subscribe ---------------------------------------------------------------------------------------------------


class _Steering:
    """One Subscribe stream: what is asked for on it, and what it answers."""

    def __init__(self, client: Any) -> None:
        self._call = client.market.Subscribe()
        self.reader = Reading(self._call)

    async def ask(self, **action: Any) -> Any:
        """The answer, when it is there."""
        asked = len(self._answers())
        await self._call.write(SubscribeRequest(request_id=f"r{asked}", **action))
        await self.reader.until(lambda _: len(self._answers()) > asked)
        return self._answers()[-1]

    def _answers(self) -> list[Any]:
        return [content for kind, content in self.reader.seen if kind in ("ack", "subscriptions", "error")]

    def quotes(self, symbol: str) -> list[str]:
        return [one.bid_price for one in self.reader.all("quote") if one.symbol == symbol]


async def test_subscriptions_come_and_go_while_the_stream_runs(live: Live) -> None:
    desk, polygon, alpaca = live
    steering, now = _Steering(desk.client), await desk.now()
    try:
        ack = await steering.ask(
            subscribe=AddSubscriptions(channel=CHANNEL_QUOTES, symbols=["AAPL", "BTC/USD", SIMULATED, "NOPE"])
        )
        assert [(one.symbol, one.provider) for one in ack.added] == [
            ("AAPL", "polygon"),
            ("BTC/USD", "alpaca"),
            (SIMULATED, "simulated"),
        ]
        assert [(one.symbol, read(one.status).reason) for one in ack.failures] == [("NOPE", "INSTRUMENT_NOT_FOUND")]
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await alpaca.until_subscribed("crypto", "quotes", "BTC/USD")
        await polygon.send("stocks", polygon_quote("AAPL", 201, later(now, 1)))
        await alpaca.push("crypto", alpaca_frame("BTC/USD", 70_001, later(now, 1)))
        await steering.reader.until(lambda _: bool(steering.quotes("AAPL") and steering.quotes("BTC/USD")))

        books = await steering.ask(subscribe=AddSubscriptions(channel=CHANNEL_ORDER_BOOK, symbols=["AAPL"]))
        assert [read(one.status).reason for one in books.failures] == ["PROVIDER_NOT_CAPABLE"]
        await steering.ask(subscribe=AddSubscriptions(channel=CHANNEL_TRADES, symbols=["AAPL"]))
        bar = AddSubscriptions(channel=CHANNEL_BARS, symbols=["IBM"], interval=BAR_INTERVAL_ONE_MINUTE)
        assert (await steering.ask(subscribe=bar)).active_count == 5
        ack = await steering.ask(unsubscribe=RemoveSubscriptions(channel=CHANNEL_QUOTES, symbols=["AAPL"]))
        assert ([one.symbol for one in ack.removed], ack.active_count) == (["AAPL"], 4)
        await polygon.until_subscribed("stocks", "T.AAPL", "AM.IBM")
        quotes = len(steering.quotes("AAPL"))
        await polygon.send(
            "stocks",
            polygon_quote("AAPL", 202, later(now, 2)),
            polygon_trade("AAPL", 1, now),
            polygon_minute("IBM", OPEN, 150),
        )
        await steering.reader.has("trade", 1)
        assert (await steering.reader.has("bar", 1))[0].symbol == "IBM"
        assert len(steering.quotes("AAPL")) == quotes

        listed = await steering.ask(list=ListSubscriptions())
        assert [(one.channel, one.symbol) for one in listed.subscriptions] == [
            (CHANNEL_QUOTES, "BTC/USD"),
            (CHANNEL_QUOTES, SIMULATED),
            (CHANNEL_TRADES, "AAPL"),
            (CHANNEL_BARS, "IBM"),
        ]
        assert (await steering.ask(unsubscribe=RemoveSubscriptions())).active_count == 0
        await polygon.until(lambda: not polygon.subscribed["stocks"])
        await alpaca.until(lambda: not alpaca.sessions["crypto"])
    finally:
        await steering.reader.stop()


# -- the end -----------------------------------------------------------------------------------------------------


async def test_a_shutdown_says_goodbye_and_waits_for_no_vendor(tmp_path: Path) -> None:
    async with _live(tmp_path, polygon_timeout_seconds=60, shutdown_seconds=0.2) as (desk, polygon, alpaca):
        now = await desk.now()
        polygon.snapshots["AAPL"] = snapshot("AAPL", 200, 201, now)
        async with reading(_quotes(desk.client, "AAPL", "BTC/USD")) as (reader,):
            await polygon.until_subscribed("stocks", "Q.AAPL")
            await alpaca.until_subscribed("crypto", "quotes", "BTC/USD")
            polygon.bad_days.append(never)
            asked = len(polygon.requests)
            waiting = asyncio.create_task(bars(desk.client, "AAPL"))
            await until(lambda: len(polygon.requests) > asked)

            began = time.monotonic()
            desk.server.signal(signal.SIGTERM)
            await asyncio.wait_for(asyncio.shield(reader.task), 5)
            assert reader.seen[-1][0] == "goodbye"
            assert await asyncio.to_thread(desk.server.exit_status) == 0
            assert time.monotonic() - began < 8
            with pytest.raises(grpc.aio.AioRpcError) as cut_off:
                await waiting
            assert cut_off.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
        await alpaca.until(lambda: not alpaca.sessions["crypto"])
        assert "Traceback" not in desk.server.log
